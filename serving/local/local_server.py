"""A server on this machine that speaks the protocol of TensorFlow Serving, without Docker."""

from __future__ import annotations

import logging
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

import grpc
from grpc_health.v1 import health_pb2_grpc
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

from serving.local.errors import LocalServerError
from serving.local.health_service import HealthService
from serving.local.loaded_model import LoadedModel
from serving.local.metrics import Metrics
from serving.local.model_api import ModelApi
from serving.local.models_config import ModelsConfig
from serving.local.request_error import RequestError
from serving.local.rest_server import RestServer
from serving.local.services import ModelService, PredictionService
from serving.local.tls_files import TlsFiles
from serving.local.version_store import VersionStore
from serving.local.warmup import warm_up

_LOG = logging.getLogger(__name__)
_BATCHING_THREADS = 64


class LocalServer:
    """Serves versions of a model over gRPC and REST, and follows new ones.

    Like TensorFlow Serving: without a configuration one version at a time, the newest; with one the versions and
    labels it names. A version that is no longer wanted is let go once its last request is answered. Use it as a
    context manager, or `start()` and `stop()` it.

    Args:
        base_path: Directory with one numeric subdirectory for each version; without it, pass `models_config`.
        model: Name under which it is served; a configuration brings its own.
        port: TCP port of gRPC; 0 picks a free one, see `address`.
        host: Address to bind. The default is reachable from this machine only.
        poll_s: Seconds between two looks for versions and at the configuration.
        threads: Requests worked on at a time; more wait their turn. Default: four for each core, with batching 64,
            most of which then wait for their batch.
        max_message_mb: Largest request or answer in MiB.
        models_config: File with a `ModelServerConfig` in text format.
        allow_unavailable_labels: Let a new label mean a version that is not loaded yet, as every label of a server
            that starts does.
        batching: Put requests together for versions that have a `batching_params.pbtxt`.
        rest_port: TCP port of REST and of Prometheus's metrics; 0 picks a free one, see `rest_address`. Default: no
            REST.
        rest_cors: Let pages of other sites ask over REST.
        tls: Certificate for gRPC. Default: no TLS.

    Raises:
        LocalServerError: for an option that makes no sense, and by `start()`: no loadable version, a configuration
            that cannot be followed, or a port that is taken.

    Example:
        >>> with LocalServer("export/intentrec") as server:                            # doctest: +SKIP
        ...     print(server.address, server.version)
    """

    def __init__(
        self,
        base_path: str | os.PathLike[str] | None = None,
        model: str = "intentrec",
        port: int = 0,
        host: str = "127.0.0.1",
        poll_s: float = 1.0,
        threads: int | None = None,
        max_message_mb: float = 64.0,
        *,
        models_config: str | os.PathLike[str] | None = None,
        allow_unavailable_labels: bool = False,
        batching: bool = False,
        rest_port: int | None = None,
        rest_cors: bool = False,
        tls: TlsFiles | None = None,
    ) -> None:
        for name, number in (
            ("poll_s", poll_s),
            ("max_message_mb", max_message_mb),
            ("threads", 1 if threads is None else threads),
        ):
            if not number > 0:
                raise LocalServerError(f"{name} is {number!r}, so pass a number above 0.")
        for name, number in (("port", port), ("rest_port", rest_port or 0)):
            if not 0 <= number <= 65535:
                raise LocalServerError(f"{name} is {number!r}, so pass a number from 0 to 65535.")
        self._source: ModelsConfig | Path
        if base_path is not None and models_config is None:
            self._source = ModelsConfig(model, Path(base_path))
        elif models_config is not None and base_path is None:
            self._source = Path(models_config)
        else:
            raise LocalServerError("A server needs a base path or a models config, so pass one of the two.")
        self.host = host
        self.port = port
        self.rest_port = rest_port
        self._rest_cors = rest_cors
        self._tls = tls
        self._threads = threads or (_BATCHING_THREADS if batching else 4 * (os.cpu_count() or 1))
        self._max_message_bytes = min(int(max_message_mb * 2**20), 2**31 - 1)
        self._allow_unavailable_labels = allow_unavailable_labels
        self._config_error = ""
        self._batching = batching
        self._metrics = Metrics()
        self._store = VersionStore(self._load, poll_s, self._follow_models_config, self._metrics.versions)
        self._api = ModelApi(self._store, self._metrics, self._configure)
        self._health = HealthService()
        self._server: grpc.Server | None = None
        self._rest: RestServer | None = None

    @property
    def model(self) -> str:
        """Name of the model; `""` before a configuration is read, which `start()` does."""
        return self._source.name if isinstance(self._source, ModelsConfig) else self._store.name

    @property
    def base_path(self) -> Path | None:
        """Directory of the versions; `None` before a configuration is read, which `start()` does."""
        return self._source.base_path if isinstance(self._source, ModelsConfig) else self._store.base_path

    @property
    def address(self) -> str:
        """`"host:port"` of gRPC, with the real port once started."""
        return self._at(self.port)

    @property
    def rest_address(self) -> str | None:
        """`"host:port"` of REST, with the real port once started; `None` without REST."""
        return None if self.rest_port is None else self._at(self.rest_port)

    @property
    def version(self) -> int | None:
        """The newest version that answers now; `None` before `start()`."""
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
        """Load what is wanted, then listen.

        Raises:
            LocalServerError: there is nothing to serve, the configuration cannot be followed, or an address cannot
                be bound.
        """
        if self._server is not None:
            raise LocalServerError(f"The server at {self.address} has been started before, so make a new one.")
        config = self._first_config()
        credentials = None if self._tls is None else self._tls.credentials()
        if self.port:
            _check_free(self.host, self.port, self.address)
        self._store.refresh()
        if self._store.current is None:
            raise LocalServerError(self._why_nothing(config))
        server = self._bind(credentials)
        if self.rest_port is not None:
            try:
                self._rest = RestServer(
                    self._api, self.host, self.rest_port, self._rest_cors, self._max_message_bytes, self._threads
                )
            except LocalServerError:
                server.stop(None)
                raise
            self.rest_port = self._rest.port
            self._rest.start()
        server.start()
        self._server = server
        self._store.start()

    def stop(self, grace_s: float = 10.0) -> None:
        """Say NOT_SERVING, take no new requests, wait for running ones to finish, and close.

        Args:
            grace_s: Seconds to wait before the rest are cancelled.
        """
        if self._rest is not None:
            self._rest.drain()  # before watchers of the health service hear of it, who then know that it is so
        self._health.drain()
        stopped = None if self._server is None else self._server.stop(grace_s)
        if self._rest is not None:
            self._rest.stop(grace_s)
        if stopped is not None:
            stopped.wait()
        self._store.stop()

    def _at(self, port: int) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{port}"

    def _load(self, directory: Path) -> LoadedModel:
        succeeded = False
        try:
            model = LoadedModel(directory, self._metrics.batch if self._batching else None)
            count = warm_up(model, directory)
            succeeded = True
        finally:
            self._metrics.load(directory, succeeded)
        if count:
            _LOG.info("Version %d has answered its %d warm-up requests.", model.version, count)
        return model

    def _bind(self, credentials: grpc.ServerCredentials | None) -> grpc.Server:
        limit = self._max_message_bytes
        server = grpc.server(
            ThreadPoolExecutor(self._threads, thread_name_prefix="predict"),
            options=[
                ("grpc.max_receive_message_length", limit),
                ("grpc.max_send_message_length", limit),
                ("grpc.so_reuseport", 0),  # a port in use is an error, not a share of somebody else's requests
            ],
        )
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(PredictionService(self._api), server)
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(ModelService(self._api), server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        try:
            if credentials is None:
                bound = server.add_insecure_port(self.address)
            else:
                bound = server.add_secure_port(self.address, credentials)
        except RuntimeError:
            bound = 0
        if not bound:
            raise _cannot_listen(self.address)
        self.port = bound
        return server

    def _configure(self, config: ModelsConfig) -> None:
        self._store.configure(config, self._allow_unavailable_labels)

    def _first_config(self) -> ModelsConfig:
        try:
            config = self._read_config()
            self._configure(config)
        except (ValueError, RequestError) as error:
            raise LocalServerError(str(error)) from None
        return config

    def _read_config(self) -> ModelsConfig:
        return self._source if isinstance(self._source, ModelsConfig) else ModelsConfig.read(self._source)

    def _follow_models_config(self) -> None:
        """Take over what the file says now; what cannot be followed is logged once, and the old one goes on."""
        if isinstance(self._source, ModelsConfig):
            return  # a configuration that arrives by HandleReloadConfigRequest stays
        try:
            self._configure(self._read_config())
            self._config_error = ""
        except (ValueError, RequestError) as error:
            if str(error) != self._config_error:
                _LOG.error("The configuration stays as it was: %s", error)
            self._config_error = str(error)

    def _why_nothing(self, config: ModelsConfig) -> str:
        base_path = config.base_path
        if not base_path.is_dir():
            return f"{base_path} is not a directory, so export a model there first."
        states = self._store.states()
        if not states and config.policy.versions:
            return f"{base_path} has none of the versions {sorted(config.policy.versions)}, so export or name others."
        if not states and (base_path / "saved_model.pb").is_file():
            return f"{base_path} is a version itself, so serve the folder it is in, {base_path.parent}."
        if not states:
            return f"{base_path} has no numeric version directory, so export a model there first."
        return (
            f"None of the {len(states)} versions in {base_path} can be loaded, so export one again "
            f"(version {states[0].version}: {states[0].error.rstrip('.')})."
        )


def _cannot_listen(address: str) -> LocalServerError:
    return LocalServerError(f"Cannot listen on {address}, so choose a free port or --port 0.")


def _check_free(host: str, port: int, address: str) -> None:
    """Fail before the model is loaded, which takes a while, where the port is somebody else's.

    Raises:
        LocalServerError: it is, or the host is none of this machine's.
    """
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # one that was ours a moment ago is free
            probe.bind(place)
    except OSError:
        raise _cannot_listen(address) from None
