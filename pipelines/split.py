"""Which events are for training, validation and test."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, model_validator

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


def split_events(events: pd.DataFrame, config: SplitConfig) -> np.ndarray:
    """Part of every event: 0 train, 1 validation, 2 test.

    Args:
        events: sorted by user and time (stable).

    Returns:
        int8 [events], never decreasing within a user.
    """
    if config.kind == "time":
        return _by_time(events["timestamp"].to_numpy(), config)
    return _leave_one_out(events["user_id"], config)


def _by_time(timestamp: np.ndarray, config: SplitConfig) -> np.ndarray:
    ordered = np.sort(timestamp)
    shares = (config.train_share, config.train_share + config.validation_share)
    cuts = [ordered[min(int(len(ordered) * share), len(ordered) - 1)] for share in shares]
    return np.searchsorted(cuts, timestamp, side="right").astype(np.int8)


def _leave_one_out(users: pd.Series, config: SplitConfig) -> np.ndarray:
    """Users with fewer than three events stay in training: nothing would be left to learn them from."""
    groups = users.groupby(users, sort=False)
    from_last = groups.cumcount(ascending=False).to_numpy()
    enough = groups.transform("size").to_numpy() >= 3
    codes, unique = pd.factorize(users)
    chosen = np.random.default_rng(config.seed).random(len(unique)) < config.validation_users
    parts = np.zeros(len(users), np.int8)
    parts[enough & (from_last == 1) & chosen[codes]] = VALIDATION
    parts[enough & (from_last == 0)] = TEST
    return parts
