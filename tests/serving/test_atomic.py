"""The whole of it or nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving import atomic
from serving.atomic import atomic_directory, atomic_files, atomic_text, recover_directory, remove_leftovers


def test_a_directory_appears_at_the_end(tmp_path: Path):
    with atomic_directory(tmp_path / "deep" / "target") as work:
        (work / "sub").mkdir()
        (work / "sub" / "file").write_text("new", encoding="utf-8")
        assert not (tmp_path / "deep" / "target").exists()
    assert (tmp_path / "deep" / "target" / "sub" / "file").read_text(encoding="utf-8") == "new"
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["target"]


def test_an_old_directory_is_replaced_whole(tmp_path: Path):
    for name in ("one", "two"):
        with atomic_directory(tmp_path / "target") as work:
            (work / name).touch()
    assert [path.name for path in (tmp_path / "target").iterdir()] == ["two"]
    assert [path.name for path in tmp_path.iterdir()] == ["target"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_after_an_error_nothing_has_changed(tmp_path: Path, error: type[BaseException]):
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "old").touch()

    def fail() -> None:
        with atomic_directory(tmp_path / "target") as work:
            (work / "new").touch()
            raise error

    with pytest.raises(error):
        fail()
    assert [path.name for path in tmp_path.rglob("*")] == ["target", "old"]


@pytest.fixture
def dead() -> int:
    """The number of a process that is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.fixture
def living() -> Iterator[int]:
    """The number of another process."""
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process.pid
        process.terminate()


def test_leftovers_of_a_killed_process_are_removed_and_of_a_living_one_kept(tmp_path: Path, dead: int, living: int):
    names = {f".target-{dead}-abc.tmp": False, f".target-{living}-abc.tmp": True, ".target-x-abc.tmp": True}
    for name in names:
        (tmp_path / name / "sub").mkdir(parents=True)
    with atomic_directory(tmp_path / "target") as work:
        (work / "file").touch()
    assert {name: (tmp_path / name).exists() for name in names} == names


def test_leftovers_of_files_too(tmp_path: Path, dead: int, living: int):
    """Also where a name holds the signs of a pattern, and where no file is written."""
    names = {f".a[1].json-{dead}-abc.tmp": False, f".a[1].json-{living}-abc.tmp": True, f".b.json-{dead}-a.tmp": True}
    for name in names:
        (tmp_path / name).touch()
    atomic_text(tmp_path / "a[1].json", "{}")
    assert {name: (tmp_path / name).exists() for name in names} == names
    remove_leftovers(tmp_path, "*.json")
    assert sorted(path.name for path in tmp_path.iterdir()) == [f".a[1].json-{living}-abc.tmp", "a[1].json"]


def test_a_killed_process_of_our_own_number_is_not_this_one(tmp_path: Path):
    """In a container each process may be number 1."""
    left = tmp_path / f".target-{os.getpid()}-abc.tmp"
    left.mkdir()
    with atomic_directory(tmp_path / "target") as work:
        assert not left.exists()
        recover_directory(tmp_path / "target")
        (work / "file").touch()  # what this process is writing stays
    assert [path.name for path in tmp_path.iterdir()] == ["target"]


def test_text_is_replaced_and_a_failure_leaves_the_old(tmp_path: Path):
    file = tmp_path / "deep" / "file.json"
    atomic_text(file, "one")
    atomic_text(file, "zwei ü")
    assert file.read_text(encoding="utf-8") == "zwei ü"
    with pytest.raises(UnicodeEncodeError):
        atomic_text(file, "\ud800")
    assert file.read_text(encoding="utf-8") == "zwei ü"
    assert [path.name for path in file.parent.iterdir()] == ["file.json"]


def test_files_of_a_page_are_replaced_together(tmp_path: Path):
    (tmp_path / "thesis.tex").touch()
    for text, names in (("old", ("a.png", "b.png")), ("new", ("a.png",))):
        with atomic_files(tmp_path, "page.md", ("a.png", "b.png")) as work:
            for name in (*names, "page.md"):
                (work / name).write_text(text, encoding="utf-8")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "page.md", "thesis.tex"]
    assert {(tmp_path / name).read_text(encoding="utf-8") for name in ("a.png", "page.md")} == {"new"}

    def fail() -> None:
        with atomic_files(tmp_path, "page.md", ("a.png", "b.png")) as work:
            (work / "a.png").touch()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "page.md", "thesis.tex"]
    assert {(tmp_path / name).read_text(encoding="utf-8") for name in ("a.png", "page.md")} == {"new"}


