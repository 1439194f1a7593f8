"""One question about one catalogue size, in a process of its own: ``python -m ... retrieve_worker OPTIONS``.

``{"task": "build", "items": 10000, "noise": 1, "folder": "work"}`` makes indexes and chooses FAISS's parameters.  Of
what it leaves in the folder, ``"task": "memory"`` with ``"kind"`` and ``"queries"`` measures the memory, and ``"task":
"latency"`` with ``"kinds"``, ``"queries"`` and ``"calls"`` the time.
"""

from __future__ import annotations

import dataclasses
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.benchmark.memory import peak_mb
from pipelines.benchmark.retrieve import DIM, NEAREST
from pipelines.benchmark.vectors import item_vectors, query_vectors
from serving.candidates import CandidateIndex, ExactIndex, FaissIndex, FaissParameters
from serving.candidates.recall import recall_of

K, MOST_QUERIES = NEAREST, 12
ENOUGH = 0.993  # recall@100 of the queries that choose parameters, so that others reach 0.99
USERS = 40  # with 12 queries each: half of them choose parameters, the others measure recall
GRAPH_UP_TO = 100_000  # beyond, building an HNSW graph takes a quarter of an hour
EXCLUDED = 100  # items a user has seen
VECTORS, TRUTH = "vectors.npy", "truth.npy"
_SETTING = {"ivf": "probes", "hnsw": "ef_search"}
_FIRST = {"ivf": 1, "hnsw": K}


