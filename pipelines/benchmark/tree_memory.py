"""Memory of a process and all it started."""

from __future__ import annotations

import contextlib
import threading
from pathlib import Path

PROC = Path("/proc")
EVERY = 0.25  # seconds


class TreeMemory:
    """Watch the memory of a process, its children and theirs while a block runs; pages they share count once.

    Args:
        process: its number.

    Attributes:
        peak_mb: the most seen so far, MB; 0 where the system has no ``/proc``.
    """

    def __init__(self, process: int) -> None:
        self.process, self.peak_mb = process, 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> TreeMemory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(EVERY):
            self.peak_mb = max(self.peak_mb, sum(map(kilobytes, tree(self.process))) // 1024)


def tree(process: int) -> list[int]:
    """Numbers of a process and all its descendants."""
    found = [process]
    for one in found:
        with contextlib.suppress(OSError):
            for thread in (PROC / str(one) / "task").iterdir():
                with contextlib.suppress(OSError):
                    found += map(int, (thread / "children").read_text().split())
    return found


def kilobytes(process: int) -> int:
    """Memory of one process, a page that n processes share as 1/n; 0 once it has ended."""
    with contextlib.suppress(OSError, IndexError):
        text = (PROC / str(process) / "smaps_rollup").read_text()
        return int(text.partition("\nPss:")[2].split()[0])
    return 0
