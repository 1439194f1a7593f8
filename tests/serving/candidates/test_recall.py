"""Recall of one index against another."""

from __future__ import annotations

import numpy as np
import pytest

from serving.candidates import CandidateInputError, ExactIndex, Recall, recall_against


def _index(vectors: dict[str, list[float]]) -> ExactIndex:
    index = ExactIndex(2)
    index.upsert(vectors, list(vectors.values()))
    return index


TRUTH = {"a": [4, 0], "b": [3, 1], "c": [2, 2], "d": [1, 3]}
SWAPPED = {"a": [2, 2], "b": [3, 1], "c": [4, 0], "d": [1, 3]}


def test_an_index_finds_all_of_itself() -> None:
    assert recall_against(_index(TRUTH), _index(TRUTH), [[1, 0], [0, 1]], 3) == Recall(1.0, 1.0)


def test_the_share_found_on_average_and_at_worst() -> None:
    # By x: a, b, c, d against c, b, a, d.  By y: d, c, b, a against d, a, b, c.
    assert recall_against(_index(SWAPPED), _index(TRUTH), [[1, 0], [0, 1]], 1) == Recall(0.5, 0.0)
    assert recall_against(_index(SWAPPED), _index(TRUTH), [[1, 0], [0, 1]], 2) == Recall(0.5, 0.5)
    recall = recall_against(_index(SWAPPED), _index(TRUTH), [[1, 0], [0, 1]], 3)
    assert (recall.mean, recall.worst) == pytest.approx((5 / 6, 2 / 3))


def test_places_beyond_the_catalogue_do_not_count() -> None:
    others = {f"other {name}": vector for name, vector in TRUTH.items()}
    assert recall_against(_index(SWAPPED), _index(TRUTH), [[1, 0]], 50) == Recall(1.0, 1.0)
    assert recall_against(_index(others), _index(TRUTH), [[1, 0]], 50) == Recall(0.0, 0.0)


def test_what_cannot_be_compared_is_refused() -> None:
    for index, exact, queries, words in (
        (_index(TRUTH), _index({"a": [1, 1]}), [[1, 0]], "hold 4 and 1 items"),
        (ExactIndex(2), ExactIndex(2), [[1, 0]], "hold 0 and 0 items"),
        (_index(TRUTH), _index(TRUTH), np.zeros((0, 2)), "no queries"),
    ):
        with pytest.raises(CandidateInputError, match=words):
            recall_against(index, exact, queries, 3)
