"""The genuine ``tensorflow_model_server`` as a process of its own, for benchmarks and tests."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import closing
from pathlib import Path
from types import TracebackType

import grpc
from tensorflow_serving.apis import get_model_status_pb2, model_service_pb2_grpc

from pipelines.model_server import ServerStartError, stop
from pipelines.validate import DataError

NAME = "tensorflow_model_server"
VARIABLE = "TENSORFLOW_MODEL_SERVER"
_MONITORING = 'prometheus_config { enable: true path: "/monitoring/prometheus/metrics" }\n'


def find_binary() -> str | None:
    """The binary that the environment variable names, or the one on PATH.

    Raises:
        DataError: the variable names something that cannot be run.
    """
    named = os.environ.get(VARIABLE)
    found = shutil.which(named or NAME)
    if named and found is None:
        raise DataError(f"{VARIABLE} names {named}, which cannot be run, so correct or unset it.")
    return found


class GenuineServer:
    """A server process that ends with the block.

    Args:
        binary: a ``tensorflow_model_server``, or what takes its flags.
        base_path: folder of the versions of the model ``intentrec``.
        models_config: instead, a ModelServerConfig in text format; its model must be ``intentrec``.
        batching: read ``batching_params.pbtxt`` of each version.
        timeout_s: seconds until a version must be AVAILABLE.

    Attributes:
        address, rest_address: ``host:port`` of gRPC and of REST.
        process: the server's, None before it is entered.
    """

    def __init__(
        self,
        binary: str,
        base_path: str | os.PathLike[str] | None = None,
        models_config: Path | None = None,
        batching: bool = False,
        timeout_s: float = 90.0,
    ) -> None:
        self._timeout_s = timeout_s
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        self._log = folder / "log"
        monitoring = folder / "monitoring.config"
        monitoring.write_text(_MONITORING)
        port, rest_port = _free_ports()
        self.address, self.rest_address = f"127.0.0.1:{port}", f"127.0.0.1:{rest_port}"
        self._command = [
            binary,
            f"--port={port}",
            f"--rest_api_port={rest_port}",
            f"--monitoring_config_file={monitoring}",
            "--file_system_poll_wait_seconds=1",
            "--max_num_load_retries=0",
            "--allow_version_labels_for_unavailable_models=true",
        ]
        if models_config is not None:
            self._command += [f"--model_config_file={models_config}", "--model_config_file_poll_wait_seconds=1"]
        else:
            self._command += ["--model_name=intentrec", f"--model_base_path={base_path}"]
        if batching:
            self._command += ["--enable_batching=true", "--enable_per_model_batching_parameters=true"]
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> GenuineServer:
        """Start, and wait until a version is AVAILABLE and REST answers.

        Raises:
            ServerStartError: the process ended or took too long; with the last lines of its log.
        """
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(self._command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            self._await_ready()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _await_ready(self) -> None:
        assert self.process is not None
        deadline = time.monotonic() + self._timeout_s
        with grpc.insecure_channel(self.address) as channel:
            stub = model_service_pb2_grpc.ModelServiceStub(channel)
            while not (_is_available(stub) and _accepts(self.rest_address)):
                if self.process.poll() is not None or time.monotonic() > deadline:
                    code = self.process.poll()
                    state = "is not ready" if code is None else f"ended with {code}"
                    last = "\n".join(self._log.read_text(errors="replace").splitlines()[-20:])
                    raise ServerStartError(f"{self._command[0]} {state}; its log ends with:\n{last}")
                time.sleep(0.05)

    def _end(self) -> None:
        if self.process is not None:
            stop(self.process)
        self._folder.cleanup()


def _free_ports() -> tuple[int, int]:
    with closing(socket.socket()) as first, closing(socket.socket()) as second:
        first.bind(("127.0.0.1", 0))
        second.bind(("127.0.0.1", 0))
        return first.getsockname()[1], second.getsockname()[1]


def _is_available(stub: model_service_pb2_grpc.ModelServiceStub) -> bool:
    """Whether a version of `intentrec` answers."""
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "intentrec"
    try:
        states = stub.GetModelStatus(request, timeout=5).model_version_status
    except grpc.RpcError:
        return False
    return any(entry.state == get_model_status_pb2.ModelVersionStatus.AVAILABLE for entry in states)


def _accepts(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except OSError:
        return False
    return True
