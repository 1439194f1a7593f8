"""Serve until told to stop: the body of `intentrec serve` and of `python -m serving.local`."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
from pathlib import Path
from types import FrameType
from typing import Any

from serving.local.errors import LocalServerError
from serving.local.local_server import LocalServer


def serve(
    base_path: str | os.PathLike[str],
    model: str = "intentrec",
    port: int = 8500,
    host: str = "127.0.0.1",
    ready_file: str | os.PathLike[str] | None = None,
    poll_s: float = 1.0,
    threads: int | None = None,
    max_message_mb: float = 64.0,
    grace_s: float = 10.0,
) -> int:
    """Start a `LocalServer`, announce it on stdout, and block until SIGTERM or SIGINT.

    Must run in the main thread, because it handles signals. The first signal drains: running requests finish,
    new ones are refused. A second signal ends at once.

    Args:
        base_path: Directory with one numeric subdirectory for each version.
        model: Name under which it is served.
        port: TCP port; 0 picks a free one.
        host: Address to bind.
        ready_file: File to write `host:port` to once requests are answered; removed at the end.
        poll_s: Seconds between two looks for versions.
        threads: Requests worked on at a time.
        max_message_mb: Largest request or answer in MiB.
        grace_s: Seconds that running requests get to finish.

    Returns:
        Exit code: 0 after a signal, 1 if the server could not start (one sentence on stderr says why).
    """
    stopping = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        if stopping.is_set():
            os._exit(128 + number)
        stopping.set()

    previous: dict[int, Any] = {number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        if ready_file is not None:
            Path(ready_file).unlink(missing_ok=True)  # one that a killed server left behind
        server = LocalServer(base_path, model, port, host, poll_s, threads, max_message_mb)
        server.start()
        try:
            print(f"Serving {model} version {server.version} on {server.address}", flush=True)
            if ready_file is not None:
                _write_atomically(Path(ready_file), server.address + "\n")
            # A bare wait() would let a signal pass unseen until some other thread wakes this one.
            while not stopping.wait(1.0):
                pass
            print(f"Stopping {model} on {server.address}", flush=True)
        finally:
            if ready_file is not None:
                Path(ready_file).unlink(missing_ok=True)
            server.stop(grace_s)
    except LocalServerError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
    return 0


def _write_atomically(path: Path, text: str) -> None:
    """Write so that a reader sees nothing or everything."""
    try:
        handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise LocalServerError(
            f"Cannot write the ready file {path} ({error.strerror}), so choose another path."
        ) from None
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(scratch, path)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise
