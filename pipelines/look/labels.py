"""Labels of items, and which of them each user's events touch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from intentrec_tf.schema import LABEL_SEPARATOR

CHUNK = 2_000_000  # events whose labels are held at once


@dataclass(frozen=True)
class Labels:
    """The labels of every item, none of them twice.

    Attributes:
        names: the label of each code.
        starts: item i has the labels ``flat[starts[i]:starts[i + 1]]``, int64 [items + 1].
        flat: label codes, int64.
    """

    names: tuple[str, ...]
    starts: np.ndarray
    flat: np.ndarray

    @classmethod
    def of(cls, values: pd.Series, kind: str, more: Iterable[str] = ()) -> Labels:
        """Read a column of items.

        Args:
            values: one text an item; ``""`` is no label.
            kind: ``multi_label`` (labels joined by ``|``) or ``categorical``.
            more: labels to know even if no item has them.
        """
        texts = values.fillna("").astype("str").reset_index(drop=True)
        long = texts.str.split(LABEL_SEPARATOR).explode() if kind == "multi_label" else texts
        long = long.str.strip()
        long = long[long != ""]
        known = pd.concat([long, pd.Series(list(more), dtype="str")])
        codes, names = pd.factorize(known)
        pairs = pd.DataFrame({"item": long.index, "label": codes[: len(long)]}).drop_duplicates()
        widths = np.bincount(pairs["item"].to_numpy(np.int64), minlength=len(texts))
        return cls(tuple(map(str, names)), np.r_[0, np.cumsum(widths)], pairs["label"].to_numpy(np.int64))

    @property
    def widths(self) -> np.ndarray:
        """Labels of each item, int64 [items]."""
        return np.diff(self.starts)

    def of_items(self, items: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """All labels of a list of items: the place in the list and the label code of each."""
        widths = self.widths[items]
        place = np.repeat(np.arange(len(items)), widths)
        within = np.arange(len(place)) - np.repeat(np.cumsum(widths) - widths, widths)
        return place, self.flat[self.starts[items][place] + within]


@dataclass(frozen=True)
class Touched:
    """Which labels users' events touch: a row for each user and label, sorted by both.

    Attributes:
        user, label: codes, int64.
        events: events of the user whose item has the label, int64.
        weight: the same with an event of n labels counting 1/n for each, float64.
    """

    user: np.ndarray
    label: np.ndarray
    events: np.ndarray
    weight: np.ndarray

    @classmethod
    def of(cls, user: np.ndarray, item: np.ndarray, labels: Labels, chunk: int = CHUNK) -> Touched:
        """Count the labels of events.

        Args:
            user, item: codes, [events].
            labels: of the items.
            chunk: events to take at a time; the result is the same.
        """
        size = max(1, len(labels.names))
        parts = []
        for start in range(0, len(user), chunk):
            piece = slice(start, start + chunk)
            place, label = labels.of_items(item[piece])
            weight = 1.0 / labels.widths[item[piece]][place]
            parts.append(_summed(user[piece][place] * size + label, np.ones(len(place), np.int64), weight))
        key, events, weight = (np.concatenate(columns) for columns in zip(*parts, strict=True)) if parts else _EMPTY
        if len(parts) > 1:
            key, events, weight = _summed(key, events, weight)
        return cls(key // size, key % size, events, weight)


@dataclass(frozen=True)
class Diversity:
    """How many labels each user touches; users without any are absent.

    Attributes:
        user: codes, int64 [users].
        distinct: number of labels, int64 [users].
        entropy: of the labels' weights in nats, float64 [users].
    """

    user: np.ndarray
    distinct: np.ndarray
    entropy: np.ndarray

    @classmethod
    def of(cls, touched: Touched) -> Diversity:
        """Measure what users touched."""
        users, row = np.unique(touched.user, return_inverse=True)
        part = touched.weight / np.bincount(row, touched.weight, len(users))[row]
        entropy = np.bincount(row, -part * np.log(part), len(users))
        return cls(users, np.bincount(row, minlength=len(users)), np.maximum(entropy, 0.0))

    @property
    def effective(self) -> np.ndarray:
        """exp(entropy): so many equally frequent labels would be as diverse."""
        return np.exp(self.entropy)


_EMPTY = (np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))


def _summed(key: np.ndarray, events: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of equal key added up, sorted by key."""
    unique, row = np.unique(key, return_inverse=True)
    return (
        unique,
        np.bincount(row, events, len(unique)).astype(np.int64),
        np.bincount(row, weight, len(unique)),
    )
