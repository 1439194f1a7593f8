"""The items with the largest inner products, by comparing all of them, in bounded memory."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Items, queries and scores looked at in one step: 32 MiB of vectors at 64 dimensions and 8 MiB of scores, whatever the
# size of the catalogue.  Smaller blocks lose more to starting threads than they gain from the caches.
_ITEMS = 2**17
_QUERIES = 128
_SCORES = 2**21

# One query's answer: places in the catalogue, best first, and scores, float32 of the same length.
Hits = tuple[NDArray[np.intp], NDArray[np.float32]]


def exact_search(
    vectors: NDArray[np.float32],
    ids: Sequence[Any],
    queries: NDArray[np.float32],
    k: int,
    largest_norm: float,
    alive: NDArray[np.bool_] | None = None,
) -> list[Hits]:
    """Compare every query with every vector, block by block.

    A block's scores are first computed as one matrix product.  How such a product rounds depends on its shape, so
    whatever comes near a place among the best is scored again in double precision, on its own: scores do not depend
    on the other queries of a call, and equal vectors have equal scores.

    Args:
        vectors: ``[n, d]``.
        ids: Of each vector, of any type that can be ordered; where more tie for the last place than there is room,
            those with smaller ids are taken.
        queries: ``[N, d]``.
        k: Hits wanted for each query.
        largest_norm: At least the length of the longest vector.
        alive: Which vectors count, ``[n]``.  Default: all.

    Returns:
        For each query at most ``k`` places and scores, by falling score.
    """
    hits: list[Hits] = []
    for start in range(0, len(queries), _QUERIES):
        hits += _search_some(vectors, ids, queries[start : start + _QUERIES], k, largest_norm, alive)
    return hits


def scores_of(vectors: NDArray[np.float32], query: NDArray[np.float32]) -> NDArray[np.float32]:
    """Inner products of ``vectors`` ``[n, d]`` with one query ``[d]``, each rounded once, to float32."""
    return np.einsum("nd,d->n", vectors.astype(np.float64), query.astype(np.float64)).astype(np.float32)


def _search_some(
    vectors: NDArray[np.float32],
    ids: Sequence[Any],
    queries: NDArray[np.float32],
    k: int,
    largest_norm: float,
    alive: NDArray[np.bool_] | None,
) -> list[Hits]:
    # Rounding moves a float32 product of two vectors by less than this, and a comparison has two of them.
    error = (queries.shape[1] + 2) * np.finfo(np.float32).eps * np.linalg.norm(queries, axis=1) * largest_norm
    best = [_Best(ids, k) for _ in queries]
    step = min(_ITEMS, _SCORES // len(queries))
    for start in range(0, len(vectors), step):
        block = vectors[start : start + step]
        rough = queries @ block.T
        for query, scores, margin, kept in zip(queries, rough, 2 * error, best, strict=True):
            rows = np.flatnonzero(scores >= kept.floor - margin)
            if alive is not None:
                rows = rows[alive[start + rows]]
            if len(rows) > k:
                near = scores[rows]
                rows = rows[near >= np.partition(near, len(near) - k)[len(near) - k] - margin]
            if len(rows):
                kept.add(start + rows, scores_of(block[rows], query))
    return [kept.sorted() for kept in best]


class _Best:
    """The best ``k`` places so far; of those with the same score the ones with the smaller id."""

    def __init__(self, ids: Sequence[Any], k: int) -> None:
        self.floor = np.float32(-np.inf)  # the score that a further one must reach
        self._ids, self._k = ids, k
        self._places = np.zeros(0, np.intp)
        self._scores = np.zeros(0, np.float32)

    def add(self, places: NDArray[np.intp], scores: NDArray[np.float32]) -> None:
        self._places = np.concatenate([self._places, places])
        self._scores = np.concatenate([self._scores, scores])
        surplus = len(self._places) - self._k
        if surplus >= 0:
            self.floor = np.partition(self._scores, surplus)[surplus]
        if surplus > 0:
            above = np.flatnonzero(self._scores > self.floor)
            tied = np.flatnonzero(self._scores == self.floor)
            room = self._k - len(above)
            if len(tied) > room:
                tied = np.array(heapq.nsmallest(room, tied, key=self._id_at), np.intp)
            kept = np.concatenate([above, tied])
            self._places, self._scores = self._places[kept], self._scores[kept]

    def _id_at(self, row: np.intp) -> Any:
        return self._ids[int(self._places[row])]

    def sorted(self) -> Hits:
        order = np.argsort(-self._scores, kind="stable")
        return self._places[order], self._scores[order]
