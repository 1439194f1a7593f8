"""Which part every event belongs to."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pydantic
import pytest

from pipelines.split import TEST, TRAIN, VALIDATION, SplitConfig, split_events


def log(*rows: tuple[str, int]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["user_id", "timestamp"])


def random_log(seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = [(f"u{rng.integers(12)}", int(rng.integers(0, 30))) for _ in range(200)]
    return log(*sorted(rows))


def test_time_split_puts_ties_at_a_boundary_on_its_later_side():
    # Ten events; the shares 0.5 and 0.2 cut at the sorted positions 5 and 7, that is at the times 4 and 6.
    times = [0, 1, 2, 3, 4, 4, 5, 6, 6, 6]
    parts = split_events(log(*(("u", t) for t in times)), SplitConfig(train_share=0.5, validation_share=0.2))
    assert parts.tolist() == [0, 0, 0, 0, 1, 1, 1, 2, 2, 2]


@pytest.mark.parametrize("seed", range(20))
def test_time_split_keeps_every_part_before_the_next(seed: int):
    events = random_log(seed)
    parts = split_events(events, SplitConfig(train_share=0.6, validation_share=0.2))
    times = events["timestamp"].to_numpy()
    assert set(parts) == {TRAIN, VALIDATION, TEST}
    assert times[parts == TRAIN].max() < times[parts == VALIDATION].min()
    assert times[parts == VALIDATION].max() < times[parts == TEST].min()


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("kind", ["time", "leave_one_out"])
def test_parts_never_decrease_within_a_user(seed: int, kind: str):
    events = random_log(seed)
    parts = pd.Series(split_events(events, SplitConfig(kind=kind, validation_users=0.5)))
    assert (parts.groupby(events["user_id"]).diff().dropna() >= 0).all()


def test_leave_one_out_takes_the_last_for_test_and_the_one_before_for_validation():
    events = log(*(("a", t) for t in range(4)), *(("b", t) for t in range(3)), ("c", 0), ("c", 1), ("d", 0))
    parts = split_events(events, SplitConfig(kind="leave_one_out"))
    # c and d have fewer than three events: all of them are for training.
    assert parts.tolist() == [0, 0, 1, 2, 0, 1, 2, 0, 0, 0]


def test_leave_one_out_keeps_the_last_but_one_in_training_for_the_other_users():
    events = log(*((f"u{u}", t) for u in range(400) for t in range(3)))
    parts = split_events(events, SplitConfig(kind="leave_one_out", validation_users=0.25, seed=3)).reshape(-1, 3)
    assert (parts[:, 0] == TRAIN).all()
    assert (parts[:, 2] == TEST).all()
    assert 60 < (parts[:, 1] == VALIDATION).sum() < 140
    again = split_events(events, SplitConfig(kind="leave_one_out", validation_users=0.25, seed=3)).reshape(-1, 3)
    other = split_events(events, SplitConfig(kind="leave_one_out", validation_users=0.25, seed=4)).reshape(-1, 3)
    assert (parts == again).all()
    assert (parts != other).any()


@pytest.mark.parametrize(
    "wrong",
    [
        {"train_share": 0},
        {"train_share": 1.0},
        {"train_share": 0.9},
        {"validation_users": 0},
        {"kind": "random"},
        {"shar": 1},
    ],
)
def test_impossible_options_are_refused(wrong: dict):
    with pytest.raises(pydantic.ValidationError):
        SplitConfig(**wrong)
