"""Events a second and memory of ``intentrec prepare``."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipelines.benchmark.tree_memory import TreeMemory
from pipelines.environment import provenance
from pipelines.validate import DataError

# Runs one command and says on standard error, last of all, how much memory it took at most.
MEASURED = "import sys; from pipelines.main import main; code = main(sys.argv[1:]); \
from pipelines.benchmark.memory import peak_mb; print(peak_mb(), file=sys.stderr); sys.exit(code)"


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
            start = time.perf_counter()
            command = [sys.executable, "-c", MEASURED, "prepare", *arguments, "--out", str(out)]
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            with TreeMemory(process.pid) as memory:
                said_last = process.communicate()[1]
            seconds = time.perf_counter() - start
            lines = said_last.strip().splitlines()
            if process.returncode:
                said = [line.removeprefix("intentrec: ") for line in lines if line.startswith("intentrec: ")]
                if not said:
                    raise DataError("these are no arguments of 'intentrec prepare'; see intentrec prepare --help.")
                raise DataError(said[-1])
            manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
            events = manifest["statistics"]["events"]
            runs.append({"seconds": round(seconds, 2), "peak_mb": max(int(lines[-1]), memory.peak_mb)})
            say(f"{events:,} events in {seconds:.1f} s, peak {runs[-1]['peak_mb']:,} MB")
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
