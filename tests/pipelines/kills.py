"""Kills commands of the pipeline with SIGKILL at random points, starts them again, and looks at what is there."""

from __future__ import annotations

import datetime
import json
import os
import random
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import intentrec_tf
from pipelines.environment import commit
from serving.atomic import atomic_text
from tests.pipelines.fork_server import OPERATIONS

ROOT = Path(intentrec_tf.__file__).resolve().parents[1]
LOOK_S, MOST_ASLEEP_S = 0.002, 0.02  # between two looks at a folder
KINDS = ("time", "operation", "change")
MOST_AT_ONCE = 6  # kills before a command may end
Parts = dict[str, Any]


@dataclass(frozen=True)
class Command:
    """A command, and how to tell what it left.

    Attributes:
        name: of the command in the record.
        words: of ``intentrec``.
        read: what readers of the project find in the folder: a value of each part of the output that is there; raises
            where a part is damaged.
        before: folder that the command starts on; None for an empty one.
        finished: facts that no later start may change or take away, by name.
        codes: exit codes that mean success.
        grows: parts that may be a beginning of what they will be.
        may_go: parts that a kill may take away for a moment, until the next start.
        learn: is told digests (SHA-256) of all that an undisturbed run put in a file's place, by the file's path.
        volatile: turns the name of a file into one that each run has alike.
        configs: folder of built-in configurations; None for the real ones.
    """

    name: str
    words: list[str]
    read: Callable[[Path], Parts]
    before: Path | None = None
    finished: Callable[[Path], dict[str, Any]] = lambda place: {}
    codes: tuple[int, ...] = (0,)
    grows: tuple[str, ...] = ()
    may_go: tuple[str, ...] = ()
    learn: Callable[[dict[str, list[str]]], None] = lambda renamed: None
    volatile: Callable[[str], str] = lambda name: name
    configs: Path | None = None


@dataclass
class Tally:
    """What kills did to a command: how often it was killed and started again, and each problem in words."""

    kills: int = 0
    restarts: int = 0
    corrupt: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)

    @property
    def problems(self) -> list[str]:
        """All of them."""
        return [*self.corrupt, *self.lost, *self.leftovers]

    def record(self) -> dict[str, int]:
        """Numbers, JSON ready."""
        return {name: value if isinstance(value, int) else len(value) for name, value in vars(self).items()}


@dataclass(frozen=True)
class Whole:
    """An undisturbed run: what it left, and how long it took."""

    before: Parts
    after: Parts
    files: set[str]
    seconds: float
    operations: int
    changes: int


class ForkServer:
    """Starts commands in forks of a process with everything imported; see :mod:`tests.pipelines.fork_server`."""

    def __init__(self) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.pipelines.fork_server"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env=environment,
        )
        self._answer()

    def start(self, command: Command, place: Path, output: Path, operation: int | None) -> int:
        """Start a command; its process number."""
        request = {
            "words": command.words,
            "place": str(place),
            "output": str(output),
            "operation": operation,
            "configs": str(command.configs) if command.configs else None,
        }
        self._pipe(self._process.stdin).write(json.dumps(request).encode() + b"\n")
        self._pipe(self._process.stdin).flush()
        return int(self._answer()["pid"])

    def is_done(self) -> bool:
        """Whether the command has ended."""
        return bool(select.select([self._pipe(self._process.stdout)], [], [], 0)[0])

    def status(self) -> int:
        """Wait for its end: the exit code, negative for a signal."""
        return int(self._answer()["status"])

    def close(self) -> None:
        """End the server."""
        self._pipe(self._process.stdin).close()
        self._process.wait(30)

    def _answer(self) -> dict[str, Any]:
        line = self._pipe(self._process.stdout).readline()
        if not line:
            raise RuntimeError("the fork server has ended; see its standard error above")
        answer: dict[str, Any] = json.loads(line)
        return answer

    @staticmethod
    def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
        assert pipe is not None
        return pipe


@contextmanager
def fork_server() -> Iterator[ForkServer]:
    """A server that ends with the block."""
    server = ForkServer()
    try:
        yield server
    finally:
        server.close()


