"""A prepared data set's events as codes, which are counted faster than texts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.split import TRAIN


@dataclass(frozen=True)
class Log:
    """Events sorted by user and time.

    Attributes:
        user_ids: id of every user with an event; a user's code is the place in it.
        item_ids: id of every item, the catalogue in its order first.
        user, item: codes, int64 [events].
        time: unix seconds, int64 [events].
        part: 0 train, 1 validation, 2 test, int8 [events].
    """

    user_ids: pd.Index
    item_ids: pd.Index
    user: np.ndarray
    item: np.ndarray
    time: np.ndarray
    part: np.ndarray

    @classmethod
    def of(cls, events: pd.DataFrame, catalogue: pd.Series) -> Log:
        """Code the events of a prepared data set.

        Args:
            events: ``user_id, item_id, timestamp, split``, sorted by user and time.
            catalogue: ids of the items.
        """
        user, user_ids = pd.factorize(events["user_id"])
        codes, item_ids = pd.factorize(pd.concat([catalogue, events["item_id"]], ignore_index=True))
        return cls(
            pd.Index(user_ids),
            pd.Index(item_ids),
            user.astype(np.int64),
            codes[len(catalogue) :].astype(np.int64),
            events["timestamp"].to_numpy(np.int64),
            events["split"].to_numpy(np.int8),
        )

    @property
    def users(self) -> int:
        """Users with an event."""
        return len(self.user_ids)

    @property
    def items(self) -> int:
        """Items of the catalogue."""
        return len(self.item_ids)

    @property
    def events(self) -> int:
        """Events of all parts."""
        return len(self.user)

    @property
    def training(self) -> np.ndarray:
        """Which events are for training, bool [events]."""
        return self.part == TRAIN

    @property
    def popularity(self) -> np.ndarray:
        """Training events of every item, int64 [items]."""
        return np.bincount(self.item[self.training], minlength=self.items)

    @property
    def training_lengths(self) -> np.ndarray:
        """Training events of every user, int64 [users]."""
        return np.bincount(self.user[self.training], minlength=self.users)

    @property
    def repeats(self) -> np.ndarray:
        """Whether the user had the item before, bool [events]."""
        return pd.Series(self.user * self.items + self.item).duplicated().to_numpy()
