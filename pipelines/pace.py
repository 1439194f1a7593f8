"""How far a long job is, and how long the rest will take."""

from __future__ import annotations

import datetime
import json
import os
import sys
import time

from pipelines.validate import DataError

VARIABLE = "INTENTREC_LOG"
EVERY_S = 5.0  # at least between two lines of a step, but for its first and last


class Pace:
    """Counts what is done of a step, and tells it to programs where ``INTENTREC_LOG=json`` asks for it.

    A line on standard error is one JSON object: ``time`` (UTC), ``command``, ``step``, ``done``, ``total``,
    ``seconds_left`` (null until something is done) and ``message``, the same for people.

    Args:
        step: what is done, in words.
        total: about how many parts it has.
        done: parts that an earlier call has done, which tell nothing of the pace.
    """

    def __init__(self, step: str, total: int, done: int = 0) -> None:
        self.step, self.total, self.done = step, total, done
        self._before = done
        self._start = time.monotonic()
        self._told = -EVERY_S
        self._tell()

    def advance(self, message: str = "") -> None:
        """One more part is done.

        Args:
            message: to be told, at once; without one, a sentence of the numbers now and then.
        """
        self.done += 1
        if message or self.done >= self.total or time.monotonic() - self._told >= EVERY_S:
            self._tell(message)

    @property
    def seconds_left(self) -> float | None:
        """At the mean pace so far; None until something is done."""
        done = self.done - self._before
        if done == 0:
            return None
        return max(0, self.total - self.done) * (time.monotonic() - self._start) / done

    @property
    def left(self) -> str:
        """For people, such as ``, about 15 s left``; empty at the start and at the end."""
        return f", about {span(self.seconds_left)} left" if self.seconds_left else ""

    def _tell(self, message: str = "") -> None:
        if not is_json():
            return
        self._told = time.monotonic()
        left = self.seconds_left
        line = {
            "time": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "command": " ".join(sys.argv[1:2]),
            "step": self.step,
            "done": self.done,
            "total": self.total,
            "seconds_left": None if left is None else round(left, 1),
            "message": message or f"{self.step}: {self.done:,} of {self.total:,}{self.left}",
        }
        print(json.dumps(line, ensure_ascii=False), file=sys.stderr, flush=True)


def is_json() -> bool:
    """Whether progress is for programs.

    Raises:
        DataError: the variable has another value than ``json`` and ``text``.
    """
    value = os.environ.get(VARIABLE, "text")
    if value not in ("json", "text"):
        raise DataError(f"{VARIABLE}={value}: is no form of progress; set it to json or text, or unset it.")
    return value == "json"


def span(seconds: float) -> str:
    """``40 s``, ``3 min`` or ``2.5 h``."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 3_600 else f"{seconds / 3_600:.1f} h"
