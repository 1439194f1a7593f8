"""A server on this machine that speaks the protocol of TensorFlow Serving, without Docker."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

import grpc
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

from serving.local.errors import LocalServerError
from serving.local.services import ModelService, PredictionService
from serving.local.version_store import VersionStore


class LocalServer:
    """Serves the newest loadable version of a model and follows new ones.

    Like TensorFlow Serving with its default version policy: one version at a time, the newest; the old one is
    let go once its last request is answered. Use it as a context manager, or `start()` and `stop()` it.

    Args:
        base_path: Directory with one numeric subdirectory for each version.
        model: Name under which it is served.
        port: TCP port; 0 picks a free one, see `address`.
        host: Address to bind. The default is reachable from this machine only.
        poll_s: Seconds between two looks for versions.
        threads: Requests worked on at a time; more wait their turn. Default: four for each core.
        max_message_mb: Largest request or answer in MiB.

    Raises:
        LocalServerError: by `start()`: no loadable version, or the port is taken.

    Example:
        >>> with LocalServer("export/intentrec") as server:                            # doctest: +SKIP
        ...     print(server.address, server.version)
    """

    def __init__(
        self,
        base_path: str | os.PathLike[str],
        model: str = "intentrec",
        port: int = 0,
        host: str = "127.0.0.1",
        poll_s: float = 1.0,
        threads: int | None = None,
        max_message_mb: float = 64.0,
    ) -> None:
        for name, number in (
            ("poll_s", poll_s),
            ("max_message_mb", max_message_mb),
            ("threads", 1 if threads is None else threads),
        ):
            if not number > 0:
                raise LocalServerError(f"{name} is {number!r}, so pass a number above 0.")
        if not 0 <= port <= 65535:
            raise LocalServerError(f"port is {port!r}, so pass a number from 0 to 65535.")
        self.base_path = Path(base_path)
        self.model = model
        self.host = host
        self.port = port
        self._threads = threads or 4 * (os.cpu_count() or 1)
        self._max_message_bytes = min(int(max_message_mb * 2**20), 2**31 - 1)
        self._store = VersionStore(model, self.base_path, poll_s)
        self._server: grpc.Server | None = None

    @property
    def address(self) -> str:
        """`"host:port"`, with the real port once started."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def version(self) -> int | None:
        """The version that answers now; `None` before `start()`."""
        current = self._store.current
        return current.version if current else None

    def __enter__(self) -> LocalServer:  # typing.Self is Python 3.11
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Load the newest version, then listen.

        Raises:
            LocalServerError: there is nothing to serve, or the address cannot be bound.
        """
        if self._server is not None:
            raise LocalServerError(f"The server at {self.address} has been started before, so make a new one.")
        self._store.refresh()
        if self._store.current is None:
            raise LocalServerError(self._why_nothing())
        limit = self._max_message_bytes
        server = grpc.server(
            ThreadPoolExecutor(self._threads, thread_name_prefix="predict"),
            options=[
                ("grpc.max_receive_message_length", limit),
                ("grpc.max_send_message_length", limit),
                (
                    "grpc.so_reuseport",
                    0,
                ),  # a port in use is an error, not a share of somebody else's requests
            ],
        )
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            PredictionService(self.model, self._store), server
        )
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(self.model, self._store), server)
        try:
            bound = server.add_insecure_port(self.address)
        except RuntimeError:
            bound = 0
        if not bound:
            raise LocalServerError(f"Cannot listen on {self.address}, so choose a free port or --port 0.")
        self.port = bound
        server.start()
        self._server = server
        self._store.start()

    def stop(self, grace_s: float = 10.0) -> None:
        """Take no new requests, wait for running ones to finish, and close.

        Args:
            grace_s: Seconds to wait before the rest are cancelled.
        """
        if self._server is not None:
            self._server.stop(grace_s).wait()
        self._store.stop()

    def _why_nothing(self) -> str:
        if not self.base_path.is_dir():
            return f"{self.base_path} is not a directory, so export a model there first."
        states = self._store.states()
        if not states:
            return f"{self.base_path} has no numeric version directory, so export a model there first."
        return (
            f"None of the {len(states)} versions in {self.base_path} can be loaded, so export one again "
            f"(version {states[0].version}: {states[0].error.rstrip('.')})."
        )
