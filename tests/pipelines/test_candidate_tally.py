"""Counting what candidate lists are worth, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pipelines.candidate_tally import CandidateTally, tail_items

TAIL = np.array([False, False, False, True, True, True, True])  # items 2 (head) to 6


def test_the_tail_is_what_the_popular_fifth_leaves() -> None:
    counts = np.array([0, 0, 5, 1, 9, 0, 2], float)
    np.testing.assert_array_equal(np.flatnonzero(tail_items(counts)), [2, 3, 5, 6])
    assert not tail_items(np.zeros(2)).any()


def _lists(rows: np.ndarray, counts: tuple[int, ...] = (1, 2), **more: np.ndarray) -> dict[int, dict[str, Any]]:
    """Lists of so many candidates, each the beginning of the longest."""
    columns = {"rows": rows, "source": np.zeros_like(rows), **more}
    return {count: {name: column[:, :count] for name, column in columns.items()} for count in counts}


def _answer(lists: dict[int, dict[str, Any]], **more: Any) -> dict[str, Any]:
    """Two interests everywhere, the first of which wins."""
    size = len(next(iter(lists.values()))["rows"])
    usual = {"mass": np.ones((size, 2)), "slot": np.zeros(size, int), "distance": np.full(size, np.nan)}
    return {"lists": lists, **usual, **more}


def _tally(scores: bool = True, labels: np.ndarray | None = None) -> CandidateTally:
    """Three targets: 2 first in its list, 5 second, 4 not found."""
    tally = CandidateTally([1, 2], TAIL, labels, 2)
    rows, source = np.array([[2, 3], [6, 5], [3, 0]]), np.array([[0, 1], [2, 0], [0, -1]])
    ranking = {"scores": np.array([[0.2, 0.7], [0.4, 0.4], [1.0, 0.0]])} if scores else {}
    answer = _answer(
        _lists(rows, source=source, **ranking),
        mass=np.array([[1.0, 2.0], [1.0, 0.0], [0.0, 0.0]]),
        slot=np.array([0, 1, 0]),
        distance=np.array([0.5, np.nan, np.nan]),
    )
    if scores:
        answer["full"] = np.array([1, 3, 40])
    tally.add(np.array([2, 5, 4]), np.array([3, 60, 20]), answer)
    return tally


def test_by_hand() -> None:
    found = _tally().result()
    assert found["targets"] == 3
    assert list(found["targets_in"].values()) == [3, 2, 1, 1, 1]
    one, two = found["candidates"]["1"], found["candidates"]["2"]
    assert list(one["recall"].values()) == pytest.approx([1 / 3, 0, 1, 0, 0])
    assert list(two["recall"].values()) == pytest.approx([2 / 3, 1 / 2, 1, 0, 1])
    assert one["coverage"] == pytest.approx(3 / 5)  # items 2, 3 and 6
    assert two["coverage"] == pytest.approx(4 / 5)
    # alone in its list 2 is ranked first; beside 3, which scores higher, second; 5 ties with 6 and comes second
    assert one["ndcg@10"] == pytest.approx(1 / 3)
    assert two["ndcg@10"] == pytest.approx(2 / np.log2(3) / 3)
    assert found["full_ndcg@10"] == pytest.approx((1 + 1 / 2) / 3)
    assert one["explicit_share"] == pytest.approx(1 / 3)
    assert two["explicit_share"] == pytest.approx(1 / 5)
    assert found["interests"]["per_user"] == 1
    entropy = -(2 / 3 * np.log(2 / 3) + 1 / 3 * np.log(1 / 3))
    assert found["interests"]["effective_number"] == pytest.approx(np.exp(entropy))
    assert found["interests"]["never_used"] == 0
    assert found["interests"]["distance"] == 0.5  # of the only user with two


def test_each_length_is_a_list_of_its_own() -> None:
    """By budgets of their own a short list need not be the beginning of a long one."""
    tally = CandidateTally([1, 2], TAIL, None, 2)
    short, long = _lists(np.array([[5], [4]]), (1,)), _lists(np.array([[2, 3], [3, 4]]), (2,))
    tally.add(np.array([5, 4]), np.array([3, 3]), _answer(short | long, event=np.array([0, 1])))
    found = tally.result()["candidates"]
    assert found["1"]["recall"]["all"] == 1
    assert found["2"]["recall"]["all"] == 0.5
    places, _ = tally.places()
    assert places[1].tolist() == [1, 1]
    assert places[2].tolist() == [0, 2]


def test_the_lists_of_both_sides_are_compared() -> None:
    tally = _tally()
    assert "overlap" not in tally.result()["candidates"]["2"]
    rows, topics = np.array([[2, 3], [6, 5], [3, 4]]), np.array([[3, 2], [4, 0], [0, 0]])
    lists = _lists(rows)
    for count, one in lists.items():
        one["sides"] = [rows[:, :count], topics[:, :count]]
    tally = CandidateTally([1, 2], TAIL, None, 2)
    tally.add(np.array([2, 5, 4]), np.array([3, 60, 20]), _answer(lists))
    found = tally.result()["candidates"]
    assert found["1"]["overlap"] == 0
    assert found["2"]["overlap"] == pytest.approx((1 + 0) / 2)  # the third has no topics


def test_places_are_in_the_order_of_the_log() -> None:
    tally = CandidateTally([1, 2], TAIL, None, 2)
    lists = _lists(np.array([[2, 3], [6, 5], [3, 0]]))
    tally.add(np.array([2, 5, 4]), np.array([3, 60, 20]), _answer(lists, event=np.array([7, 3, 5])))
    places, tail = tally.places()
    assert places[1].tolist() == [0, 0, 1]
    assert places[2].tolist() == [2, 0, 1]
    assert tail.tolist() == [True, True, False]


def test_without_a_ranking_model() -> None:
    found = _tally(scores=False).result()
    assert "full_ndcg@10" not in found
    assert "ndcg@10" not in found["candidates"]["2"]


def test_rankers_beside_the_model() -> None:
    """The same lists by another one's scores: 2 first, 5 before 6."""
    tally = CandidateTally([2], TAIL, None, 2)
    lists = _lists(np.array([[2, 3], [6, 5]]), (2,))
    lists[2]["rankers"] = {"good": np.array([[0.9, 0.1], [0.1, 0.9]]), "bad": np.array([[0.1, 0.9], [0.9, 0.1]])}
    tally.add(np.array([2, 5]), np.array([3, 3]), _answer(lists))
    found = tally.result()["candidates"]["2"]
    assert found["rankers"] == {"good": pytest.approx(1), "bad": pytest.approx(1 / np.log2(3))}
    assert "ndcg@10" not in found