def build(items: int, folder: Path, noise: float, threads: int = 1) -> dict[str, Any]:
    """Vectors, an exact index, a FAISS index with the cheapest parameters found, and the truth, as files.

    Args:
        items: in the catalogue.
        folder: for the files.
        noise: of :func:`item_vectors`.
        threads: of the searches that parameters are chosen by; building takes all there are.

    Returns:
        What was tried, and what was chosen.
    """
    import faiss

    vectors = item_vectors(items, DIM, noise)
    ids = [f"i{number}" for number in range(items)]
    np.save(folder / VECTORS, vectors)
    exact = ExactIndex(DIM)
    exact.upsert(ids, vectors)
    exact.save(folder / "exact", "synthetic")
    users = query_vectors(vectors, USERS, MOST_QUERIES)
    truth = exact.search(users.reshape(-1, DIM), K).item_ids
    np.save(folder / TRUTH, truth.astype(str))
    chosen = slice(0, len(truth) // 2)
    tried: list[dict[str, Any]] = []
    best: tuple[float, FaissIndex] | None = None
    for parameters in _candidates(items):
        faiss.omp_set_num_threads(os.cpu_count() or 1)
        start = time.perf_counter()
        index = FaissIndex(DIM, parameters)
        index.upsert(ids, vectors)
        built = round(time.perf_counter() - start, 1)
        faiss.omp_set_num_threads(threads)
        found = _cheapest(index, users[: USERS // 2], truth[chosen])
        tried += [{**point, "build_seconds": built} for point in found]
        enough = [point for point in found if point["recall"] >= ENOUGH]
        if enough:
            cheapest = min(enough, key=lambda point: point["p50_ms"])
            index.parameters = _with_effort(index.parameters, cheapest[_SETTING[parameters.algorithm]])
            if best is None or cheapest["p50_ms"] < best[0]:
                best = cheapest["p50_ms"], index
    assert best is not None  # looking at every list finds everything
    best[1].save(folder / "faiss", "synthetic")
    return {"tried": tried, "parameters": dataclasses.asdict(best[1].parameters)}


def _candidates(items: int) -> Iterator[FaissParameters]:
    """What is built: lists as many as usual and a quarter of that, and a graph where that does not take too long."""
    usual = FaissParameters().lists_for(items)
    yield FaissParameters(lists=usual)
    yield FaissParameters(lists=max(usual // 4, 1))
    if items <= GRAPH_UP_TO:
        yield FaissParameters(algorithm="hnsw", ef_construction=100)


def _cheapest(index: FaissIndex, users: np.ndarray, truth: np.ndarray) -> list[dict[str, Any]]:
    """Double the effort until recall is enough, then halve the interval three times; every point with its cost."""
    algorithm = index.parameters.algorithm
    name, points = _SETTING[algorithm], []

    def ask(effort: int) -> bool:
        index.parameters = _with_effort(index.parameters, effort)
        times, found = [], []
        for asked in users:
            start = time.perf_counter()
            found.append(index.search(asked, K).item_ids)
            times.append(time.perf_counter() - start)
        recall = recall_of(np.concatenate(found), truth).mean
        lists = {"lists": index.parameters.lists} if algorithm == "ivf" else {"links": index.parameters.links}
        took = round(1e3 * statistics.median(times), 3)
        points.append({"algorithm": algorithm, **lists, name: effort, "recall": round(recall, 4), "p50_ms": took})
        return recall >= ENOUGH

    low, high = 0, _FIRST[algorithm]
    while not ask(high) and high < len(index):
        low, high = high, 2 * high
    for _ in range(3):
        middle = (low + high) // 2
        if middle in (low, high) or middle < _FIRST[algorithm]:
            break
        low, high = (low, middle) if ask(middle) else (middle, high)
    return points


def _with_effort(parameters: FaissParameters, effort: int) -> FaissParameters:
    values = {**dataclasses.asdict(parameters), _SETTING[parameters.algorithm]: effort}
    return FaissParameters(**values)


def memory(kind: str, folder: Path, queries: list[int]) -> dict[str, Any]:
    """Peak memory of one kind of search: with the index loaded and after some calls, by number of queries."""
    before = peak_mb()
    search = _searches(kind, folder)
    users = query_vectors(np.load(folder / VECTORS, mmap_mode="r"), USERS, MOST_QUERIES)
    found = {}
    for count in sorted(queries):  # nothing larger has been asked before
        for asked in users[:3]:
            search(asked[:count])
        found[str(count)] = peak_mb()
    return {"memory_mb": found, "memory_before_mb": before}


def latency(kinds: list[str], folder: Path, queries: list[int], calls: int) -> dict[str, Any]:
    """Milliseconds of every kind of search with every number of queries, and what is found.

    All take turns, so that a noisy moment meets all of them and their ratios hold on a busy machine.

    Returns:
        By kind: ``p50_ms`` and ``p99_ms`` by number of queries, ``recall`` and ``worst_recall`` of the 100.
    """
    searches = {kind: _searches(kind, folder) for kind in kinds}
    users = query_vectors(np.load(folder / VECTORS, mmap_mode="r"), USERS, MOST_QUERIES)
    times: dict[tuple[str, int], list[float]] = {(kind, count): [] for kind in kinds for count in queries}
    for number in range(calls + 1):
        for kind, count in times:
            asked = users[number % USERS, :count]
            searches[kind](asked)  # finds the caches of another kind
            start = time.perf_counter()
            searches[kind](asked)
            if number:  # the first round warms up
                times[kind, count].append(1e3 * (time.perf_counter() - start))
    half, truth = USERS // 2, np.load(folder / TRUTH)
    answer = {}
    for kind, search in searches.items():
        found = np.concatenate([search(asked) for asked in users[half:]])
        recall = recall_of(found, truth[half * MOST_QUERIES :])
        own = {str(count): times[kind, count] for count in queries}
        answer[kind] = {
            "p50_ms": {count: round(statistics.median(values), 3) for count, values in own.items()},
            "p99_ms": {count: round(float(np.quantile(values, 0.99)), 3) for count, values in own.items()},
            "recall": round(recall.mean, 4),
            "worst_recall": round(recall.worst, 4),
        }
    return answer


def _searches(kind: str, folder: Path) -> Callable[[np.ndarray], np.ndarray]:
    """A function from queries [n, dim] to the ids of the best items of each, [n, 100]."""
    if kind in ("exact", "faiss"):
        place = folder / kind
        opened: CandidateIndex = ExactIndex.open(place) if kind == "exact" else FaissIndex.open(place)
        return lambda asked: opened.search(asked, K).item_ids
    return _in_graph(folder, _plain if kind == "graph_plain" else None)


def _in_graph(folder: Path, plain: Callable[..., Any] | None) -> Callable[[np.ndarray], np.ndarray]:
    """The search inside the served model, or the plain one it is compared with; a user has seen some items."""
    import tensorflow as tf

    from intentrec_tf.top_items import nearest_items
    from intentrec_tf.vocabulary import FIRST

    saved = np.load(folder / VECTORS, mmap_mode="r")
    table = tf.Variable(tf.zeros([FIRST + len(saved), DIM]), trainable=False)
    for start in range(0, len(saved), 2**16):
        table[FIRST + start : FIRST + start + 2**16].assign(saved[start : start + 2**16])
    best = plain or nearest_items
    names = np.array(["", "", *(f"i{number}" for number in range(len(saved)))])
    never = tf.fill([1, EXCLUDED], 0)  # of no item, so that the answer stays comparable; the work is the same

    @tf.function(input_signature=[tf.TensorSpec([1, None, DIM])])
    def search(asked: tf.Tensor) -> tf.Tensor:
        return best(asked, table, never, K)[0]

    return lambda asked: names[search(asked[None])[0].numpy()]


def _plain(queries: Any, vectors: Any, excluded: Any, k: int) -> tuple[Any, Any]:
    """What a recommender would write first: one product, a mask as large as the scores, the k largest of all."""
    import tensorflow as tf

    scores = tf.einsum("bkd,vd->bkv", queries, vectors)[0]
    never = tf.pad(tf.repeat(excluded, tf.shape(scores)[0], axis=0), [[0, 0], [1, 0]], constant_values=1)
    users = tf.broadcast_to(tf.range(tf.shape(never)[0])[:, None], tf.shape(never))
    hits = tf.scatter_nd(tf.stack([users, never], axis=-1), tf.ones_like(never), tf.shape(scores))
    best, rows = tf.math.top_k(tf.where(hits > 0, -float("inf"), scores), k)
    return rows[None], best[None]


def main(options: dict[str, Any]) -> dict[str, Any]:
    """The answer to one question, see the module."""
    task = options.pop("task")
    folder = Path(options.pop("folder"))
    if task == "memory":
        return memory(folder=folder, **options)
    if task == "latency":
        return latency(folder=folder, **options)
    start = time.perf_counter()
    found = build(folder=folder, **options)
    return {**found, "seconds": round(time.perf_counter() - start, 1), "peak_mb": peak_mb()}


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
