"""The error of the local server."""

from __future__ import annotations


class LocalServerError(Exception):
    """The server cannot start; the message is one sentence."""
