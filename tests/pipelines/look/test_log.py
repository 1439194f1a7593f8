"""Codes stand for the same users and items as before."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from pipelines.look.log import Log

ROWS = [("b", "x", 0, 0), ("b", "y", 1, 0), ("b", "x", 2, 2), ("a", "y", 0, 0), ("a", "new", 5, 1)]


def test_codes_lead_back_to_ids(log_of: Callable[..., Log]) -> None:
    log = log_of(ROWS, ["y", "never", "x"])
    assert log.user_ids[log.user].tolist() == [row[0] for row in ROWS]
    assert log.item_ids[log.item].tolist() == [row[1] for row in ROWS]
    assert log.item_ids.tolist() == ["y", "never", "x", "new"]  # the catalogue keeps its places, others follow
    assert (log.users, log.items, log.events) == (2, 4, 5)


def test_counts_of_training_events(log_of: Callable[..., Log]) -> None:
    log = log_of(ROWS, ["y", "never", "x"])
    assert log.popularity.tolist() == [2, 0, 1, 0]
    assert log.training_lengths.tolist() == [2, 1]


def test_a_repeat_is_of_the_same_user(log_of: Callable[..., Log]) -> None:
    assert log_of(ROWS).repeats.tolist() == [False, False, True, False, False]


def test_repeats_in_a_large_log() -> None:
    rng = np.random.default_rng(0)
    user, item = np.sort(rng.integers(0, 50, 3_000)), rng.integers(0, 40, 3_000)
    log = log_from(user, item)
    seen: set[tuple[int, int]] = set()
    expected = []
    for pair in zip(user.tolist(), item.tolist(), strict=True):
        expected.append(pair in seen)
        seen.add(pair)
    assert log.repeats.tolist() == expected


def log_from(user: np.ndarray, item: np.ndarray) -> Log:
    nothing = np.zeros(len(user), np.int64)
    users, items = (pd.Index([str(i) for i in range(values.max() + 1)]) for values in (user, item))
    return Log(users, items, user, item, nothing, nothing.astype(np.int8))
