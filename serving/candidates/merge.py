"""One list of candidates from several sources: how many each may give, and how their lists are woven together.

A source is a query vector: an interest found in the history (implicit) or a topic the user follows (explicit).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.candidates.errors import CandidateInputError, shown

# Remainders closer than this are tied: what rounding left of two equal shares must not decide.
_TIE_DIGITS = 6


@dataclass(frozen=True, eq=False)
class Merged:
    """Candidates of all sources, each item once, in the order in which they were taken; M <= ``total``.

    Attributes:
        item_ids: Text in an object array ``[M]``.
        sources: The source each came from, int64 ``[M]``.
        scores: Its score there, float32 ``[M]``; scores of different sources need not compare.
    """

    item_ids: NDArray[Any]
    sources: NDArray[np.int64]
    scores: NDArray[np.float32]


def without_excluded(
    item_ids: NDArray[Any], scores: NDArray[np.float32], exclude: Collection[str], most: int
) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """Of each source the first ``most`` items that may come, as the model itself would have found them.

    Args:
        item_ids: Text in an object array ``[S, R]``, best first in each row; ``""`` where a source had no more.
        scores: Numbers ``[S, R]``.
        exclude: Ids that must not come; a search for ``most + len(exclude)`` items finds enough.
        most: Columns of the result.

    Returns:
        Ids ``[S, most]`` and float32 scores ``[S, most]``; ``""`` and 0 where a source has no more.
    """
    ids: NDArray[Any] = np.full((len(item_ids), most), "", object)
    values = np.zeros((len(item_ids), most), np.float32)
    for row, found in enumerate(item_ids):
        places = [place for place, name in enumerate(found) if name and name not in exclude][:most]
        ids[row, : len(places)], values[row, : len(places)] = found[places], scores[row, places]
    return ids, values


def merge_by_score(item_ids: Any, scores: Any, total: int) -> Merged:
    """One list of several sources whose scores compare: best first, each item once, of the source that scores it
    highest.

    Args:
        item_ids: Text ``[S, R]``; ``""`` where a source had no more.
        scores: Numbers ``[S, R]``; of equal ones the earlier source's comes first.
        total: Candidates wanted, from 0 on.

    Raises:
        CandidateInputError: shapes make no sense.
    """
    ids, values = np.asarray(item_ids, dtype=object), np.asarray(scores, dtype=np.float32)
    if ids.ndim != 2 or values.shape != ids.shape:
        raise CandidateInputError(
            f"item_ids and scores have the shapes {list(ids.shape)} and {list(values.shape)}, so pass [S, R] twice."
        )
    wanted = _count(total, "total")
    names = ids.ravel()
    order = np.argsort(-values.ravel(), kind="stable")
    first: dict[str, int] = {}
    for place in order[names[order] != ""]:
        first.setdefault(names[place], int(place))
    chosen = np.array(list(first.values())[:wanted], np.int64)
    return Merged(names[chosen], chosen // max(ids.shape[1], 1), values.ravel()[chosen])


def deal(values: NDArray[Any], hands: int, blank: Any) -> NDArray[Any]:
    """Deal a list ``[N]`` out to so many lists in turn, ``[hands, ceil(N / hands)]``, with ``blank`` at the end."""
    dealt = np.full(-(-len(values) // hands) * hands, blank, values.dtype)
    dealt[: len(values)] = values
    return dealt.reshape(-1, hands).T


def merge_candidates(
    item_ids: Any,
    scores: Any,
    budgets: Sequence[int] | NDArray[Any],
    total: int,
) -> Merged:
    """Take candidates in turn from all sources, each up to its budget, then beyond it until there are enough.

    In the order of (rank, source) every item is kept where it first comes; empty ids are dropped, and ranks are
    counted again within each source.  The result is what lies within the budgets in the order of (new
    rank, source), then what lies beyond in the same order, cut at ``total``.

    Args:
        item_ids: Text ``[S, R]``, best first in each row; ``""`` where a source had no more.
        scores: Numbers ``[S, R]``.
        budgets: Whole numbers from 0 on ``[S]``.
        total: Candidates wanted, from 0 on.

    Raises:
        CandidateInputError: shapes or values make no sense.
    """
    ids, values, limits = np.asarray(item_ids, dtype=object), np.asarray(scores, dtype=np.float32), np.asarray(budgets)
    if ids.ndim != 2 or values.shape != ids.shape or limits.shape != ids.shape[:1]:
        raise CandidateInputError(
            f"item_ids, scores and budgets have the shapes {list(ids.shape)}, {list(values.shape)} and "
            f"{list(limits.shape)}, so pass [S, R], [S, R] and [S]."
        )
    if limits.size and (limits.dtype.kind not in "iu" or limits.min() < 0):
        raise CandidateInputError(f"budgets are {shown(limits.tolist())}, so pass whole numbers from 0 on.")
    wanted = _count(total, "total")
    unwanted = {""}
    ranks = [0] * len(ids)
    kept: list[tuple[bool, int, int, int]] = []  # beyond the budget, new rank, source, old rank
    for rank in range(ids.shape[1]):
        for source in range(len(ids)):
            name = ids[source, rank]
            if name not in unwanted:
                unwanted.add(name)
                kept.append((bool(ranks[source] >= limits[source]), ranks[source], source, rank))
                ranks[source] += 1
    chosen = sorted(kept)[:wanted]
    sources = np.array([source for _, _, source, _ in chosen], np.int64)
    places = np.array([rank for *_, rank in chosen], np.int64)
    return Merged(ids[sources, places], sources, values[sources, places])


def split_budget(total: int, mass: Any, slots: Any, topics: int, explicit_share: float) -> NDArray[np.int64]:
    """Share ``total`` candidates among K interests and ``topics`` topics.

    Topics share ``explicit_share * total`` equally: nothing if there are none, everything if no slot is valid.
    Valid slots share the rest in proportion to their mass, equally if all masses are 0.  Shares are rounded by
    largest remainder, ties to the earlier source.

    Args:
        total: Candidates to share out, from 0 on.
        mass: Numbers from 0 on ``[K]``; those of invalid slots are ignored.
        slots: Whether each interest exists, bool ``[K]``.
        topics: Number of topics, from 0 on.
        explicit_share: From 0 to 1.

    Returns:
        int64 ``[K + topics]``, interests first; the sum is ``total``, or 0 if there is no source.

    Raises:
        CandidateInputError: shapes or values make no sense.
    """
    wanted, count = _count(total, "total"), _count(topics, "topics")
    valid = np.asarray(slots)
    weights = np.asarray(mass, dtype=np.float64)
    if valid.ndim != 1 or weights.shape != valid.shape or (valid.size and valid.dtype != np.bool_):
        raise CandidateInputError(
            f"mass and slots have the shapes {list(weights.shape)} and {list(valid.shape)} and slots the dtype "
            f"{valid.dtype}, so pass [K] numbers and [K] booleans."
        )
    valid = valid.astype(bool)
    weights = np.where(valid, weights, 0.0)
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise CandidateInputError(f"mass of the valid slots is {shown(weights.tolist())}, so pass numbers from 0 on.")
    if not 0 <= explicit_share <= 1:
        raise CandidateInputError(f"explicit_share is {shown(explicit_share)}, so pass a number from 0 to 1.")
    if not valid.any() and not count:
        return np.zeros(len(valid), np.int64)
    explicit = 0.0 if not count else 1.0 if not valid.any() else float(explicit_share)
    if not weights.any():
        weights = valid.astype(np.float64)
    implicit = weights / (weights.sum() or 1.0) * (wanted * (1 - explicit))
    shares = np.r_[implicit, np.full(count, wanted * explicit / max(count, 1))]
    budgets = np.floor(shares)
    order = np.argsort(-np.round(shares - budgets, _TIE_DIGITS), kind="stable")
    budgets[order[: wanted - int(budgets.sum())]] += 1
    return budgets.astype(np.int64)


def _count(value: Any, name: str) -> int:
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < 0:
        raise CandidateInputError(f"{name} is {shown(value)}, so pass a whole number from 0 on.")
    return int(value)
