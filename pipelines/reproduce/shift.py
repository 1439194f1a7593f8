"""Accuracy on the first, second and third event after a change of interest, from the ranks that runs kept."""

from __future__ import annotations

import numpy as np
import pandas as pd

from intentrec_tf.schema import LABEL_SEPARATOR, Schema
from pipelines.input_fn import asked_events
from pipelines.prepared import PreparedData
from pipelines.reproduce.comparison import ITEM, Column, Row
from pipelines.split import TEST
from pipelines.validate import DataError

BEFORE = 5
AFTER = ("first", "second", "third")
DEFINITION = (
    f"An interest changes where an event shares no label with the user's {BEFORE} events before it and the next event "
    "shares one with it; the event after the change is the first. Events of no change: all others."
)


def shift_table(rows: list[Row], prepared: PreparedData) -> tuple[list[str], list[list[str]]]:
    """Header and rows of NDCG@10 by distance from the last change of interest.

    Args:
        rows: systems with their runs.
        prepared: the data of the runs.

    Raises:
        DataError: the schema has no multi-label category, or no change is followed by a test event.
    """
    feature = category_of(prepared.spec.schema)
    place = since_change(prepared.events, prepared.items.set_index("item_id")[feature])
    place = place[asked_events(prepared, TEST)]
    if not (place > 0).any():
        raise DataError(f"{prepared.folder}: no interest changes before a test event, so there is nothing to measure.")
    header = ["system", *(f"{name} event ({int((place == i + 1).sum()):,})" for i, name in enumerate(AFTER))]
    header.append(f"no change ({int((place == 0).sum()):,})")
    lines = []
    for row in rows:
        values = row.gains(Column(ITEM))
        assert values is not None
        if len(values) != len(place):
            raise DataError(
                f"{row.system}: its run has {len(values):,} targets, the data {len(place):,}; run it again."
            )
        groups = [values[place == i] for i in (1, 2, 3, 0)]
        lines.append([row.system, *(f"{group.mean():.4f}" if len(group) else "" for group in groups)])
    return header, lines


def category_of(schema: Schema) -> str:
    """The item feature whose labels tell interests apart: that of the first category intent.

    Raises:
        DataError: there is none.
    """
    if not schema.category_intents:
        raise DataError(f"schema '{schema.name}' has no category intent, so no change of interest can be told.")
    return schema.category_intents[0].feature


def since_change(events: pd.DataFrame, labels: pd.Series) -> np.ndarray:
    """1, 2 or 3 for the first to third event after a change of interest (the newest change counts), else 0.

    Args:
        events: sorted by user and time.
        labels: ``|``-joined labels by item id.

    Returns:
        int [events].
    """
    known = {
        item: frozenset(filter(None, str(text).split(LABEL_SEPARATOR))) for item, text in labels.fillna("").items()
    }
    sets = [known.get(item, frozenset()) for item in events["item_id"]]
    users = pd.factorize(events["user_id"])[0]
    first = np.flatnonzero(np.r_[True, users[1:] != users[:-1]])
    start = np.repeat(first, np.diff(np.r_[first, len(users)]))
    place = np.zeros(len(events), int)
    for i in range(len(events) - 1):
        if i - start[i] < BEFORE or users[i + 1] != users[i]:
            continue
        if sets[i] & sets[i + 1] and not sets[i] & frozenset().union(*sets[i - BEFORE : i]):
            for step in range(1, len(AFTER) + 1):
                if i + step < len(events) and users[i + step] == users[i]:
                    place[i + step] = step
    return place
