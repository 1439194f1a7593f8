"""Jobs in processes of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pipelines.reproduce.side_by_side import run_side_by_side
from pipelines.validate import DataError

Say = Callable[[str], None]
DEADLINE = 60.0


def meet(mine: Path, other: Path, say: Say) -> tuple[int, list[int]]:
    """Its process and cores, once another one has come."""
    say("here")
    mine.touch()
    end = time.monotonic() + DEADLINE
    while not other.exists() and time.monotonic() < end:
        time.sleep(0.02)
    return os.getpid(), sorted(os.sched_getaffinity(0)) if other.exists() else []


def fail(say: Say) -> None:
    raise DataError("log.csv: row 3 is no event.")


def die(say: Say) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def leave_a_mark(path: Path, say: Say) -> None:
    (path / "writing").write_text(str(os.getpid()))
    (path / "writing").rename(path / "started")
    time.sleep(DEADLINE)
    (path / "finished").touch()


def test_two_at_a_time_on_their_own_cores(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    found: dict[int, Any] = {}
    one, other = tmp_path / "one", tmp_path / "other"
    jobs = [("first", partial(meet, one, other)), ("second", partial(meet, other, one))]
    run_side_by_side(jobs, 2, found.__setitem__)
    (first, cores), (second, others) = found[0], found[1]
    assert len({first, second, os.getpid()}) == 3
    assert cores
    assert others
    if len(os.sched_getaffinity(0)) > 1:
        assert not set(cores) & set(others)
        assert set(cores) | set(others) == os.sched_getaffinity(0)
    assert sorted(capfd.readouterr().out.splitlines()) == ["first: here", "second: here"]


def test_more_jobs_than_places(tmp_path: Path) -> None:
    found: list[int] = []
    here = tmp_path / "here"
    run_side_by_side([(str(i), partial(meet, here, here)) for i in range(3)], 2, lambda place, _: found.append(place))
    assert sorted(found) == [0, 1, 2]


@pytest.mark.parametrize(
    ("job", "sentence"), [(fail, "log.csv: row 3 is no event."), (die, "bad: its process ended by itself; free memory")]
)
def test_one_that_fails_ends_the_others(job: Callable[[Say], None], sentence: str, tmp_path: Path) -> None:
    start = time.monotonic()
    with pytest.raises(DataError, match=sentence):
        run_side_by_side([("long", partial(leave_a_mark, tmp_path)), ("bad", job)], 2, lambda place, result: None)
    assert time.monotonic() - start < DEADLINE
    assert not (tmp_path / "finished").exists()


def test_a_killed_parent_leaves_nobody_behind(tmp_path: Path) -> None:
    code = (
        "import sys; from functools import partial; from pathlib import Path\n"
        "from pipelines.reproduce.side_by_side import run_side_by_side\n"
        "from tests.pipelines.reproduce.test_side_by_side import leave_a_mark\n"
        "if __name__ == '__main__':\n"
        "    run_side_by_side([('long', partial(leave_a_mark, Path(sys.argv[1])))], 2, print)\n"
    )
    root = Path(__file__).resolve().parents[3]
    parent = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=root)
    end = time.monotonic() + DEADLINE
    while not (tmp_path / "started").exists() and time.monotonic() < end:
        time.sleep(0.05)
    child = int((tmp_path / "started").read_text())
    assert _runs(child)
    parent.kill()
    parent.wait()
    while _runs(child) and time.monotonic() < end:
        time.sleep(0.05)
    assert not _runs(child)


def _runs(pid: int) -> bool:
    """Whether a process is there that is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
