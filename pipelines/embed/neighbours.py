"""Are users with near vectors alike?  Recommend what a user's nearest neighbours took."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import sparse

from intentrec_tf.vocabulary import FIRST
from pipelines.embed.taken import taken
from pipelines.prepared import PreparedData

NEIGHBOURS = LENGTH = 50
AT_ONCE = 256


def neighbour_gains(
    prepared: PreparedData,
    users: np.ndarray,
    vectors: dict[str, np.ndarray],
    wanted: list[np.ndarray],
    moment: int,
    span: int,
) -> dict[str, np.ndarray]:
    """NDCG@50 of each user's list, by kind of vector; ``popularity`` counts all users alike.

    A list holds the items that the 50 nearest users by cosine took within ``span`` before the moment, those of nearer
    ones first; without items the user has had where the schema excludes them.

    Args:
        prepared: the data.
        users: ids.
        vectors: [users, dim] by kind.
        wanted: item rows each user takes behind the moment.
        moment: unix seconds.
        span: seconds.

    Returns:
        float [users] by kind; NaN for a user who takes nothing, or nothing the model knows.
    """
    lately = _matrix(prepared, users, moment - span, moment)
    seen = _matrix(prepared, users, -1, moment) if prepared.spec.schema.exclude_seen else None
    popular = np.asarray(lately.sum(axis=0)).ravel()
    gains = {"popularity": _gains(lambda start, stop: np.tile(popular, (stop - start, 1)), seen, wanted)}
    for kind, values in vectors.items():
        unit = (values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)).astype(np.float32)

        def scores(start: int, stop: int, unit: np.ndarray = unit) -> np.ndarray:
            near = unit[start:stop] @ unit.T
            near[np.arange(stop - start), np.arange(start, stop)] = -np.inf  # oneself is no neighbour
            count = min(NEIGHBOURS, len(unit) - 1)
            places = np.argpartition(-near, count - 1, axis=1)[:, :count] if count else np.zeros((stop - start, 0), int)
            # by rank and not by cosine, which may be negative
            order = np.argsort(-np.take_along_axis(near, places, 1), axis=1, kind="stable")
            weights = 1 / np.log2(2 + np.arange(count))
            rows = np.repeat(np.arange(stop - start), count)
            columns = np.take_along_axis(places, order, 1).ravel()
            votes = sparse.csr_matrix((np.tile(weights, stop - start), (rows, columns)), (stop - start, len(unit)))
            return (votes @ lately).toarray()

        gains[kind] = _gains(scores, seen, wanted)
    return gains


def _matrix(prepared: PreparedData, users: np.ndarray, after: int, until: int) -> sparse.csr_matrix:
    """Which items each user took in ``after < time <= until``, 0 or 1, [users, V]."""
    rows = taken(prepared, users, after, until)
    lengths = [len(one) for one in rows]
    columns = np.concatenate(rows) if rows else np.zeros(0, int)
    shape = (len(users), prepared.spec.items.size)
    return sparse.csr_matrix((np.ones(len(columns)), (np.repeat(np.arange(len(users)), lengths), columns)), shape)


def _gains(
    scores_of: Callable[[int, int], np.ndarray], seen: sparse.csr_matrix | None, wanted: list[np.ndarray]
) -> np.ndarray:
    gains = np.full(len(wanted), np.nan)
    discounts = 1 / np.log2(2 + np.arange(LENGTH))
    for start in range(0, len(wanted), AT_ONCE):
        stop = min(start + AT_ONCE, len(wanted))
        scores = scores_of(start, stop)
        scores[:, :FIRST] = 0
        for user in range(start, stop):
            row = scores[user - start]
            right = wanted[user][wanted[user] >= FIRST]
            if seen is not None:
                had = seen.indices[seen.indptr[user] : seen.indptr[user + 1]]
                row[had] = 0
                right = np.setdiff1d(right, had)
            if len(right):
                best = np.argsort(-row, kind="stable")[:LENGTH]
                hits = np.isin(best, right) & (row[best] > 0)
                gains[user] = hits @ discounts[: len(best)] / discounts[: len(right)].sum()
    return gains
