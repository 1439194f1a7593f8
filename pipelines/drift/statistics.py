"""Distances between two samples, and how large chance alone makes them."""

from __future__ import annotations

import math

import numpy as np

HALF, FLOOR = 0.5, 0.001
_Z, _KS = 2.326, 1.628  # what chance exceeds once in 100: of a normal and of Kolmogorov's distribution


def psi(training: np.ndarray, new: np.ndarray) -> float:
    """Population stability index of two lists of counts: ``sum (q - p) ln(q / p)``, in nats.

    A share below .001 counts as .001, so that a bin that is empty on one side does not decide alone; a small sample has
    half a count more in every bin.

    Args:
        training, new: counts of the same bins, [bins].
    """
    p, q = (counts + HALF for counts in (np.asarray(training, float), np.asarray(new, float)))
    p, q = np.maximum(p / p.sum(), FLOOR), np.maximum(q / q.sum(), FLOOR)
    return float(np.sum((q - p) * np.log(q / p)))


def psi_by_chance(bins: int, training: int, new: int) -> float:
    """PSI that two samples of one distribution exceed once in 100.

    ``PSI / (1/n + 1/m)`` is about chi-square with ``bins - 1`` degrees of freedom (Yurdakul 2018); its quantile by
    Wilson and Hilferty.

    Args:
        bins: with a count in either sample.
        training, new: sizes of the samples, at least 1.
    """
    if bins < 2:
        return 0.0
    freedom = bins - 1
    quantile = freedom * (1 - 2 / (9 * freedom) + _Z * math.sqrt(2 / (9 * freedom))) ** 3
    return quantile * (1 / training + 1 / new)


def ks(training: np.ndarray, new: np.ndarray) -> float:
    """Two-sample Kolmogorov-Smirnov statistic, the largest distance of the distribution functions, 0 to 1.

    Args:
        training, new: numbers without NaN, at least one each.
    """
    training, new = np.sort(training), np.sort(new)
    points = np.concatenate([training, new])
    places = (np.searchsorted(values, points, side="right") / len(values) for values in (training, new))
    return float(np.max(np.abs(np.subtract(*places))))


def ks_by_chance(training: int, new: int) -> float:
    """KS statistic that two samples of one distribution exceed once in 100, for sizes of at least 1; at most 1."""
    return min(1.0, _KS * math.sqrt(1 / training + 1 / new))


def rise_by_chance(training: tuple[int, int], new: tuple[int, int]) -> float:
    """Difference of two shares that two samples of one distribution exceed once in 100.

    Args:
        training, new: how many of how many, of at least 1.
    """
    pooled = (training[0] + new[0]) / (training[1] + new[1])
    return _Z * math.sqrt(pooled * (1 - pooled) * (1 / training[1] + 1 / new[1]))
