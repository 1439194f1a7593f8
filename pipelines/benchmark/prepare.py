"""Events a second and memory of ``intentrec prepare``."""

from __future__ import annotations

import json
import shutil
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipelines.benchmark.worker import measured_command
from pipelines.environment import provenance


def benchmark_prepare(arguments: list[str], repeats: int = 3, say: Callable[[str], None] = print) -> dict[str, Any]:
    """Run ``intentrec prepare`` several times, each in a process of its own and into a folder that is then deleted.

    Args:
        arguments: of ``intentrec prepare``, without ``--out``.
        repeats: the median counts.
        say: receives a line per run.

    Raises:
        DataError: it failed.
    """
    runs = []
    events = 0
    with tempfile.TemporaryDirectory(prefix="intentrec-benchmark-") as name:
        out = Path(name) / "prepared"
        for _ in range(repeats):
            shutil.rmtree(out, ignore_errors=True)  # or there would be nothing to do the second time
            found = measured_command(["prepare", *arguments, "--out", str(out)])
            manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
            events = manifest["statistics"]["events"]
            runs.append(found)
            say(f"{events:,} events in {found['seconds']:.1f} s, peak {runs[-1]['peak_mb']:,} MB")
    seconds = statistics.median(run["seconds"] for run in runs)
    return {
        "benchmark": "prepare",
        "arguments": [Path(word).name if "/" in word else word for word in arguments],
        "events": events,
        "events_per_second": round(events / seconds),
        "seconds": seconds,
        "peak_mb": max(run["peak_mb"] for run in runs),
        "runs": runs,
        **provenance(),
    }
