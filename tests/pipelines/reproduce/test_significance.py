"""The paired test: certain where it should be, doubtful where it should be, and honest about users."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from pipelines.reproduce import significance as module
from pipelines.reproduce.significance import ROUNDS, paired_p_value

SMALLEST = 1 / (ROUNDS + 1)


def everyone(count: int) -> np.ndarray:
    return np.arange(count)


def test_the_same_system_is_no_better():
    gains = np.random.default_rng(0).random(100)
    assert paired_p_value(gains, gains, everyone(100)) == 1.0


def test_a_clearly_better_one():
    rng = np.random.default_rng(0)
    worse = rng.random(300)
    assert paired_p_value(worse + 0.1 + 0.2 * rng.random(300), worse, everyone(300)) == SMALLEST


def test_symmetric_and_repeatable():
    rng = np.random.default_rng(1)
    first, second, users = rng.random(80), rng.random(80), rng.integers(0, 20, 80)
    value = paired_p_value(first, second, users)
    assert 0.001 < value < 1
    assert paired_p_value(second, first, users) == value
    assert paired_p_value(first, second, users, seed=1) == pytest.approx(value, abs=0.03)


def test_by_hand():
    """Sums of three users: 2, 1, 1; of the 8 sign patterns those that reach 4 in size are +++ and ---."""
    first, users = np.array([1.0, 1, 1, 1]), np.array([0, 0, 1, 2])
    assert paired_p_value(first, np.zeros(4), users) == pytest.approx(2 / 8, abs=0.02)


def test_many_targets_of_one_user_are_one_piece_of_evidence():
    few = paired_p_value(np.ones(6), np.zeros(6), everyone(6))
    many = paired_p_value(np.ones(600), np.zeros(600), np.repeat(everyone(6), 100))
    assert many == few == pytest.approx(2 / 64, abs=0.01)
    assert paired_p_value(np.ones(500), np.zeros(500), np.zeros(500, int)) == 1.0
    assert paired_p_value(np.ones(500), np.zeros(500), everyone(500)) == SMALLEST


def test_one_target_proves_nothing():
    assert paired_p_value(np.ones(1), np.zeros(1), np.zeros(1, int)) == 1.0


def test_targets_without_a_label_are_left_out():
    rng = np.random.default_rng(2)
    first, second, users = rng.random(60), rng.random(60), np.repeat(everyone(20), 3)
    gone = rng.random(60) < 0.3
    left = paired_p_value(first[~gone], second[~gone], users[~gone])
    for side in (0, 1):
        pair = [first.copy(), second.copy()]
        pair[side][gone] = np.nan
        assert paired_p_value(*pair, users) == left
    assert left != paired_p_value(first, second, users)
    assert math.isnan(paired_p_value(np.full(3, np.nan), np.ones(3), everyone(3)))
    assert math.isnan(paired_p_value(np.zeros(0), np.zeros(0), np.zeros(0, int)))


def test_about_uniform_where_nothing_differs(monkeypatch: pytest.MonkeyPatch):
    """Targets of a user share their luck, as they do in a log; treating them as independent fails this test."""
    monkeypatch.setattr(module, "ROUNDS", 1_000)
    rng, users = np.random.default_rng(3), np.repeat(everyone(40), 5)
    values = []
    for _ in range(300):
        luck = rng.normal(size=40)[users]
        values.append(paired_p_value(luck + rng.normal(size=200), np.zeros(200), users))
    assert stats.kstest(values, "uniform").pvalue > 0.01
    assert 0.02 < np.mean(np.array(values) < 0.05) < 0.09
    alone = [paired_p_value(rng.normal(size=40)[users], np.zeros(200), everyone(200)) for _ in range(100)]
    assert np.mean(np.array(alone) < 0.05) > 0.15  # what the grouping protects from
