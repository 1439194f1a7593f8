"""Write a directory or a file so that others see the whole of it or nothing."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_EXCHANGE = 2  # RENAME_EXCHANGE of renameat2(2)
_HERE = -100  # AT_FDCWD
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
    _remove_leftovers(target)
    work = Path(tempfile.mkdtemp(prefix=f".{target.name}-{os.getpid()}-", suffix=".tmp", dir=target.parent))
    try:
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
    except BaseException:
        shutil.rmtree(work, ignore_errors=True)
        raise


def recover_directory(target: Path) -> None:
    """Bring ``target`` back if a process was killed while it replaced it in two steps; else do nothing."""
    target = Path(os.path.abspath(target))
    for place in sorted(target.parent.glob(f".{target.name}-*-*.old")):
        if _is_owner_alive(place, target):
            continue
        if (place / "old").exists() and not target.exists():
            os.rename(place / "old", target)
        shutil.rmtree(place, ignore_errors=True)


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """A temporary file beside ``path`` that becomes ``path`` when the block ends without an error, else goes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    os.close(handle)
    try:
        yield Path(name)
        _flush(Path(name))
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def atomic_text(path: Path, text: str) -> None:
    """Write ``text`` (UTF-8) to ``path`` by way of a temporary file and a rename."""
    with atomic_file(path) as work, work.open("w", encoding="utf-8") as file:
        file.write(text)


def _remove_leftovers(target: Path) -> None:
    """Remove temporary directories of ``target`` whose process (the number in their name) is no more."""
    for path in target.parent.glob(f".{target.name}-*-*.tmp"):
        if not _is_owner_alive(path, target):
            shutil.rmtree(path, ignore_errors=True)


def _is_owner_alive(path: Path, target: Path) -> bool:
    """Whether the process whose number is in the name of a temporary directory is there (a foreign name: it is)."""
    owner = path.name.removeprefix(f".{target.name}-").partition("-")[0]
    return not owner.isdigit() or _is_alive(int(owner))


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
    old = Path(tempfile.mkdtemp(prefix=f".{target.name}-{os.getpid()}-", suffix=".old", dir=target.parent))
    os.rename(target, old / "old")
    try:
        os.rename(work, target)
    except BaseException:
        os.rename(old / "old", target)
        raise
    finally:
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
