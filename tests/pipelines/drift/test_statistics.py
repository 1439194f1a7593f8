"""PSI, KS and what chance gives: worked by hand, and by drawing samples."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pipelines.drift.statistics import ks, ks_by_chance, psi, psi_by_chance, rise_by_chance


def test_psi_by_hand() -> None:
    # shares .5/.5 and .25/.75 (half a count in a million does not show): -.25 ln .5 + .25 ln 1.5
    found = psi(np.array([500_000, 500_000]), np.array([250_000, 750_000]))
    assert found == pytest.approx(0.25 * math.log(2) + 0.25 * math.log(1.5), abs=1e-5)
    assert psi(np.array([3, 5]), np.array([3, 5])) == 0.0


def test_an_empty_bin_counts_as_a_thousandth() -> None:
    found = psi(np.array([10**9, 0]), np.array([98 * 10**7, 2 * 10**7]))
    assert found == pytest.approx((0.02 - 0.001) * math.log(20) + (0.98 - 1.0) * math.log(0.98), abs=1e-6)


def test_ks_by_hand() -> None:
    # after 2: two thirds of the first lie below, none of the second
    assert ks(np.array([1.0, 2.0, 3.0]), np.array([3.0, 4.0])) == pytest.approx(2 / 3)
    assert ks(np.array([1.0, 1.0, 2.0]), np.array([2.0, 1.0, 1.0])) == 0.0
    assert ks(np.array([1.0]), np.array([2.0])) == 1.0


def test_chance_exceeds_its_level_once_in_a_hundred() -> None:
    random = np.random.default_rng(0)
    shares, rounds, sizes = np.full(10, 0.1), 4_000, (2_000, 500)
    counts = [random.multinomial(size, shares, rounds) for size in sizes]
    beyond = np.mean([psi(p, q) > psi_by_chance(10, *sizes) for p, q in zip(*counts, strict=True)])
    assert 0.005 < beyond < 0.02
    draws = [random.normal(size=(1_000, size)) for size in (300, 100)]
    beyond = np.mean([ks(p, q) > ks_by_chance(300, 100) for p, q in zip(*draws, strict=True)])
    assert 0.003 < beyond < 0.02
    hits = [random.binomial(size, 0.1, rounds) / size for size in sizes]
    level = rise_by_chance((200, 2_000), (50, 500))
    assert 0.005 < np.mean(hits[1] - hits[0] > level) < 0.02


def test_one_bin_or_one_value() -> None:
    assert psi_by_chance(1, 5, 5) == 0.0
    assert ks_by_chance(1, 1) == 1.0
    assert rise_by_chance((0, 1), (0, 1)) == 0.0
