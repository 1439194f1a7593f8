"""Exact order statistics and quantiles of numbers that are spread over partitions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from pipelines.partitions import Partitions

_BITS = 16
_SIGN = np.uint64(1 << 63)


def order_statistics(
    partitions: Partitions,
    values: Callable[[pd.DataFrame], np.ndarray],
    places: Callable[[int], Sequence[int]],
    columns: Sequence[str],
    what: str,
) -> tuple[int, np.ndarray]:
    """Some of all values in rising order, found by counting 16 bits of them at a time.

    Args:
        values: int64 or float64 (no NaN) [any] of a partition; of all partitions the same dtype.
        places: from the number of values to the places (0 = the smallest) wanted.
        columns: what ``values`` reads.
        what: the words before a progress bar.

    Returns:
        The number of values, and the values at the places, [places] (empty if there are no values).
    """
    prefixes = np.zeros(1, np.uint64)
    wanted: Sequence[int] = ()
    left = np.zeros(0, np.int64)
    total, floating = 0, False
    for level in range(64 // _BITS):
        counts: dict[int, np.ndarray] = {}
        counting = _Counting(values, np.unique(prefixes), level)
        for is_float, found in partitions.each(counting, what, columns):
            floating = is_float
            for prefix, part in found.items():
                counts[prefix] = counts[prefix] + part if prefix in counts else part
        if level == 0:
            total = int(counts[0].sum())
            if total == 0:
                return 0, np.zeros(0)
            wanted = places(total)
            prefixes = np.zeros(len(wanted), np.uint64)
            left = np.asarray(wanted, np.int64)
        for i in range(len(wanted)):
            upto = np.cumsum(counts[int(prefixes[i])])
            digit = int(np.searchsorted(upto, left[i], side="right"))
            left[i] -= upto[digit - 1] if digit else 0
            prefixes[i] = (prefixes[i] << np.uint64(_BITS)) | np.uint64(digit)
    return total, _values(prefixes, floating)


def quantiles(
    partitions: Partitions,
    values: Callable[[pd.DataFrame], np.ndarray],
    shares: Sequence[float],
    columns: Sequence[str],
    what: str,
) -> np.ndarray:
    """``numpy.quantile`` of the float64 values of all partitions, exactly; empty if there are none.

    Args:
        shares: 0..1 each; the rest as for :func:`order_statistics`.
    """

    def places(count: int) -> list[int]:
        low = [int((count - 1) * share) for share in shares]
        return [place for k in low for place in (k, min(k + 1, count - 1))]

    count, found = order_statistics(partitions, values, places, columns, what)
    if count == 0:
        return found
    between = [(count - 1) * share - int((count - 1) * share) for share in shares]
    return np.array([np.quantile(found[2 * i : 2 * i + 2], part) for i, part in enumerate(between)])


class _Counting:
    """How often each 16 bits follow each prefix (the bits before them) in a partition."""

    def __init__(self, values: Callable[[pd.DataFrame], np.ndarray], prefixes: np.ndarray, level: int) -> None:
        self.values, self.prefixes, self.level = values, prefixes, level

    def __call__(self, number: int, events: pd.DataFrame) -> tuple[bool, dict[int, np.ndarray]]:
        values = self.values(events)
        bits = _keys(values) >> np.uint64(64 - _BITS * (self.level + 1))
        digits, before = (bits & np.uint64(2**_BITS - 1)).astype(np.int64), bits >> np.uint64(_BITS)
        found = {
            int(prefix): np.bincount(digits[before == prefix], minlength=2**_BITS).astype(np.int64)
            for prefix in self.prefixes
        }
        return values.dtype == np.float64, found


def _keys(values: np.ndarray) -> np.ndarray:
    """uint64 numbers in the order of ``values``."""
    bits = np.ascontiguousarray(values).view(np.uint64)
    if values.dtype == np.float64:
        return np.where(bits & _SIGN, ~bits, bits | _SIGN)
    return bits ^ _SIGN


def _values(keys: np.ndarray, floating: bool) -> np.ndarray:
    """The values whose keys these are."""
    if floating:
        return np.where(keys & _SIGN, keys ^ _SIGN, ~keys).view(np.float64)
    return (keys ^ _SIGN).view(np.int64)
