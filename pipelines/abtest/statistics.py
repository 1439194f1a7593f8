"""Is B better than A, by how much, and how small a difference could have been seen?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats

ALPHA, POWER = 0.05, 0.8
METRICS = {
    "watch": "hours watched a user and day",
    "click": "clicks a page",
    "save": "saves a session",
    "length": "minutes a session",
    "return": "users who came in the last third",
    "diversity": "genre distance on a page",
}


def compare(first: np.ndarray, second: np.ndarray, paired: bool = False) -> dict[str, Any]:
    """Difference of means of a metric, B - A, with its 95% interval, p-value and power.

    Args:
        first, second: one value a user of A and of B; NaN for a user without any.
        paired: the same users in the same order (then both must have a value): the test of their differences; else
            Welch's test of two groups.

    Returns:
        ``a``, ``b`` means, ``users`` of each, ``difference``, ``interval``, ``relative`` (of A's mean), ``p``;
        ``detectable``, the difference that such a test finds in 80% of cases at 5%, and ``users_for_1_percent``, users
        of each model needed to find a change of 1% of A's mean.  None where it is not defined.
    """
    if paired:
        both = ~np.isnan(first) & ~np.isnan(second)
        first, second = first[both], second[both]
    else:
        first, second = first[~np.isnan(first)], second[~np.isnan(second)]
    counts = [len(first), len(second)]
    empty = dict.fromkeys(("difference", "interval", "relative", "p", "detectable", "users_for_1_percent"))
    means = {"a": float(first.mean()) if counts[0] else None, "b": float(second.mean()) if counts[1] else None}
    if min(counts) < 2:
        return {**means, "users": counts, **empty}
    difference = float(second.mean() - first.mean())
    if paired:
        spread = np.var(second - first, ddof=1)
        error, freedom = np.sqrt(spread / counts[0]), counts[0] - 1
    else:
        parts = [np.var(first, ddof=1) / counts[0], np.var(second, ddof=1) / counts[1]]
        spread = np.var(first, ddof=1) + np.var(second, ddof=1)
        error = np.sqrt(sum(parts))
        below = sum(part**2 / (count - 1) for part, count in zip(parts, counts, strict=True))
        freedom = sum(parts) ** 2 / below if below else 1
    if error == 0:  # nobody differs
        return {**means, "users": counts, **empty, "difference": difference, "p": 1.0 if difference == 0 else 0.0}
    reach = stats.t.ppf(1 - ALPHA / 2, freedom) * error
    needed = stats.norm.ppf(1 - ALPHA / 2) + stats.norm.ppf(POWER)
    aim = 0.01 * abs(means["a"] or 0.0)
    return {
        **means,
        "users": counts,
        "difference": difference,
        "interval": [float(difference - reach), float(difference + reach)],
        "relative": float(difference / means["a"]) if means["a"] else None,
        "p": float(2 * stats.t.sf(abs(difference) / error, freedom)),
        "detectable": float(needed * error),
        "users_for_1_percent": int(np.ceil(spread * (needed / aim) ** 2)) if aim else None,
    }


def holm(values: Sequence[float | None]) -> list[float | None]:
    """p-values for several questions asked at once, after Holm; None stays."""
    known = sorted((value, place) for place, value in enumerate(values) if value is not None)
    adjusted: list[float | None] = [None] * len(values)
    largest = 0.0
    for rank, (value, place) in enumerate(known):
        largest = max(largest, min(1.0, value * (len(known) - rank)))
        adjusted[place] = largest
    return adjusted


def interleaving(wins: np.ndarray) -> dict[str, Any]:
    """Which model's titles are clicked on shared pages: share of users preferring B, by a sign test over users.

    Args:
        wins: int [users, 2], clicks on titles of A and of B.

    Returns:
        ``clicks`` of each, ``users`` preferring each, ``share`` of B among them, its 95% ``interval`` (Wilson) and
        ``p``; None where nobody prefers any.
    """
    prefers = [int((wins[:, 0] > wins[:, 1]).sum()), int((wins[:, 1] > wins[:, 0]).sum())]
    found: dict[str, Any] = {"clicks": [int(one) for one in wins.sum(axis=0)], "users": prefers}
    if not sum(prefers):
        return {**found, "share": None, "interval": None, "p": None}
    test = stats.binomtest(prefers[1], sum(prefers))
    low, high = test.proportion_ci(1 - ALPHA, method="wilson")
    return {**found, "share": test.statistic, "interval": [low, high], "p": test.pvalue}
