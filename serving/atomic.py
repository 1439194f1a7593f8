"""Write a directory or a file so that others see the whole of it or nothing."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from glob import escape
from pathlib import Path
from typing import Any

_EXCHANGE = 2  # RENAME_EXCHANGE of renameat2(2)
_HERE = -100  # AT_FDCWD
_TEMPORARY = ".tmp"
_IN_USE: set[Path] = set()  # what this process is writing
_CHANGING = threading.Lock()
_UNSUPPORTED = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP)


@contextmanager
def atomic_directory(target: Path) -> Iterator[Path]:
    """A temporary directory beside ``target`` that becomes ``target`` when the block ends without an error.

    Everything is flushed to disk before the rename.  An existing ``target`` is replaced, and stays if that fails: in
    one step where the system can exchange two directories (Linux, on most file systems), else in two, between which
    a killed process leaves none; :func:`recover_directory` then brings the old one back.  After an error, nothing of
    the temporary directory stays; what a killed process left of its own is removed by the next one.
    """
    target = Path(os.path.abspath(target))
    target.parent.mkdir(parents=True, exist_ok=True)
    recover_directory(target)
    with _temporary(target, tempfile.mkdtemp) as work:
        yield work
        for path in sorted(work.rglob("*"), reverse=True):
            _flush(path)
        work.chmod(0o755)
        _flush(work)
        if not target.exists():
            os.rename(work, target)
        elif _exchange(work, target):
            shutil.rmtree(work, ignore_errors=True)
        else:
            _replace(work, target)
        _flush(target.parent)


def recover_directory(target: Path) -> None:
    """Tidy up after processes that were killed while they wrote ``target``; else do nothing.

    ``target`` is brought back if one was killed while it replaced it in two steps; their temporary directories go.
    """
    target = Path(os.path.abspath(target))
    for place in sorted(target.parent.glob(f".{escape(target.name)}-*-*.old")):
        if _is_in_use(place):
            continue
        if (place / "old").exists() and not target.exists():
            os.rename(place / "old", target)
        shutil.rmtree(place, ignore_errors=True)
    remove_leftovers(target.parent, escape(target.name))


def remove_leftovers(folder: Path, names: str) -> None:
    """Remove what killed processes left of files and directories that were to appear in ``folder``.

    Args:
        folder: where; need not exist.
        names: glob pattern of their names.
    """
    with _CHANGING:
        for path in folder.glob(f".{names}-*-*{_TEMPORARY}"):
            if not _is_in_use(path):
                _remove(path)


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """A temporary file beside ``path`` that becomes ``path`` when the block ends without an error, else goes.

    What a killed process left of its own is removed by the next one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(path.parent, escape(path.name))
    with _temporary(path, _empty_file) as work:
        yield work
        _flush(work)
        os.chmod(work, 0o644)
        os.replace(work, path)


@contextmanager
def atomic_files(folder: Path, page: str, others: Iterable[str]) -> Iterator[Path]:
    """A temporary directory whose files go into ``folder`` when the block ends without an error, else go.

    The old page goes first and the new one comes last, so that what a page speaks of is always what is beside it.
    Files of other names stay.

    Args:
        folder: where; need not exist.
        page: name of the file that speaks of the others.
        others: names of the others; those that the block does not write go.
    """
    folder = Path(os.path.abspath(folder))
    folder.mkdir(parents=True, exist_ok=True)
    remove_leftovers(folder, escape(page))
    with _temporary(folder / page, tempfile.mkdtemp) as work:
        yield work
        for path in work.iterdir():
            _flush(path)
        (folder / page).unlink(missing_ok=True)
        for name in others:
            if (work / name).exists():
                os.replace(work / name, folder / name)
            else:
                (folder / name).unlink(missing_ok=True)
        os.replace(work / page, folder / page)
        shutil.rmtree(work, ignore_errors=True)
        _flush(folder)


def atomic_text(path: Path, text: str) -> None:
    """Write ``text`` (UTF-8) to ``path`` by way of a temporary file and a rename."""
    with atomic_file(path) as work, work.open("w", encoding="utf-8") as file:
        file.write(text)


@contextmanager
def _temporary(target: Path, make: Callable[..., str], suffix: str = _TEMPORARY) -> Iterator[Path]:
    """Something beside ``target`` that no other process takes for a leftover; it goes if the block fails."""
    with _CHANGING:
        prefix = f".{target.name}-{os.getpid()}-"
        work = Path(os.path.abspath(make(prefix=prefix, suffix=suffix, dir=target.parent)))
        _IN_USE.add(work)
    try:
        yield work
    except BaseException:
        _remove(work)
        raise
    finally:
        _IN_USE.discard(work)


def _empty_file(**words: Any) -> str:
    handle, name = tempfile.mkstemp(**words)
    os.close(handle)
    return name


def _is_in_use(path: Path) -> bool:
    """Whether the process whose number is in the name of something temporary is there (a foreign name: it is).

    In a container each process may have the number of the killed one, so this process knows its own by name.
    """
    owner = path.name.rpartition("-")[0].rpartition("-")[2]
    if owner == str(os.getpid()):
        return Path(os.path.abspath(path)) in _IN_USE
    return not owner.isdecimal() or _is_alive(int(owner))


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _exchange(one: Path, other: Path) -> bool:
    """Exchange two directories in one step; False where the system or the file system cannot."""
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None) if sys.platform == "linux" else None
    if call is None:
        return False
    if call(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in _UNSUPPORTED:
        return False
    raise OSError(code, os.strerror(code), str(other))


def _replace(work: Path, target: Path) -> None:
    """Put ``work`` in the place of ``target`` by two renames."""
    with _temporary(target, tempfile.mkdtemp, ".old") as old:
        os.rename(target, old / "old")
        try:
            os.rename(work, target)
        except BaseException:
            os.rename(old / "old", target)
            raise
        shutil.rmtree(old, ignore_errors=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
