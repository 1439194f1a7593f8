"""Commands survive ``kill -9`` at any moment: nothing corrupt, nothing finished lost, nothing left behind.

``make test-slow`` kills 200 times over all commands, in about half an hour on two cores; ``INTENTREC_KILLS`` is another
number, ``INTENTREC_KILLS_SEED`` another seed, and ``INTENTREC_KILLS_JSON`` a file for the record.
"""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipelines.config import RunConfig
from pipelines.prepare import PrepareConfig
from tests.pipelines.fork_server import OPERATIONS
from tests.pipelines.kill_commands import Commands
from tests.pipelines.kills import Command, ForkServer, Killer, Tally, fork_server, record, shares, write_tallies

TURNS = 3  # what is cut short has killed every command
FEW = {"prepare tables": 3, "prepare check-ins again": 4, "look": 2}


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    """Everything imported."""
    with fork_server() as started:
        yield started


@pytest.fixture
def commands(
    server: ForkServer,
    tmp_path: Path,
    make_shop: Callable[..., PrepareConfig],
    make_config: Callable[..., RunConfig],
) -> Commands:
    """All commands, on tiny data."""
    return Commands(server, tmp_path, make_shop, make_config())


@pytest.mark.parametrize("name", FEW)
def test_a_few_kills(name: str, server: ForkServer, commands: Commands) -> None:
    killer = Killer(server, commands.all[name](), commands.work / name)
    tally = killer.kill(FEW[name], random.Random(name))
    assert tally.problems == []
    assert tally.kills == FEW[name]
    assert tally.restarts >= tally.kills


@pytest.mark.slow  # half an hour
def test_many_kills(server: ForkServer, commands: Commands) -> None:
    count, seed = int(os.environ.get("INTENTREC_KILLS", "200")), int(os.environ.get("INTENTREC_KILLS_SEED", "0"))
    file = os.environ.get("INTENTREC_KILLS_JSON")
    wanted, tallies = shares(commands.weights, count), dict[str, Tally]()
    killers: dict[str, Killer] = {}
    for turn in range(TURNS):
        for name, share in wanted.items():
            if name not in killers:
                killers[name] = Killer(server, commands.all[name](), commands.work / name)
            more = share * (turn + 1) // TURNS - share * turn // TURNS
            tallies[name] = killers[name].kill(more, random.Random(f"{seed} {turn} {name}"))
            print(turn + 1, name, tallies[name].record(), *tallies[name].problems, sep="\n  ", flush=True)
            if file:
                write_tallies(tallies, seed, Path(file))
    assert [problem for tally in tallies.values() for problem in tally.problems] == []
    assert record(tallies, seed)["kills"] >= count


class Steps:
    """In place of a fork server: each start does the next step, the first of which is the whole run."""

    def __init__(self, *steps: Callable[[Path], int]) -> None:
        self._steps = list(steps)
        self._last = 0

    def start(self, command: Command, place: Path, output: Path, operation: int | None) -> int:
        self._last = self._steps.pop(0)(place)
        output.write_text(f'{OPERATIONS}{{"count": 3, "renamed": {{}}}}', encoding="utf-8")
        return 0

    def is_done(self) -> bool:
        return True

    def status(self) -> int:
        return self._last


def whole(place: Path) -> int:
    (place / "out").write_text("new", encoding="utf-8")
    return 0


def killed(**files: str) -> Callable[[Path], int]:
    """A step that leaves files and is killed."""

    def step(place: Path) -> int:
        for name, text in files.items():
            (place / name).write_text(text, encoding="utf-8")
        return -signal.SIGKILL

    return step


def losing(place: Path) -> int:
    (place / "done").write_text("again", encoding="utf-8")
    return whole(place)


@pytest.mark.parametrize(
    ("steps", "found"),
    [
        ([whole, killed(), whole], []),
        ([whole, killed(out="new"), whole], []),
        ([whole, killed(out="ne"), whole], ["corrupt"]),  # visible, half
        ([whole, killed(), lambda place: 2], ["corrupt"]),  # the same command does not go on
        ([whole, killed(), lambda place: 0], ["corrupt", "lost"]),  # it does, and makes nothing
        ([whole, killed(left="x"), whole], ["leftovers"]),
        ([losing, killed(done="first"), losing], ["lost"]),  # what was finished is made again
        ([losing, killed(done="first"), killed(done="second"), losing], ["lost"]),
    ],
)
def test_the_harness_sees_what_is_wrong(
    steps: list[Callable[[Path], int]], found: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(place: Path) -> dict[str, Any]:
        return {"out": (place / "out").read_text(encoding="utf-8")} if (place / "out").exists() else {}

    def finished(place: Path) -> dict[str, Any]:
        return {"done": (place / "done").read_text(encoding="utf-8")} if (place / "done").exists() else {}

    server: Any = Steps(*steps)
    monkeypatch.setattr("random.Random.randint", lambda rng, low, high: high)
    tally = Killer(server, Command("command", [], read, finished=finished), tmp_path).kill(
        len(steps) - 2, random.Random()
    )
    assert tally.kills == len(steps) - 2
    assert [name for name in ("corrupt", "lost", "leftovers") if getattr(tally, name)] == found


def test_shares_add_up() -> None:
    assert shares({"a": 1, "b": 2}, 9) == {"a": 3, "b": 6}
    assert shares({"a": 1, "b": 2}, 1) == {"a": 1, "b": 1}
