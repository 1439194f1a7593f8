"""A request that the server declines."""

from __future__ import annotations

import grpc


class RequestError(Exception):
    """A request is answered with a gRPC status instead of a result.

    Args:
        code: The status.
        message: One sentence for the caller.
    """

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
