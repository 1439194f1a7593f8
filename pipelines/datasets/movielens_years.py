"""Years and release times of films.

A release known by its year only counts as released on 1 July of that year (UTC): half a year wrong at most.
So does 1 January, because MovieLens-100K writes most releases known by year as 01-Jan.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

_TITLE_YEAR = r"\((\d{4})\s*(?:[-\u2013]\s*(?:\d{4})?\s*)?\)\s*$"


def title_years(titles: pd.Series) -> pd.Series:
    """Year in the last brackets of each title: ``Heat (1995)`` -> ``"1995"``; ``""`` without one."""
    return titles.str.extract(_TITLE_YEAR, expand=False).fillna("").astype("str")


def mid_year(years: pd.Series) -> np.ndarray:
    """Unix seconds of 1 July of each year, NaN for ``""``."""
    dates = pd.to_datetime(years + "-07-01", format="%Y-%m-%d", errors="coerce", utc=True)
    return unix_seconds(dates)


def unix_seconds(dates: pd.Series) -> np.ndarray:
    """Unix seconds (float64) of datetimes, NaN for missing ones."""
    values = dates.dt.tz_localize(None).to_numpy(dtype="datetime64[s]")
    return np.where(np.isnat(values), np.nan, values.astype("int64").astype("float64"))


def release_times(dates: pd.Series, years: pd.Series, max_gap: int | None = None) -> tuple[np.ndarray, int]:
    """Unix seconds of release from exact dates where trustworthy, else from years.

    Args:
        dates: UTC datetimes, NaT if unknown.
        years: years as texts, ``""`` if unknown.
        max_gap: a date whose year is further than this from the title's year is another release and is not
            used.

    Returns:
        float64 seconds (NaN if nothing is known) and how many dates ``max_gap`` set aside.
    """
    exact = unix_seconds(dates)
    placeholder = ((dates.dt.month == 1) & (dates.dt.day == 1)).to_numpy()
    stated = dates.dt.year.to_numpy(dtype="float64", na_value=np.nan)
    exact = np.where(placeholder, mid_year(dates.dt.strftime("%Y").fillna("").astype("str")), exact)
    by_title = pd.to_numeric(years, errors="coerce").to_numpy(dtype="float64", na_value=np.nan)
    far = np.zeros(len(exact), dtype=bool)
    if max_gap is not None:
        far = np.abs(stated - by_title) > max_gap
    exact[far] = np.nan
    return np.where(np.isnan(exact), mid_year(years), exact), int(far.sum())
