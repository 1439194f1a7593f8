"""How much of the truth an approximate index finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.candidates.candidate_index import CandidateIndex
from serving.candidates.errors import CandidateInputError


@dataclass(frozen=True)
class Recall:
    """Share of the true nearest items that an index returned.

    Attributes:
        mean: Over all queries, 0 to 1.
        worst: Of the query for which it was smallest.
    """

    mean: float
    worst: float


def recall_against(index: CandidateIndex, exact: CandidateIndex, queries: Any, k: int) -> Recall:
    """Search both indexes and compare.

    Items are compared by id: where items tie for the last place, another choice than the exact one counts as a miss.

    Args:
        index: The one in question.
        exact: An `ExactIndex` with the same content.
        queries: Finite numbers ``[N, dimension]``, N > 0.
        k: Items for each query.

    Raises:
        CandidateInputError: there are no queries, the indexes differ in size, or they are empty.
    """
    if len(index) != len(exact) or not len(exact):
        raise CandidateInputError(
            f"The indexes hold {len(index)} and {len(exact)} items, so fill both with the same, at least one."
        )
    truth, found = exact.search(queries, k).item_ids, index.search(queries, k).item_ids
    if not len(truth):
        raise CandidateInputError("There are no queries, so pass at least one.")
    return recall_of(found, truth)


def recall_of(found: NDArray[Any], truth: NDArray[Any]) -> Recall:
    """Compare what two searches for the same queries found.

    Args:
        found: Item ids in question ``[N, k]``; ``""`` where there was no more.
        truth: The right ones ``[N, k]``, at least one for each query; N > 0.
    """
    shares = [
        len(set(names) & set(others) - {""}) / np.count_nonzero(others != "")
        for names, others in zip(found, truth, strict=True)
    ]
    return Recall(float(np.mean(shares)), float(min(shares)))
