"""Which events are for training, validation and test."""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipelines.order_statistics import order_statistics
from pipelines.partitions import ROW, MemoryPartitions, Partitions, first_rows

TRAIN, VALIDATION, TEST = 0, 1, 2
PARTS = ("train", "validation", "test")


class SplitConfig(BaseModel):
    """How to split.

    Attributes:
        kind: ``time``: train < t1 <= validation < t2 <= test over all users, so nothing of the future is seen
            (protocol T); ``leave_one_out``: a user's last event is test, the last but one validation (P2, P3, S3).
        train_share, validation_share: shares of all events before t1, and between t1 and t2 (``time``).
        validation_users: share of users whose last but one event is validation (``leave_one_out``); for the others it
            stays in training (P3: early stopping inside the training part).
        seed: of the choice of validation users.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["time", "leave_one_out"] = "time"
    train_share: float = Field(0.8, gt=0, lt=1)
    validation_share: float = Field(0.1, gt=0, lt=1)
    validation_users: float = Field(1.0, gt=0, le=1)
    seed: int = 0

    @model_validator(mode="after")
    def _leave_a_test_part(self) -> SplitConfig:
        if self.kind == "time" and self.train_share + self.validation_share >= 1:
            raise ValueError("train_share and validation_share must add up to less than 1, or no test part is left")
        return self


class Split(Protocol):
    """The split of a log, as a function of any of its partitions.

    Attributes:
        columns: what it reads of the events.
    """

    columns: tuple[str, ...]

    def __call__(self, events: pd.DataFrame) -> np.ndarray:
        """Part of every event, int8 [events]: 0 train, 1 validation, 2 test."""
        ...


class TimeSplit:
    """Before the first cut is training, from the second on test.

    Args:
        cuts: two moments, whole unix seconds.
    """

    columns: tuple[str, ...] = ("timestamp",)

    def __init__(self, cuts: np.ndarray) -> None:
        self.cuts = cuts

    def __call__(self, events: pd.DataFrame) -> np.ndarray:
        """Part of every event, int8 [events]."""
        return np.searchsorted(self.cuts, events["timestamp"].to_numpy(), side="right").astype(np.int8)


class LeaveOneOutSplit:
    """A user's last event is test, the last but one validation.

    Users with fewer than three events stay in training: nothing would be left to learn them from.

    Args:
        config: whose validation event stays in training.
        firsts: place in the log of every user's first event, rising.
    """

    columns: tuple[str, ...] = ("user_id", ROW)

    def __init__(self, config: SplitConfig, firsts: np.ndarray) -> None:
        self.firsts = firsts
        self.chosen = np.random.default_rng(config.seed).random(len(firsts)) < config.validation_users

    def __call__(self, events: pd.DataFrame) -> np.ndarray:
        """Part of every event, int8 [events]."""
        users = events["user_id"]
        groups = users.groupby(users, sort=False)
        from_last = groups.cumcount(ascending=False).to_numpy()
        enough = groups.transform("size").to_numpy() >= 3
        chosen = self.chosen[np.searchsorted(self.firsts, first_rows(events))]
        parts = np.zeros(len(users), np.int8)
        parts[enough & (from_last == 1) & chosen] = VALIDATION
        parts[enough & (from_last == 0)] = TEST
        return parts


def learn_split(partitions: Partitions, config: SplitConfig) -> Split:
    """The split of a whole log: a function of any of its partitions."""
    if config.kind == "leave_one_out":
        firsts = list(partitions.each(_firsts, "finding users", ("user_id", ROW)))
        return LeaveOneOutSplit(config, np.sort(np.concatenate(firsts)))
    shares = (config.train_share, config.train_share + config.validation_share)

    def places(count: int) -> list[int]:
        return [min(int(count * share), count - 1) for share in shares]

    return TimeSplit(order_statistics(partitions, _moments, places, ("timestamp",), "finding the cuts")[1])


def split_events(events: pd.DataFrame, config: SplitConfig) -> np.ndarray:
    """Part of every event of a log in memory: 0 train, 1 validation, 2 test.

    Args:
        events: sorted by user and time (stable).

    Returns:
        int8 [events], never decreasing within a user.
    """
    partitions = MemoryPartitions(events)
    return learn_split(partitions, config)(partitions.events)


def _moments(events: pd.DataFrame) -> np.ndarray:
    return events["timestamp"].to_numpy(np.int64)


def _firsts(number: int, events: pd.DataFrame) -> np.ndarray:
    return np.unique(first_rows(events))
