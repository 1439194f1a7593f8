"""Numbers that are never NaN: what does not exist is None."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

DIGITS = 6
QUANTILES = {"p10": 0.1, "p25": 0.25, "median": 0.5, "p75": 0.75, "p90": 0.9}


def distinct(codes: np.ndarray) -> np.ndarray:
    """Sorted values, each once; by pandas, whose hash table is much faster than ``np.unique`` on millions."""
    return np.sort(pd.unique(codes))


def among(codes: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Which values are among the wanted ones, bool; by pandas for the same reason."""
    return pd.Index(codes).isin(wanted)


def share(part: float, whole: float) -> float | None:
    """``part / whole``; None of nothing."""
    return float(part / whole) if whole else None


def mean(values: np.ndarray) -> float | None:
    """The mean; None of nothing."""
    return float(np.mean(values)) if len(values) else None


def median(values: np.ndarray) -> float | None:
    """The median; None of nothing."""
    return float(np.median(values)) if len(values) else None


def spread(values: np.ndarray) -> dict[str, float] | None:
    """Smallest, quantiles, mean and largest; None of nothing."""
    if len(values) == 0:
        return None
    quantiles = np.quantile(values, list(QUANTILES.values()))
    found = {"min": values.min(), **dict(zip(QUANTILES, quantiles, strict=True)), "max": values.max()}
    return {name: float(value) for name, value in found.items()} | {"mean": float(values.mean())}


def binned(values: np.ndarray, lows: list[int]) -> list[int]:
    """How many values lie in each bin: from its low end to below the next one's, the last without end."""
    places = np.searchsorted(np.asarray(lows), values, side="right") - 1
    return np.bincount(places[places >= 0], minlength=len(lows)).tolist()


def tenths(values: np.ndarray) -> list[int]:
    """How many shares (0 to 1) lie in each tenth, 1 in the last."""
    places = np.minimum(np.floor(values * 10 + 1e-9).astype(np.int64), 9)
    return np.bincount(places, minlength=10).tolist()


def plain(value: Any) -> Any:
    """Numbers of numpy as Python's own, floats rounded: ready for JSON."""
    if isinstance(value, dict):
        return {str(key): plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(inner) for inner in value]
    if isinstance(value, np.generic):
        value = value.item()
    return round(value, DIGITS) if isinstance(value, float) else value