class Killer:
    """Runs a command whole once, then kills it again and again.

    Points are drawn in turn from three kinds: a moment within the time that the whole run took; just before the n-th
    file operation of Python code; and a moment after the n-th name that appears in the folder or goes, which finds the
    operations of C++ code (records, checkpoints, SavedModels) too.

    Args:
        server: starts the processes.
        command: to be killed.
        work: ``work/place`` is the folder that the command works on, ``work/output.txt`` what it prints.
    """

    def __init__(self, server: ForkServer, command: Command, work: Path) -> None:
        self.command, self.tally = command, Tally()
        self.place, self._output = work / "place", work / "output.txt"
        self._server = server
        work.mkdir(parents=True, exist_ok=True)
        self.whole = self._run_whole()

    def kill(self, count: int, rng: random.Random) -> Tally:
        """Kill so many times, a few in one go before the command may end, and check after each kill and each end."""
        wanted = self.tally.kills + count
        while self.tally.kills < wanted:
            self._trial(rng, min(wanted - self.tally.kills, rng.randint(1, MOST_AT_ONCE)))
        return self.tally

    def _run_whole(self) -> Whole:
        self._reset()
        before = self.command.read(self.place)
        start, changes = time.perf_counter(), 0
        self._server.start(self.command, self.place, self._output, None)
        for _ in self._changes():
            changes += 1
        status, seconds = self._server.status(), time.perf_counter() - start
        text = self._output.read_text(encoding="utf-8")
        if status not in self.command.codes:
            raise RuntimeError(f"{self.command.name} fails without any kill ({status}): {text[-2_000:]}")
        operations = json.loads(text.rpartition(OPERATIONS)[2])
        self.command.learn(operations["renamed"])
        return Whole(before, self.command.read(self.place), self._files(), seconds, operations["count"], changes)

    def _reset(self) -> None:
        shutil.rmtree(self.place, ignore_errors=True)
        if self.command.before is None:
            self.place.mkdir()
        else:
            shutil.copytree(self.command.before, self.place)

    def _trial(self, rng: random.Random, kills: int) -> None:
        """A few kills, then a run to the end."""
        self._reset()
        finished: dict[str, Any] = {}
        left, points = kills, []
        while True:
            point = self._point(rng) if left else None
            status = self._run_to(point)
            if points:
                self.tally.restarts += 1
            if status != -signal.SIGKILL:
                break
            left -= 1
            points.append(f"{point[0]} {point[1]:.3f}" if point else "nowhere")
            self.tally.kills += 1
            where = f"{self.command.name}, killed at {', '.join(points)}"
            self._check_parts(where)
            self._check_finished(finished, where)
            finished |= self._finished(where)
        where = f"{self.command.name}, after kills at {', '.join(points) or 'nothing'}"
        text = self._output.read_text(encoding="utf-8")
        if status not in self.command.codes:
            self.tally.corrupt.append(f"{where}: ends with {status}: {text[-600:]}")
            return
        self._check_finished(finished, where)
        found = self._read(where)
        if found is not None and found != self.whole.after:
            self.tally.corrupt.append(f"{where}: {_difference(found, self.whole.after)}")
        files = self._files()
        if more := sorted(files - self.whole.files):
            self.tally.leftovers.append(f"{where}: {', '.join(more[:5])}")
        if less := sorted(self.whole.files - files):
            self.tally.lost.append(f"{where}: {', '.join(less[:5])}")

    def _point(self, rng: random.Random) -> tuple[str, float]:
        kind = rng.choice(KINDS)
        if kind == "operation" and self.whole.operations:
            return kind, rng.randint(1, self.whole.operations)
        if kind == "change" and self.whole.changes:
            return kind, rng.randint(1, self.whole.changes) + rng.random() * 0.99
        return "time", rng.random() * self.whole.seconds

    def _run_to(self, point: tuple[str, float] | None) -> int:
        """Run the command, and kill it at a point; the exit code of what ended first."""
        kind, value = point or ("", 0.0)
        pid = self._server.start(self.command, self.place, self._output, int(value) if kind == "operation" else None)
        if kind == "time":
            self._sleep(value)
            self._kill(pid)
        elif kind == "change":
            for change, _ in enumerate(self._changes(), 1):
                if change == int(value):
                    self._sleep(value % 1 * 0.02)
                    self._kill(pid)
                    break
        return self._server.status()

    def _changes(self) -> Iterator[set[str]]:
        """Names in the folder each time they have changed, until the command ends; most of the time asleep."""
        names, took = _names(self.place), 0.0
        while not self._server.is_done():
            time.sleep(min(max(LOOK_S, 10 * took), MOST_ASLEEP_S))
            start = time.perf_counter()
            now = _names(self.place)
            took = time.perf_counter() - start
            if now != names:
                yield now
            names = now

    def _sleep(self, seconds: float) -> None:
        end = time.perf_counter() + seconds
        while (left := end - time.perf_counter()) > 0 and not self._server.is_done():
            time.sleep(min(left, 0.01))

    def _kill(self, pid: int) -> None:
        if self._server.is_done():
            return
        for kill in (os.killpg, os.kill):  # the group, or the process that has none of its own yet
            try:
                return kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue

    def _read(self, where: str) -> Parts | None:
        try:
            return self.command.read(self.place)
        except Exception as error:
            self.tally.corrupt.append(f"{where}: {type(error).__name__}: {error}")
            return None

    def _check_parts(self, where: str) -> None:
        """Each part is not there, as it was before, or as it will be."""
        parts = self._read(where)
        if parts is None:
            return
        for name, value in parts.items():
            old, new = self.whole.before.get(name), self.whole.after.get(name)
            beginning = name in self.command.grows and value == new[: len(value)]
            if value not in (old, new) and not beginning:
                self.tally.corrupt.append(f"{where}: {name} is {_short(value)}, not {_short(old)} or {_short(new)}")
        both = self.whole.before.keys() & self.whole.after.keys()
        if missing := both - parts.keys() - set(self.command.may_go):
            self.tally.lost.append(f"{where}: {sorted(missing)} was there before and is not")

    def _finished(self, where: str) -> dict[str, Any]:
        try:
            return self.command.finished(self.place)
        except Exception as error:
            self.tally.corrupt.append(f"{where}: {type(error).__name__}: {error}")
            return {}

    def _check_finished(self, finished: dict[str, Any], where: str) -> None:
        """What was finished at an earlier kill is still what it was."""
        now = self._finished(where)
        for name, value in finished.items():
            if now.get(name) != value:
                self.tally.lost.append(f"{where}: {name} was {_short(value)}, is {_short(now.get(name))}")

    def _files(self) -> set[str]:
        names = (str(path.relative_to(self.place)) for path in self.place.rglob("*"))
        return {self.command.volatile(name) for name in names}


