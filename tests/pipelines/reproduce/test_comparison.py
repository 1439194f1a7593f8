"""Rows side by side, against numbers worked out by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pipelines.reproduce.comparison import ITEM, Column, Difference, Row, compare, of_same_seeds

Make = Callable[..., dict[str, Any]]
THIRD = 1 / math.log2(3)  # NDCG of rank 2


def test_relative_gain_by_hand(make_record: Make):
    base = Row([make_record("V1", [1, 2, 30, 30], [2, 2])])
    system = Row([make_record("V2", [1, 1, 2, 30], [2, 2])])
    assert base.mean(Column(ITEM)) == pytest.approx((1 + THIRD) / 4)
    found = compare(system, base, Column(ITEM))
    assert found is not None
    assert found.relative == pytest.approx(100 * ((2 + THIRD) / (1 + THIRD) - 1))
    # Both users gain: of the four sign patterns ++ and -- are as extreme.
    assert found.p_value == pytest.approx(0.5, abs=0.02)
    back = compare(base, system, Column(ITEM))
    assert back is not None
    assert back.relative == pytest.approx(100 * ((1 + THIRD) / (2 + THIRD) - 1))
    assert back.p_value == found.p_value


def test_users_are_the_unit(make_record: Make):
    alone = [Row([make_record(name, [rank] * 40)]) for name, rank in (("V2", 1), ("V1", 3))]
    one = [Row([make_record(name, [rank] * 40, [40])]) for name, rank in (("V2", 1), ("V1", 3))]
    certain, unsure = compare(*alone, Column(ITEM)), compare(*one, Column(ITEM))
    assert certain is not None
    assert unsure is not None
    assert certain.p_value < 0.001
    assert unsure.p_value == 1.0
    assert certain.relative == unsure.relative == pytest.approx(100)


def test_means_and_deviations_over_seeds(make_record: Make):
    row = Row([make_record("V2", ranks, seed=seed) for seed, ranks in ((4, [1, 30]), (1, [1, 1]), (2, [1, 3]))])
    assert [record["seed"] for record in row.records] == [1, 2, 4]
    assert row.mean(Column("HR@1")) == pytest.approx((0.5 + 1 + 0.5) / 3)
    assert row.deviation(Column("HR@1")) == pytest.approx(np.std([0.5, 1, 0.5], ddof=1))
    gains = row.gains(Column(ITEM))
    assert gains is not None
    assert gains.tolist() == [1, pytest.approx((0 + 1 + 0.5) / 3)]
    assert Row(row.records[:1]).deviation(Column("HR@1")) is None


def test_seeds_of_two_rows_need_not_be_the_same(make_record: Make):
    two = Row([make_record("V2", [1, 1], seed=seed) for seed in (0, 1)])
    one = Row([make_record("V1", [1, 3])])
    found = compare(two, one, Column(ITEM))
    assert found is not None
    assert found.relative == pytest.approx(100 / 3)


def test_seeds_that_only_one_system_was_run_with_count_for_nothing(make_record: Make):
    """Else the luck of a seed would look like the worth of a system."""
    base = Row([make_record("V0", [1, 1, 3]), make_record("V0", [30, 30, 30], seed=1)])
    system = Row([make_record("V3", [1, 1, 3])])
    found = compare(system, base, Column(ITEM))
    assert found == Difference(0, 1)
    assert [len(row.records) for row in of_same_seeds(system, base)] == [1, 1]
    other = Row([make_record("V3", [1, 1, 3], seed=7)])
    assert of_same_seeds(other, base) == (other, base)


def test_accuracy_leaves_targets_without_a_label_out(make_record: Make):
    column = Column("genre", intent=True)
    row = Row([make_record("V1", [1, 1, 1], hits={"genre": [1, -1, 0]})])
    assert row.mean(column) == 0.5
    gains = row.gains(column)
    assert gains is not None
    np.testing.assert_array_equal(gains, [1, np.nan, 0])


def test_a_system_without_the_intent_has_no_number(make_record: Make):
    column = Column("genre", intent=True)
    flat = Row([make_record("V1", [1, 1], hits={"genre": [1, 0]})])
    plain = Row([make_record("V0", [1, 1])])
    unlabelled = Row([make_record("V2", [1, 1], hits={"genre": [-1, -1]}, intents={"genre": {"count": 0}})])
    for row in (plain, unlabelled):
        assert row.mean(column) is None
        assert row.deviation(column) is None
        assert row.gains(column) is None
        assert compare(row, flat, column) is None
        assert compare(flat, row, column) is None
    assert compare(flat, flat, Column(ITEM)) is None


def test_a_base_without_any_hit(make_record: Make):
    nothing, some = Row([make_record("V0", [30] * 9)]), Row([make_record("V1", [1] * 9)])
    better, same = (
        compare(some, nothing, Column(ITEM)),
        compare(Row([make_record("V2", [30] * 9)]), nothing, Column(ITEM)),
    )
    assert better is not None
    assert same is not None
    assert better.relative == math.inf
    assert better.p_value < 0.01
    assert (same.relative, same.p_value) == (0, 1)


def test_one_target_only(make_record: Make):
    found = compare(Row([make_record("V1", [1])]), Row([make_record("V0", [3])]), Column(ITEM))
    assert found is not None
    assert (found.relative, found.p_value) == (pytest.approx(100), 1.0)


def test_seeds_of_different_configurations_are_no_row(make_record: Make):
    """A mean over them would be the result of neither; a key that came later is no difference."""
    first, second = make_record("V2", [1, 2]), make_record("V2", [1, 2], seed=1)
    del first["config"]["model"]["gated"]
    assert len(Row([first, second]).records) == 2
    for record in (first, second):
        record["config"]["model"]["dim"] += 1
        with pytest.raises(ValueError, match=r"V2: its seeds differ in more than the seed \(model\.dim\); run it with"):
            Row([first, second])
        record["config"]["model"]["dim"] -= 1
    for record in (first, second):
        record["config"]["model"]["abolished"] = 1
    assert len(Row([first, second]).records) == 2


@pytest.mark.parametrize("changes", [{"fingerprint": "e" * 64}, {"system": "V1"}, {"targets": 5}])
def test_runs_of_different_data_are_no_row(make_record: Make, changes: dict[str, Any]):
    with pytest.raises(ValueError, match="runs are of different data"):
        Row([make_record("V2", [1, 2]), make_record("V2", [1, 2], seed=1) | changes])
