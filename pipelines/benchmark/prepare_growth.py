"""How preparation grows with the log: simulated logs of rising length, on each engine."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pipelines.benchmark.prepare import benchmark_prepare
from pipelines.benchmark.synthetic_log import write_log
from pipelines.environment import provenance

ENGINES: dict[str, list[str]] = {"pandas": [], "spark": ["--engine", "spark", "--spark", "spark.master=local[2]"]}


def benchmark_prepare_growth(
    sizes: Sequence[int], engines: Sequence[str], say: Callable[[str], None] = print, work: Path | None = None
) -> dict[str, Any]:
    """Prepare a log of each size once on each engine, each time in a process of its own.

    Args:
        sizes: events of the logs, rising.
        engines: of :data:`ENGINES`.
        say: receives a line per run.
        work: where logs and prepared data lie for a while (default: the system's temporary folder).
    """
    curves: dict[str, list[dict[str, Any]]] = {engine: [] for engine in engines}
    with tempfile.TemporaryDirectory(prefix="intentrec-logs-", dir=work) as name:
        for events in sizes:
            folder = Path(name) / str(events)
            arguments = write_log(folder, events)
            for engine in engines:
                found = benchmark_prepare([*arguments, *ENGINES[engine]], 1, _prefixed(engine, say))
                kept = ("events", "seconds", "events_per_second", "peak_mb")
                curves[engine].append({key: found[key] for key in kept})
            shutil.rmtree(folder)
    return {"benchmark": "prepare growth", "curves": curves, **provenance()}


def _prefixed(word: str, say: Callable[[str], None]) -> Callable[[str], None]:
    return lambda line: say(f"{word}: {line}")
