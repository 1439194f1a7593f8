"""Declared interests and behaviour: both directions, user by user, beside what another's declarations would give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipelines.look.declared import declared_of
from pipelines.look.labels import Labels
from pipelines.look.log import Log

ITEMS = {"a1": "a", "b1": "b", "c1": "c", "ab": "a|b", "none": ""}


def measured(
    log_of: Callable[..., Log], events: str, declared: dict[str, str], bounds: tuple[int, int] = (1, 2), **more: Any
) -> dict[str, Any]:
    """Events as ``"u a1 b1, v c1"`` (user and items, all for training), declarations as letters."""
    rows = [
        (user, item, second, 0)
        for user, *items in map(str.split, events.split(","))
        for second, item in enumerate(items)
    ]
    interests = pd.DataFrame(
        [(user, letter) for user, letters in declared.items() for letter in letters],
        columns=["user_id", "interest"],
        dtype="str",
    ).assign(**more)
    labels = Labels.of(pd.Series(list(ITEMS.values())), "multi_label", interests["interest"])
    return declared_of(log_of(rows, list(ITEMS)), labels, interests, bounds)


def test_both_directions_of_one_user(log_of: Callable[..., Log]) -> None:
    found = measured(log_of, "u a1 a1 ab none", {"u": "ac"})
    assert found["declared_seen"]["spread"]["mean"] == 0.5  # a of a, c
    assert found["events_declared"]["spread"]["mean"] == 0.75  # all but the event without a label
    assert found["labels_declared"]["spread"]["mean"] == 0.5  # a of a, b
    assert found["declared_seen"]["of_another_user"] is None  # nobody else declared anything
    assert found["declared_seen"]["tenths"] == [0, 0, 0, 0, 0, 1, 0, 0, 0, 0]


def test_an_event_of_two_declared_labels_counts_once(log_of: Callable[..., Log]) -> None:
    found = measured(log_of, "u ab c1", {"u": "ab"})
    assert found["events_declared"]["spread"]["mean"] == 0.5
    assert found["declared_seen"]["spread"]["mean"] == 1


def test_users_count_equally_however_much_they_do(log_of: Callable[..., Log]) -> None:
    found = measured(log_of, "u a1 a1 a1 a1 a1 a1 a1, v b1", {"u": "a", "v": "a"})
    for name in ("declared_seen", "events_declared", "labels_declared"):
        assert found[name]["spread"]["mean"] == 0.5
        assert (found[name]["none"], found[name]["all"]) == (0.5, 0.5)


def test_who_declared_how_much(log_of: Callable[..., Log]) -> None:
    found = measured(log_of, "u a1, v b1, w c1, x c1", {"u": "abc", "v": "a", "gone": "ab"})
    assert (found["users_declaring"], found["users_declaring_with_events"], found["declarations"]) == (3, 2, 6)
    assert found["share_of_users"] == 0.5
    assert found["users_by_declarations"] == {"0": 2, "1": 1, "2": 0, "3": 1, "4": 0, "5": 0, "6 or more": 0}
    assert found["declared_per_user"]["mean"] == 2
    assert found["share_declared_by_first_event"] is None


def test_a_declaration_made_twice_counts_once(log_of: Callable[..., Log]) -> None:
    found = measured(log_of, "u a1 b1", {"u": "aab"})
    assert found["declarations"] == 2
    assert found["declared_seen"]["spread"]["mean"] == 1


def test_declared_labels_that_no_item_has_are_never_seen(log_of: Callable[..., Log]) -> None:
    found = measured(log_of, "u a1", {"u": "az"})
    assert found["declared_seen"]["spread"]["mean"] == 0.5
    assert {row["label"]: row["share_who_touch_it"] for row in found["labels"]} == {"a": 1, "z": 0}


def test_early_declarations(log_of: Callable[..., Log]) -> None:
    start = log_of([("u", "a1", 0, 0)]).time[0]
    times = np.array([0, 1, -5]) + start
    found = measured(log_of, "u a1 b1, v c1", {"u": "ab", "v": "c"}, timestamp=times)
    assert found["share_declared_by_first_event"] == pytest.approx(2 / 3)


def test_events_without_labels_leave_no_labels_to_be_declared(log_of: Callable[..., Log]) -> None:
    found = measured(log_of, "u none none, v a1", {"u": "a", "v": "a"})
    assert found["labels_declared"]["tenths"] == [0] * 9 + [1]  # of v alone
    assert found["events_declared"]["spread"]["mean"] == 0.5
    alone = measured(log_of, "u none", {"u": "a"})
    assert alone["labels_declared"] == {
        "spread": None,
        "none": None,
        "all": None,
        "tenths": [0] * 10,
        "of_another_user": None,
    }


def test_another_users_declarations_tell_taste_from_habit(log_of: Callable[..., Log]) -> None:
    devoted = ", ".join(f"u{n} " + " ".join([("a1", "b1", "c1")[n % 3]] * 4) for n in range(30))
    found = measured(log_of, devoted, {f"u{n}": "abc"[n % 3] for n in range(30)})
    assert found["events_declared"]["spread"]["mean"] == 1
    assert found["events_declared"]["of_another_user"]["mean"] == pytest.approx(9 / 29, abs=0.05)
    alike = measured(log_of, devoted, {f"u{n}": "abc" for n in range(30)})
    assert alike["events_declared"]["of_another_user"]["mean"] == alike["events_declared"]["spread"]["mean"] == 1


def test_two_users_have_each_others_declarations(log_of: Callable[..., Log]) -> None:
    found = measured(log_of, "u a1 b1, v c1", {"u": "a", "v": "abc"})
    other = found["declared_seen"]["of_another_user"]
    assert other["mean"] == pytest.approx((2 / 3 + 0) / 2)  # u has a, b of v's a, b, c; v has nothing of u's
    assert sum(other["tenths"]) == 2


def test_labels_of_who_declared_them_and_of_all_others(log_of: Callable[..., Log]) -> None:
    found = measured(log_of, "u a1 ab b1 b1, v b1 a1, w c1 c1 c1 a1", {"u": "a", "v": "ab"})
    rows = {row["label"]: row for row in found["labels"]}
    assert list(rows) == ["a", "b"]  # the most declared first
    assert rows["a"] == {
        "label": "a",
        "users": 2,
        "share_who_touch_it": 1,
        "share_of_their_events": pytest.approx(3 / 6),
        "share_of_others_events": pytest.approx(1 / 4),
    }
    assert rows["b"]["share_of_their_events"] == 0.5
    assert rows["b"]["share_of_others_events"] == pytest.approx(3 / 8)
    everybody = measured(log_of, "u a1", {"u": "a"})["labels"]
    assert everybody[0]["share_of_others_events"] is None


def test_segments(log_of: Callable[..., Log]) -> None:
    found = measured(log_of, "u a1, v a1 b1, w a1 b1 c1, x a1 a1 a1", {"u": "b", "w": "abc"})
    rows = {row["segment"]: row for row in found["segments"]}
    assert {name: (row["users"], row["declaring"]) for name, row in rows.items()} == {
        "new": (1, 1),
        "casual": (1, 0),
        "core": (2, 1),
    }
    assert (rows["new"]["declared_seen"], rows["core"]["declared_seen"]) == (0, 1)
    assert rows["core"]["declared_per_user"] == 3
    assert rows["casual"]["events_declared"] is None
    assert rows["core"]["share_declaring"] == 0.5


def test_nobody_with_events_declared_anything(log_of: Callable[..., Log]) -> None:
    found = measured(log_of, "u a1", {"gone": "a"})
    assert found["users_declaring_with_events"] == 0
    assert found["declared_per_user"] is None
    assert found["labels"] == []
    assert found["declared_seen"]["spread"] is None


def test_against_counting_by_hand(log_of: Callable[..., Log]) -> None:
    """The same shares from sets, over a random log."""
    rng = np.random.default_rng(3)
    names = list(ITEMS)
    history = {f"u{n}": [names[i] for i in rng.integers(0, len(names), rng.integers(1, 9))] for n in range(40)}
    declared = {user: "".join(rng.choice(list("abcz"), rng.integers(0, 4), replace=False)) for user in history}
    found = measured(log_of, ",".join(" ".join([user, *items]) for user, items in history.items()), declared)
    seen, events, labels = [], [], []
    for user, letters in declared.items():
        wanted = set(letters)
        touched = [set(ITEMS[item].split("|")) - {""} for item in history[user]]
        everything = set().union(*touched)
        if wanted:
            seen.append(len(wanted & everything) / len(wanted))
            events.append(np.mean([bool(one & wanted) for one in touched]))
            if everything:
                labels.append(len(wanted & everything) / len(everything))
    for name, values in (("declared_seen", seen), ("events_declared", events), ("labels_declared", labels)):
        assert found[name]["spread"]["mean"] == pytest.approx(np.mean(values))
        assert found[name]["spread"]["p25"] == pytest.approx(np.quantile(values, 0.25))
        assert sum(found[name]["tenths"]) == len(values)