def shares(weights: dict[str, int], count: int) -> dict[str, int]:
    """Kills of each command, in proportion to its weight, at least one and ``count`` in all."""
    total = sum(weights.values())
    return {name: max(1, -(-count * weight // total)) for name, weight in weights.items()}


def record(tallies: dict[str, Tally], seed: int) -> dict[str, Any]:
    """What kills did to each command, JSON ready."""
    return {
        "kills": sum(tally.kills for tally in tallies.values()),
        "commands": {name: tally.record() for name, tally in tallies.items()},
        "seed": seed,
        "commit": commit(),
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def write_tallies(tallies: dict[str, Tally], seed: int, path: Path) -> None:
    """Write :func:`record`."""
    atomic_text(path, json.dumps(record(tallies, seed), indent=1) + "\n")


def _names(place: Path) -> set[str]:
    """Of all files and folders; the look may be outrun by what it looks at."""
    return {os.path.join(top, name) for top, folders, files in os.walk(place) for name in (*folders, *files)}


def _difference(found: Parts, wanted: Parts) -> str:
    names = [name for name in sorted(found.keys() | wanted.keys()) if found.get(name) != wanted.get(name)]
    return "; ".join(f"{name} is {_short(found.get(name))}, not {_short(wanted.get(name))}" for name in names)


def _short(value: Any) -> str:
    return str(value)[:120]
