"""Head and tail by the popularity in training alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from pipelines.look.log import Log
from pipelines.look.tail import CURVE_POINTS, gini, tail_of


def events(counts: dict[str, int], part: int) -> list[tuple[str, str, int, int]]:
    return [("u", item, 0, part) for item, n in counts.items() for _ in range(n)]


TRAINING = {"a": 2, "hit": 12, "b": 2, "c": 2, "d": 2}
TEST = {"hit": 1, "c": 5, "new": 2, "later": 2}


def test_head_tail_and_never_met(log_of: Callable[..., Log]) -> None:
    found = tail_of(log_of([*events(TRAINING, 0), *events(TEST, 2)], [*TRAINING, "new", "later"]))
    assert (found["items_in_training"], found["head_items"]) == (5, 1)
    assert found["head_share_of_events"] == pytest.approx(12 / 20)
    targets = found["targets"]
    assert targets["count"] == 10
    assert [targets[name] for name in ("head", "tail", "never_in_training")] == [0.1, 0.5, 0.4]
    assert targets["outside_head"] == pytest.approx(0.9)


@pytest.mark.parametrize(("items", "head"), [(1, 1), (5, 1), (6, 2), (10, 2), (11, 3)])
def test_the_head_is_a_fifth_rounded_up(log_of: Callable[..., Log], items: int, head: int) -> None:
    assert tail_of(log_of(events({f"i{n}": 1 for n in range(items)}, 0)))["head_items"] == head


def test_the_catalogue_counts_items_nobody_met(log_of: Callable[..., Log]) -> None:
    found = tail_of(log_of(events(TRAINING, 0), [*TRAINING, *"vwxyz"]))
    assert found["items_never_in_training"] == 5
    assert found["share_never_in_training"] == 0.5
    assert found["head_share_of_catalogue"] == 0.1
    assert found["gini_of_catalogue"] > found["gini"] > 0


def test_popularity_in_validation_and_test_moves_nothing(log_of: Callable[..., Log]) -> None:
    alone = tail_of(log_of(events(TRAINING, 0), list(TRAINING)))
    more = tail_of(log_of([*events(TRAINING, 0), *events({"d": 90}, 1), *events({"a": 90}, 2)], list(TRAINING)))
    for name in ("head_share_of_events", "gini", "ranks", "events_per_item"):
        assert alone[name] == more[name]
    assert (more["targets"]["head"], more["targets"]["count"]) == (0, 90)
    assert (alone["targets"]["head"], alone["curve"]["test"]) == (None, None)


def test_the_curve_starts_at_nothing_and_reaches_what_was_met(log_of: Callable[..., Log]) -> None:
    curve = tail_of(log_of([*events(TRAINING, 0), *events(TEST, 2)]))["curve"]
    assert len(curve["items"]) == len(curve["training"]) == len(curve["test"]) == CURVE_POINTS
    assert curve["training"][0] == curve["test"][0] == 0
    assert curve["training"][-1] == pytest.approx(1)
    assert curve["test"][-1] == pytest.approx(0.6)  # the rest was never met in training
    assert np.all(np.diff(curve["training"]) >= 0)
    assert curve["training"][20] == pytest.approx(12 / 20)  # one of five items


def test_ranks_fall_from_the_most_popular_to_the_rarest(log_of: Callable[..., Log]) -> None:
    ranks = tail_of(log_of(events({f"i{n}": n for n in range(1, 301)}, 0)))["ranks"]
    assert (ranks["rank"][0], ranks["rank"][-1]) == (1, 300)
    assert (ranks["events"][0], ranks["events"][-1]) == (300, 1)
    assert [301 - rank for rank in ranks["rank"]] == ranks["events"]


def test_gini_of_known_shapes() -> None:
    assert gini(np.array([7])) == 0
    assert gini(np.full(9, 3)) == pytest.approx(0)
    assert gini(np.zeros(4)) == 0
    assert gini(np.r_[np.zeros(999), 5]) == pytest.approx(0.999)
    assert gini(np.array([1, 3])) == pytest.approx(0.25)
    assert gini(np.array([3, 1])) == gini(np.array([10, 30]))
