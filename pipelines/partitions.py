"""Events in parts of whole users, so that what is computed of a user needs no more than one part in memory.

Preparation is written against :class:`Partitions` alone: the log in one piece, files on disk and a Spark data frame
run the same functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

import numpy as np
import pandas as pd

from pipelines.progress import track

ROW = "_row"  # place of an event in the log; no column of a schema may begin with an underscore
POPULARITY = "_popularity"  # earlier events of the item, over all users
T = TypeVar("T")


class Partitions(Protocol):
    """Events of all users, each user whole in one partition.

    A partition is a frame of canonical events and :data:`ROW`, sorted by user (in the order of the first row), time
    and row.
    """

    def each(
        self, function: Callable[[int, pd.DataFrame], T], what: str, columns: Sequence[str] | None = None
    ) -> Iterator[T]:
        """What ``function(number, events)`` returns of every partition, in the order of their numbers from 0 on.

        Args:
            function: changes nothing outside itself; it and what it returns can be pickled.
            what: the words before a progress bar.
            columns: the only columns needed (default: all).
        """
        ...

    def change(self, function: Callable[[int, pd.DataFrame], pd.DataFrame], what: str) -> None:
        """Replace every partition by what ``function(number of its place, events)`` makes of it; an empty one goes."""
        ...


class MemoryPartitions:
    """One partition that is in memory.

    Args:
        events: canonical events, sorted by user and time.
    """

    def __init__(self, events: pd.DataFrame) -> None:
        self.events = events if ROW in events else events.assign(**{ROW: np.arange(len(events))})

    def each(
        self, function: Callable[[int, pd.DataFrame], T], what: str, columns: Sequence[str] | None = None
    ) -> Iterator[T]:
        """See :class:`Partitions`."""
        for number in track([0], what, 1):
            yield function(number, self.events if columns is None else self.events[list(columns)])

    def change(self, function: Callable[[int, pd.DataFrame], pd.DataFrame], what: str) -> None:
        """See :class:`Partitions`."""
        self.events = function(0, self.events)


def in_order(events: pd.DataFrame) -> pd.DataFrame:
    """Events sorted as a partition is, index 0..n-1."""
    first = first_rows(events)
    order = np.lexsort((events[ROW].to_numpy(), events["timestamp"].to_numpy(), first))
    return events.iloc[order].reset_index(drop=True)


def first_rows(events: pd.DataFrame) -> np.ndarray:
    """Place of the first event of each event's user in the log, int64 [events]."""
    return events.groupby("user_id", sort=False)[ROW].transform("min").to_numpy(np.int64)


def merge_counts(one: pd.Series | None, other: pd.Series) -> pd.Series:
    """Sum of two counts by their index."""
    return other if one is None else pd.concat([one, other]).groupby(level=0).sum()
