"""How large a log is, and when things happen in it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from pipelines.look.log import Log
from pipelines.look.numbers import binned, distinct, median, share, spread
from pipelines.split import PARTS

DAY = 86_400
DATED_FROM = 10 * 365 * DAY  # earlier than 1980: seconds from an unknown origin, no dates
TIME_BINS = 60
LENGTHS = [1, 2, 3, 6, 11, 21, 51, 101, 201, 501, 1_001]
GAPS = {
    "0 seconds": 0,
    "under a minute": 1,
    "1 to 10 minutes": 60,
    "10 to 60 minutes": 600,
    "1 to 6 hours": 3_600,
    "6 to 24 hours": 6 * 3_600,
    "1 to 7 days": DAY,
    "1 to 4 weeks": 7 * DAY,
    "4 to 52 weeks": 28 * DAY,
    "over a year": 364 * DAY,
}


def size_of(log: Log) -> dict[str, Any]:
    """Users, items, events, their times, and the parts they are split into."""
    lengths = np.bincount(log.user, minlength=log.users)
    same = log.user[1:] == log.user[:-1]
    gaps = np.diff(log.time)[same]
    repeats = log.repeats
    first, last = int(log.time.min()), int(log.time.max())
    return {
        "users": log.users,
        "items": log.items,
        "items_with_events": len(distinct(log.item)),
        "events": log.events,
        "first": first,
        "last": last,
        "span_seconds": last - first,
        "dated": first >= DATED_FROM,
        "repeat_share": share(repeats.sum(), log.events),
        "events_per_user": spread(lengths),
        "users_by_events": dict(zip(_bin_names(LENGTHS), binned(lengths, LENGTHS), strict=True)),
        "seconds_between_events": {
            "count": len(gaps),
            "median": median(gaps),
            "gaps": dict(zip(GAPS, binned(gaps, list(GAPS.values())), strict=True)),
        },
        "over_time": _over_time(log, first, last),
        "parts": [_part(log, number, repeats) for number in range(len(PARTS))],
    }


def _part(log: Log, number: int, repeats: np.ndarray) -> dict[str, Any]:
    inside = log.part == number
    users = distinct(log.user[inside])
    time = log.time[inside]
    known = log.training_lengths[log.user[inside]] > 0
    return {
        "part": PARTS[number],
        "events": int(inside.sum()),
        "share": share(inside.sum(), log.events),
        "users": len(users),
        "items": len(distinct(log.item[inside])),
        "first": int(time.min()) if len(time) else None,
        "last": int(time.max()) if len(time) else None,
        "repeat_share": share(repeats[inside].sum(), inside.sum()),
        "events_of_users_not_in_training": share((~known).sum(), inside.sum()),
    }


def _over_time(log: Log, first: int, last: int) -> dict[str, list[float]]:
    """Events of each part in stretches of equal length; a log of one moment is a day around it."""
    edges = np.linspace(first, last, TIME_BINS + 1) if last > first else np.array([first - DAY / 2, first + DAY / 2])
    counts = {name: np.histogram(log.time[log.part == i], edges)[0].tolist() for i, name in enumerate(PARTS)}
    return {"edges": edges.tolist(), **counts}


def _bin_names(lows: list[int]) -> list[str]:
    """``1``, ``3-5``, ``1,001 or more``."""
    names = [f"{low:,}" if high == low + 1 else f"{low:,}-{high - 1:,}" for low, high in pairwise(lows)]
    return [*names, f"{lows[-1]:,} or more"]
