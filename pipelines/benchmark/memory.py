"""Megabytes."""

from __future__ import annotations

import resource
import sys
from pathlib import Path


def peak_mb() -> int:
    """Most memory this process has held so far, MB (Linux counts what its parent held into ``ru_maxrss``)."""
    status = Path("/proc/self/status")
    if status.is_file():
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) // 1024
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used // (2**20 if sys.platform == "darwin" else 2**10)
