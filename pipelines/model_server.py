"""A model server as a process of its own, for the demo and for benchmarks."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START_SECONDS = 300


class ServerStartError(RuntimeError):
    """The model server did not become ready; the message holds its last words."""


@contextmanager
def running_server(base_path: Path, *options: str) -> Iterator[str]:
    """The local server; yields ``host:port`` and stops it at the end, however the block ends.

    Args:
        base_path: folder of versions; the log and a ready file are written beside it.
        options: further ones of ``python -m serving.local``.

    Raises:
        ServerStartError: it did not become ready.
    """
    ready = base_path.parent / f".ready-{os.getpid()}"
    log = base_path.parent / "server.log"
    command = [sys.executable, "-m", "serving.local", str(base_path), "--port", "0", "--ready-file", str(ready)]
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(
            [*command, *options], stdout=output, stderr=output, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}
        )
        try:
            deadline = time.monotonic() + START_SECONDS
            while not ready.is_file():
                if process.poll() is not None or time.monotonic() > deadline:
                    last = log.read_text(encoding="utf-8").strip().splitlines()[-1:] or ["it said nothing"]
                    raise ServerStartError(f"the model server did not start ({last[0]}); see {log}.")
                time.sleep(0.1)
            yield ready.read_text(encoding="utf-8").strip()
        finally:
            stop(process)
            ready.unlink(missing_ok=True)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a server's process: it may answer what it has begun, for half a minute."""
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
