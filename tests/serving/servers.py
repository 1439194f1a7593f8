"""The servers that the protocol tests run against, behind one way to start them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipelines.genuine_server import GenuineServer, find_binary
from serving.local import LocalServer


@dataclass(frozen=True)
class Addresses:
    """Where a running server answers."""

    grpc: str
    rest: str


class Launcher:
    """Starts servers of one kind, `local` or `tensorflow_model_server`."""

    def __init__(self, kind: str) -> None:
        self.is_local = kind == "local"
        self._binary = None if self.is_local else find_binary()
        if not self.is_local and self._binary is None:
            pytest.skip(
                "no TensorFlow Serving here: set TENSORFLOW_MODEL_SERVER to a tensorflow_model_server binary, or put "
                "one on PATH"
            )

    @contextmanager
    def __call__(
        self,
        base_path: str | os.PathLike[str] | None = None,
        models_config: Path | None = None,
        batching: bool = False,
    ) -> Iterator[Addresses]:
        """Serve a base path as `intentrec`, or what a configuration says; new labels may mean any version."""
        if self._binary is not None:
            with GenuineServer(self._binary, base_path, models_config, batching) as genuine:
                yield Addresses(genuine.address, genuine.rest_address)
            return
        with LocalServer(
            base_path,
            poll_s=0.05,
            models_config=models_config,
            allow_unavailable_labels=True,
            batching=batching,
            rest_port=0,
        ) as local:
            assert local.rest_address is not None
            yield Addresses(local.address, local.rest_address)