DIES_AMONG_FILES = """
import os, signal, sys
from pathlib import Path
from serving import atomic
replace, left = os.replace, [int(sys.argv[2])]
def die(source, place):
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    left[0] -= 1
    replace(source, place)
atomic.os.replace = die
with atomic.atomic_files(Path(sys.argv[1]), "page.md", ("a.png", "b.png")) as work:
    for name in ("a.png", "b.png", "page.md"):
        (work / name).write_text("new")
"""


@pytest.mark.parametrize("done", [0, 1, 2])
def test_kill_9_while_files_of_a_page_are_replaced(tmp_path: Path, done: int):
    """No page speaks of what is not beside it."""
    for name in ("a.png", "b.png", "page.md"):
        (tmp_path / name).write_text("old", encoding="utf-8")
    command = [sys.executable, "-c", DIES_AMONG_FILES, str(tmp_path), str(done)]
    assert subprocess.run(command, check=False, timeout=60).returncode == -signal.SIGKILL
    assert not (tmp_path / "page.md").exists()
    with atomic_files(tmp_path, "page.md", ("a.png", "b.png")) as work:
        (work / "page.md").write_text("third", encoding="utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["page.md"]


DIES = """
import os, signal, sys
from pathlib import Path
from serving import atomic
rename, target = os.rename, Path(sys.argv[1])
def die(source, place):
    if str(source).endswith(".tmp"):
        os.kill(os.getpid(), signal.SIGKILL)
    rename(source, place)
atomic.os.rename = die
if sys.argv[2] == "two steps":
    atomic._exchange = lambda one, other: False
else:
    atomic.shutil.rmtree = lambda path, **options: os.kill(os.getpid(), signal.SIGKILL)
with atomic.atomic_directory(target) as work:
    (work / "file").write_text("new")
"""


@pytest.mark.parametrize(("steps", "after"), [("two steps", None), ("one step", "new")])
def test_kill_9_while_a_directory_is_replaced(tmp_path: Path, steps: str, after: str | None):
    """After two renames cut short the old one comes back; one exchange is whole at every moment."""
    target = tmp_path / "target"
    with atomic_directory(target) as work:
        (work / "file").write_text("old", encoding="utf-8")
    if steps == "one step" and not can_exchange(tmp_path):
        pytest.skip("this system or file system cannot exchange two directories in one step")
    done = subprocess.run([sys.executable, "-c", DIES, str(target), steps], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert (target / "file").read_text(encoding="utf-8") == after if after else not target.exists()
    recover_directory(target)
    assert (target / "file").read_text(encoding="utf-8") == (after or "old")
    with atomic_directory(target) as work:
        (work / "file").write_text("third", encoding="utf-8")
    assert (target / "file").read_text(encoding="utf-8") == "third"
    assert [path.name for path in tmp_path.iterdir()] == ["target"]


def can_exchange(folder: Path) -> bool:
    one, other = folder / "one", folder / "other"
    one.mkdir()
    other.mkdir()
    possible = atomic._exchange(one, other)
    one.rmdir()
    other.rmdir()
    return possible


def test_nothing_is_recovered_over_what_is_there_or_from_a_living_process(tmp_path: Path, dead: int, living: int):
    target = tmp_path / "target"
    other = tmp_path / f".target-{living}-abc.old" / "old"
    other.mkdir(parents=True)
    recover_directory(target)
    assert other.is_dir()
    assert not target.exists()
    target.mkdir()
    (tmp_path / f".target-{dead}-abc.old" / "old" / "file").mkdir(parents=True)
    recover_directory(target)
    assert list(target.iterdir()) == []
    assert [path.name for path in tmp_path.glob(".target-*")] == [other.parent.name]


def test_what_is_there_stays_if_it_cannot_be_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "target"
    with atomic_directory(target) as work:
        (work / "a").write_text("old")
    rename = os.rename

    def fail(source: Path, place: Path) -> None:
        if str(source).endswith(".tmp"):
            raise OSError(28, "No space left on device")
        rename(source, place)

    monkeypatch.setattr("serving.atomic._exchange", lambda one, other: False)
    monkeypatch.setattr("serving.atomic.os.rename", fail)
    with pytest.raises(OSError, match="No space left"), atomic_directory(target) as work:
        (work / "a").write_text("new")
    assert (target / "a").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["target"]