def test_categories() -> None:
    """Lists of two: (1 and 2) ln 2; (2, and 1 and 2) one of three; (2 alone) 0."""
    labels = np.array([[0, 0], [0, 0], [1, 0], [2, 0], [1, 0], [1, 2], [2, 0]])
    found = _tally(labels=labels).result()["candidates"]
    third = -(2 / 3 * np.log(2 / 3) + 1 / 3 * np.log(1 / 3))
    assert found["2"]["category_entropy"] == pytest.approx((np.log(2) + third + 0) / 3)
    assert found["1"]["category_entropy"] == 0
    # of the lists of two: 1 beside 2: at right angles; 2 beside 1 and 2: half a right angle; a single item: none
    assert found["2"]["diversity"] == pytest.approx((1 + (1 - np.sqrt(0.5))) / 2)
    assert found["1"]["diversity"] is None


def test_nothing_at_all_is_no_nan() -> None:
    found = CandidateTally([5], TAIL, None, 2).result()
    assert found["targets"] == 0
    assert found["candidates"]["5"] == {
        "recall": dict.fromkeys(found["targets_in"], 0.0),
        "coverage": 0.0,
        "explicit_share": 0.0,
    }
    assert found["interests"]["effective_number"] == 0


def test_targets_that_are_no_items_are_never_found() -> None:
    tally = CandidateTally([2], TAIL, None, 1)
    lists = _lists(np.array([[0, 1]]), (2,), source=np.array([[-1, -1]]))
    tally.add(np.array([0]), np.array([1]), _answer(lists, mass=np.ones((1, 1))))
    assert tally.result()["candidates"]["2"]["recall"]["all"] == 0
