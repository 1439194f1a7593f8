"""Timestamps of any declared unit become whole unix seconds, or a reason why not."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from pipelines.datasets.rows import Rows

DAY = 86_400
PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_PLAUSIBLE_FROM = 10 * 365 * DAY


def to_numbers(values: pd.Series) -> np.ndarray:
    """Numbers of a column: int64 if every value is a whole number, else float64 with NaN where it is none."""
    if pd.api.types.is_datetime64_any_dtype(values.dtype) or pd.api.types.is_bool_dtype(values.dtype):
        return np.full(len(values), np.nan)
    numbers = pd.to_numeric(values, errors="coerce")
    if pd.api.types.is_signed_integer_dtype(numbers.dtype) and not numbers.isna().any():
        return numbers.to_numpy(dtype="int64")
    return numbers.to_numpy(dtype="float64", na_value=np.nan)


def parse_dates(values: pd.Series) -> np.ndarray:
    """Unix seconds (float64, NaN if unreadable) of ISO 8601 texts or datetimes; no zone means UTC."""
    stamps = pd.to_datetime(values, errors="coerce", utc=True, format="ISO8601")
    nanoseconds = stamps.to_numpy(dtype="datetime64[ns]")
    seconds = nanoseconds.astype("int64") / 1e9
    return np.where(np.isnat(nanoseconds), np.nan, seconds)


def to_seconds(text: str) -> int | None:
    """Unix seconds of an ISO 8601 text (no zone means UTC) or of a whole number of 5 digits or more; None if neither.

    A number of four digits is a year.
    """
    text = text.strip()
    if len(text) > 4 and text.isascii() and text.isdecimal() and int(text) < 2**63:
        return int(text)
    seconds = parse_dates(pd.Series([text]))[0]
    return None if np.isnan(seconds) else int(seconds)


def take_timestamps(rows: Rows, field: str, unit: str, now: Callable[[], float] = time.time) -> np.ndarray:
    """Drop the rows without a usable timestamp and return the others' as int64 unix seconds.

    A timestamp must be a whole number (or an ISO 8601 text for ``datetime``), positive, not before 1970-01-02
    and not later than now + 1 day; one before 1980 that a coarser unit would bring later has the wrong unit.
    Unit ``min`` counts from an origin that nobody states (so do the Foursquare files), so for it only the lower bound
    of 1970-01-02 is lifted: minute 1 is good, minute 0 and negative ones are not.

    Args:
        rows: the rows; rejected ones leave it.
        field: name of the raw timestamp column.
        unit: ``Schema.timestamp_unit``.
        now: the current unix time (replaced in tests).
    """
    raw = rows.frame[field]
    latest = now() + DAY
    if unit == "datetime":
        numbers: np.ndarray = np.floor(parse_dates(raw))
        keep = rows.drop(np.isnan(numbers), field, "timestamp is not an ISO 8601 date")
    else:
        numbers = to_numbers(raw)
        bad = ~np.isfinite(numbers)
        dates = bad.any() and np.isfinite(parse_dates(raw[bad].head(1))).all()
        hint = " (it would fit timestamp_unit: datetime)" if dates else ""
        keep = rows.drop(bad, field, "timestamp is not a number" + hint)
        numbers = numbers[keep]
        keep = rows.drop(numbers % 1 != 0, field, "timestamp is not a whole number")
    numbers = numbers[keep]
    keep = rows.drop(numbers <= 0, field, "timestamp is zero or negative")
    numbers = numbers[keep]
    seconds = numbers * 60 if unit == "min" else numbers // PER_SECOND.get(unit, 1)
    if unit != "min":
        keep = rows.drop(seconds < DAY, field, "timestamp is before 1970-01-02")
        numbers, seconds = numbers[keep], seconds[keep]
        if unit in PER_SECOND and (seconds < _PLAUSIBLE_FROM).any():
            for other in PER_SECOND:  # a number of seconds, taken for milliseconds, is a moment of January 1970
                wrong = (seconds < _PLAUSIBLE_FROM) & _plausible(numbers, other, latest)
                keep = rows.drop(wrong, field, f"timestamp is before 1980 (it would fit timestamp_unit: {other})")
                numbers, seconds = numbers[keep], seconds[keep]
    late = seconds > latest
    keep = rows.drop(late, field, "timestamp lies in the future" + _hint(seconds[late], unit, latest))
    return seconds[keep].astype("int64")


def _plausible(numbers: Any, unit: str, latest: float) -> Any:
    """Whether numbers are, in this unit, moments between 1980 and now."""
    seconds = numbers // PER_SECOND[unit]
    return (seconds > _PLAUSIBLE_FROM) & (seconds < latest)


def _hint(late: np.ndarray, unit: str, latest: float) -> str:
    """Suggest the unit in which timestamps declared as seconds would make sense."""
    if len(late) == 0 or unit != "s":
        return ""
    middle = np.median(late)
    fitting = next((name for name in PER_SECOND if _plausible(middle, name, latest)), None)
    return f" (it would fit timestamp_unit: {fitting})" if fitting else ""
