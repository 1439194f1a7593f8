"""Runs ``intentrec`` commands in forks of a process that has imported everything, because an import takes seconds.

Reads one JSON object a line from standard input: ``words`` of the command, ``output`` (file for what it prints),
``place`` (folder whose changes are counted), ``configs`` (folder of built-in configurations, or null) and ``operation``
(kill it just before its n-th change of the folder, or null).  Writes ``{"pid": ...}`` once it runs, in a process group
of its own, and ``{"status": ...}`` (exit code, negative for a signal) once it has ended.  What a fork saw of its own
operations is the last line of its output, JSON behind ``OPERATIONS``.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

OPERATIONS = "file operations: "
OPENS_TO_WRITE = os.O_WRONLY | os.O_RDWR | os.O_CREAT
CHANGES = {
    *("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.chmod", "os.truncate"),
    *("shutil.rmtree", "tempfile.mkstemp", "tempfile.mkdtemp", "sqlite3.connect"),
}


class Operations:
    """Counts what this process is about to change below a folder, by Python's audit events.

    Args:
        place: the folder.
        last: kills the process as ``kill -9`` does when it comes to this one, counted from 1; None never does.

    Attributes:
        count: so far.
        renamed: digests of what each file got by a rename, by its path in the folder, in order.
    """

    def __init__(self, place: str, last: int | None) -> None:
        self.count = 0
        self.renamed: dict[str, list[str]] = {}
        self._place, self._last = os.path.abspath(place), last

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event not in CHANGES or not self._changes(event, arguments):
            return
        self.count += 1
        if self.count == self._last:
            os.kill(os.getpid(), signal.SIGKILL)
        if event == "os.rename" and os.path.isfile(arguments[0]):
            name = os.path.relpath(os.fsdecode(arguments[1]), self._place)
            self.renamed.setdefault(name, []).append(hashlib.sha256(Path(arguments[0]).read_bytes()).hexdigest())

    def _changes(self, event: str, arguments: tuple[Any, ...]) -> bool:
        path = arguments[0]
        if event == "open" and not (isinstance(arguments[2], int) and arguments[2] & OPENS_TO_WRITE):
            return False
        if not isinstance(path, (str, bytes, os.PathLike)):
            return False
        path = os.fsdecode(path)
        if event in ("os.remove", "os.rmdir") and not os.path.isabs(path):
            return True  # of rmtree, relative to an open folder
        return os.path.abspath(path).startswith(self._place)


def run(request: dict[str, Any]) -> int:
    """The command's exit code, in this process."""
    from pipelines.main import main

    output = os.open(request["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    for descriptor in (1, 2):
        os.dup2(output, descriptor)
    os.close(output)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1, closefd=False) for number in (1, 2))
    if request["configs"]:
        import pipelines.config
        import pipelines.reproduce.runs

        pipelines.config.CONFIGS = pipelines.reproduce.runs.CONFIGS = Path(request["configs"])
    operations = Operations(request["place"], request["operation"])
    sys.addaudithook(operations)
    try:
        return main(request["words"])
    except BaseException:
        traceback.print_exc()
        return 70
    finally:
        print(OPERATIONS + json.dumps({"count": operations.count, "renamed": operations.renamed}), flush=True)


def serve() -> None:
    """Answer requests until standard input ends."""
    import pandas  # noqa: F401
    import tensorflow  # noqa: F401

    import pipelines.cli
    import pipelines.export
    import pipelines.reproduce.runs
    import pipelines.train  # noqa: F401

    answers = os.fdopen(os.dup(1), "w", buffering=1)
    print("{}", file=answers)
    for line in sys.stdin:
        request = json.loads(line)
        pid = os.fork()
        if not pid:
            os.setpgid(0, 0)  # no session of its own, which would have a priority of its own
            answers.close()
            os._exit(run(request))
        print(json.dumps({"pid": pid}), file=answers)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        print(json.dumps({"status": status}), file=answers)


if __name__ == "__main__":
    serve()
