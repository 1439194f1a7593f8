"""Size: counts add up, bins are those of the events."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from pipelines.look.log import Log
from pipelines.look.size import DAY, GAPS, LENGTHS, TIME_BINS, _bin_names, size_of

ROWS = [
    *(("a", "x", 0, 0), ("a", "y", 0, 0), ("a", "x", 30, 0), ("a", "z", 30 + 2 * DAY, 2)),
    *(("b", "x", 600, 1), ("b", "w", 700, 2)),
    ("c", "x", 400 * DAY, 2),
]


def test_counts(log_of: Callable[..., Log]) -> None:
    found = size_of(log_of(ROWS, ["x", "y", "z", "w", "never"]))
    assert [found[name] for name in ("users", "items", "items_with_events", "events")] == [3, 5, 4, 7]
    assert found["repeat_share"] == pytest.approx(1 / 7)
    assert found["span_seconds"] == 400 * DAY
    assert found["dated"]
    lengths = found["users_by_events"]
    assert {name: n for name, n in lengths.items() if n} == {"1": 1, "2": 1, "3-5": 1}
    assert found["events_per_user"]["max"] == 4


def test_gaps_are_within_a_user(log_of: Callable[..., Log]) -> None:
    waits = size_of(log_of(ROWS))["seconds_between_events"]
    assert {name: n for name, n in waits["gaps"].items() if n} == {
        "0 seconds": 1,
        "under a minute": 1,
        "1 to 10 minutes": 1,
        "1 to 7 days": 1,
    }
    assert waits["count"] == 4
    assert waits["median"] == np.median([0, 30, 2 * DAY, 100])


def test_parts(log_of: Callable[..., Log]) -> None:
    train, validation, test = size_of(log_of(ROWS))["parts"]
    assert [part["events"] for part in (train, validation, test)] == [3, 1, 3]
    assert sum(part["share"] for part in (train, validation, test)) == pytest.approx(1)
    assert (test["users"], test["items"]) == (3, 3)
    assert test["last"] - train["first"] == 400 * DAY
    assert validation["events_of_users_not_in_training"] == 1
    assert test["events_of_users_not_in_training"] == pytest.approx(2 / 3)
    assert (train["repeat_share"], test["repeat_share"]) == (pytest.approx(1 / 3), 0)


def test_time_bins_hold_every_event_once(log_of: Callable[..., Log]) -> None:
    over = size_of(log_of(ROWS))["over_time"]
    assert [sum(over[part]) for part in ("train", "validation", "test")] == [3, 1, 3]
    assert len(over["edges"]) == TIME_BINS + 1 == len(over["train"]) + 1
    assert over["train"][0] == 3
    assert over["test"][-1] == 1


def test_one_event(log_of: Callable[..., Log]) -> None:
    found = size_of(log_of([("a", "x", 0, 0)]))
    assert sum(found["over_time"]["train"]) == 1
    assert found["over_time"]["edges"][0] < found["first"] < found["over_time"]["edges"][-1]
    assert found["seconds_between_events"] == {"count": 0, "median": None, "gaps": dict.fromkeys(GAPS, 0)}
    empty = found["parts"][2]
    assert {empty[name] for name in ("share", "events", "users", "items")} == {0}
    assert {empty[name] for name in ("first", "repeat_share", "events_of_users_not_in_training")} == {None}


def test_times_of_an_unknown_origin_are_no_dates(log_of: Callable[..., Log]) -> None:
    log = log_of(ROWS)
    early = Log(log.user_ids, log.item_ids, log.user, log.item, log.time - log.time.min() + 60, log.part)
    assert not size_of(early)["dated"]


def test_names_of_bins() -> None:
    assert _bin_names(LENGTHS)[:4] == ["1", "2", "3-5", "6-10"]
    assert _bin_names(LENGTHS)[-2:] == ["501-1,000", "1,001 or more"]
