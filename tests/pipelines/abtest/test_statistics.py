"""The test statistics against scipy and against known answers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from pipelines.abtest.statistics import compare, holm, interleaving

NAN = float("nan")


@pytest.mark.parametrize("paired", [False, True])
def test_p_values_and_intervals_are_scipys(paired: bool) -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(1, 1, 50), rng.normal(1.4, 2, 50)
    expected = stats.ttest_rel(second, first) if paired else stats.ttest_ind(second, first, equal_var=False)
    found = compare(first, second, paired)
    assert found["p"] == pytest.approx(expected.pvalue)
    assert found["interval"] == pytest.approx(tuple(expected.confidence_interval()))
    assert found["relative"] == pytest.approx(found["difference"] / first.mean())


def test_the_detectable_difference_is_found_in_80_percent() -> None:
    rng = np.random.default_rng(1)
    aim = compare(rng.normal(0, 1, 100_000), rng.normal(0, 1, 100_000))["detectable"] * np.sqrt(1_000)
    found = [compare(rng.normal(0, 1, 100), rng.normal(aim, 1, 100))["p"] < 0.05 for _ in range(500)]
    assert 0.73 < np.mean(found) < 0.87
    needed = compare(rng.normal(1, 1, 10_000), rng.normal(1, 1, 10_000))["users_for_1_percent"]
    assert needed == pytest.approx(2 * (1.96 + 0.8416) ** 2 / 0.01**2, rel=0.15)


def test_values_that_are_missing_or_never_vary() -> None:
    found = compare(np.array([NAN, 1.0]), np.array([2.0, NAN]))
    assert (found["a"], found["b"], found["p"], found["users"]) == (1, 2, None, [1, 1])
    assert compare(np.ones(3), np.ones(4))["p"] == 1
    assert compare(np.ones(3), np.zeros(4))["p"] == 0
    assert compare(np.array([NAN]), np.array([NAN]))["a"] is None
    pairs = compare(np.array([1.0, NAN, 3.0, 2.0]), np.array([2.0, 5.0, NAN, 2.5]), paired=True)
    assert pairs["users"] == [2, 2]
    assert pairs["difference"] == 0.75


def test_holm_by_hand() -> None:
    assert holm([0.01, None, 0.04, 0.03]) == [pytest.approx(0.03), None, pytest.approx(0.06), pytest.approx(0.06)]
    assert holm([0.9, 0.8]) == [1.0, 1.0]


def test_preferences_are_of_users_and_not_of_clicks() -> None:
    found = interleaving(np.array([[0, 1]] * 9 + [[50, 0]] + [[2, 2]]))
    assert found["clicks"] == [52, 11]
    assert found["users"] == [1, 9]
    assert found["share"] == 0.9
    assert found["p"] == pytest.approx(stats.binomtest(9, 10).pvalue)
    assert interleaving(np.zeros((3, 2), int))["share"] is None
