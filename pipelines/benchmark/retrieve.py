"""What a search for candidates costs: exact and FAISS, over the catalogue and over the number of queries."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pipelines.benchmark.vectors import LOOSE, WORDS
from pipelines.benchmark.worker import ask_worker
from pipelines.environment import provenance
from pipelines.progress import track

CATALOGUES = (10_000, 30_000, 100_000, 300_000, 1_000_000)
DIM, NEAREST = 64, 100
QUERIES = (1, 2, 4, 7, 12)
KINDS = {
    "graph": "exact, inside the served model (signature 'retrieve')",
    "graph_plain": "the same written plainly: one product, a full mask, tf.math.top_k",
    "exact": "ExactIndex, NumPy",
    "faiss": "FaissIndex, parameters searched",
}


def benchmark_retrieve(
    catalogues: Sequence[int] = CATALOGUES,
    calls: int = 100,
    threads: int = 1,
    noise: float = LOOSE,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Measure every kind of search over every catalogue: memory in a process of its own, time in turns in one.

    Args:
        catalogues: numbers of items.
        calls: of each kind with each number of queries.
        threads: of a search.  One by default, as the local server gives an operation: with several requests at a time
            that is what each has.
        noise: of the vectors, see :data:`pipelines.benchmark.vectors.WORDS`.
        say: receives a line per catalogue.

    Raises:
        DataError: a process failed, for example for want of memory.
    """
    record: dict[str, Any] = {name: {kind: {} for kind in KINDS} for name in ("p50_ms", "p99_ms", "memory_mb")}
    recall: dict[str, dict[str, float]] = {kind: {} for kind in KINDS}
    worst: dict[str, dict[str, float]] = {kind: {} for kind in KINDS}
    chosen: dict[str, Any] = {}
    tried: dict[str, Any] = {}
    steps = [(items, step) for items in catalogues for step in ("build", *KINDS, "latency")]
    with tempfile.TemporaryDirectory() as temporary:
        for items, step in track(steps, "measuring", len(steps)):
            folder, name = Path(temporary) / str(items), str(items)
            folder.mkdir(exist_ok=True)
            asked: dict[str, Any] = {"folder": str(folder), "queries": list(QUERIES)}
            if step == "build":
                asked = {"task": "build", "items": items, "noise": noise, "threads": threads, "folder": str(folder)}
                found = ask_worker("retrieve_worker", asked)
                tried[name] = found.pop("tried")
                chosen[name] = {**found["parameters"], "seconds": found["seconds"], "peak_mb": found["peak_mb"]}
            elif step in KINDS:
                found = ask_worker("retrieve_worker", {"task": "memory", "kind": step, **asked}, threads)
                record["memory_mb"][step][name] = found["memory_mb"]
            else:
                asked |= {"task": "latency", "kinds": list(KINDS), "calls": calls}
                for kind, found in ask_worker("retrieve_worker", asked, threads).items():
                    for what in ("p50_ms", "p99_ms"):
                        record[what][kind][name] = found[what]
                    recall[kind][name] = found["recall"]
                    worst[kind][name] = found["worst_recall"]
                shutil.rmtree(folder)  # a gigabyte for a million items
                say(_line(items, record, recall))
    return {
        "benchmark": "retrieve",
        "dim": DIM,
        "k": NEAREST,
        "threads": threads,
        "calls": calls,
        "noise": noise,
        "vectors": WORDS,
        "kinds": KINDS,
        **record,
        "recall_at_100": recall,
        "worst_recall_at_100": worst,
        "largest": _headline(str(max(catalogues)), record, recall),
        "ratio_graph_plain_vs_graph": {
            name: round(record["p50_ms"]["graph_plain"][name]["12"] / values["12"], 2)
            for name, values in record["p50_ms"]["graph"].items()
        },
        "faiss_parameters": chosen,
        "faiss_tried": tried,
        **provenance(),
    }


def _line(items: int, record: dict[str, Any], recall: dict[str, dict[str, float]]) -> str:
    name = str(items)
    times = ", ".join(f"{kind} {record['p50_ms'][kind][name]['12']:.1f}" for kind in KINDS)
    return f"{items:,} items, 12 queries, p50 ms: {times} (faiss finds {recall['faiss'][name]:.4f} of the 100)"


def _headline(name: str, record: dict[str, Any], recall: dict[str, dict[str, float]]) -> dict[str, Any]:
    p50 = {kind: record["p50_ms"][kind][name]["12"] for kind in KINDS}
    return {
        "items": int(name),
        "queries": 12,
        "exact_p50_ms": min(p50["graph"], p50["exact"]),
        "ann_p50_ms": p50["faiss"],
        "ann_recall_at_100": recall["faiss"][name],
        "ratio_exact_vs_ann": round(min(p50["graph"], p50["exact"]) / p50["faiss"], 2),
    }
