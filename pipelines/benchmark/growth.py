"""How time and memory of a step grow with the history, the catalogue and the width."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pipelines.benchmark.worker import ask_worker
from pipelines.environment import provenance
from pipelines.progress import track

LENGTHS = (50, 100, 200, 500, 1_000)
CATALOGUES = (3_706, 10_000, 30_000, 100_000, 300_000, 1_000_000)
FULL_SOFTMAX_UP_TO = 30_000
DIMS = (32, 64, 128, 256)
NEGATIVES = 1_024
BASE = {"items": 3_706, "length": 256, "dim": 64, "negatives": None}


def benchmark_growth(say: Callable[[str], None] = print, largest: int = CATALOGUES[-1]) -> dict[str, Any]:
    """Measure every point in a process of its own: SASRec, 4,096 positions a step.

    Args:
        say: receives a line per point.
        largest: catalogue to go up to.
    """
    catalogues = [items for items in CATALOGUES if items <= largest]
    questions: list[tuple[str, dict[str, Any]]] = [("length", {**BASE, "length": n}) for n in LENGTHS]
    questions += [("items", {**BASE, "items": n}) for n in catalogues if n <= FULL_SOFTMAX_UP_TO]
    questions += [("items_sampled", {**BASE, "items": n, "negatives": NEGATIVES}) for n in catalogues]
    questions += [("dim", {**BASE, "dim": n}) for n in DIMS]
    curves: dict[str, list[dict[str, Any]]] = {}
    for curve, options in track(questions, "measuring", len(questions)):
        found = measure(options)
        value = options[curve.partition("_")[0]]
        curves.setdefault(curve, []).append({curve.partition("_")[0]: value, **found})
        say(f"{curve.replace('_', ', ')} {value:,}: {found['step_ms']} ms a step, peak {found['peak_mb']:,} MB")
    sampled = curves["items_sampled"]
    return {
        "benchmark": "growth",
        "positions_a_step": 4_096,
        "negatives": NEGATIVES,
        "curves": curves,
        "ratio_largest_vs_smallest_catalogue": round(sampled[-1]["step_ms"] / sampled[0]["step_ms"], 2),
        **provenance(),
    }


def measure(options: dict[str, Any]) -> dict[str, Any]:
    """Ask :mod:`pipelines.benchmark.growth_worker`.

    Raises:
        DataError: it failed, for example for want of memory.
    """
    return ask_worker("growth_worker", options)
