"""A training process of its own that does one epoch when it is its turn.

Protocol: the process writes one line of JSON when it is ready, then one for each line it receives: ``{"seconds",
"loss", "steps", "peak_mb"}`` after an epoch, and, for the line after its last epoch, the validation ``{"NDCG@10",
"HR@10", "targets", "seconds", "peak_mb"}``.  Between turns it sleeps, so two processes can alternate on one machine
and neither is measured in a quieter hour than the other.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Any

from pipelines.validate import DataError


class TrainingProcess:
    """One process that speaks the protocol; a context manager that ends it.

    Args:
        name: for people.
        command: that starts it.
        log: file for whatever else it prints.
    """

    def __init__(self, name: str, command: list[str], log: Path) -> None:
        self.name = name
        self.command = command
        self.log = log
        self.turns: list[dict[str, Any]] = []
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> TrainingProcess:
        with self.log.open("w") as log:
            self._process = subprocess.Popen(
                self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
            )
        try:
            self._answer()
        except DataError:
            self._process.wait()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process is not None
        for stream in (self._process.stdin, self._process.stdout):
            if stream:
                with contextlib.suppress(BrokenPipeError):  # it has ended before it read everything
                    stream.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def epoch(self) -> dict[str, Any]:
        """Train one epoch.

        Raises:
            DataError: the process ended instead.
        """
        self.turns.append(self._ask())
        return self.turns[-1]

    def validation(self) -> dict[str, Any]:
        """Rank the whole catalogue for every validation target; after the last epoch."""
        return self._ask()

    def _ask(self) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # _answer says why
            self._process.stdin.write("go\n")
            self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process is not None
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            lines = self.log.read_text(errors="replace").strip().splitlines() or ["no word"]
            raise DataError(f"{self.name}: ended with '{lines[-1]}'; if memory ran out, free some, else correct that.")
        answer: dict[str, Any] = json.loads(line)
        return answer
