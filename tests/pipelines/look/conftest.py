"""Logs in a line, and prepared folders written without TensorFlow."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipelines.look.log import Log
from pipelines.prepared import FORMAT, PreparedData

START = 1_700_000_000
Event = tuple[str, str, int, int]  # user, item, seconds after START, part


def events_frame(rows: Sequence[Event], start: int = START) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp", "split"])
    return frame.assign(timestamp=frame["timestamp"] + start, split=frame["split"].astype("int8"))


def make_log(rows: Sequence[Event], catalogue: Sequence[str] = ()) -> Log:
    """A log of events, sorted as given; the catalogue is what occurs unless it is named."""
    frame = events_frame(rows)
    return Log.of(frame, pd.Series(list(catalogue) or list(dict.fromkeys(frame["item_id"])), dtype="str"))


def write_prepared(
    folder: Path,
    rows: Sequence[Event],
    items: dict[str, list[Any]],
    schema: dict[str, Any] | None = None,
    interests: Sequence[tuple[Any, ...]] | None = None,
    columns: dict[str, list[Any]] | None = None,
    shares: dict[str, dict[str, float]] | None = None,
    start: int = START,
) -> PreparedData:
    """What ``look`` reads of a prepared data set.

    Args:
        items: columns of the catalogue.
        schema: beside the name.
        interests: rows of user, label and maybe seconds after ``start``.
        columns: more columns of the events.
        shares: labels that the model knows, by intent.
    """
    folder.mkdir(parents=True)
    events = events_frame(rows, start).assign(**(columns or {}))
    events.to_parquet(folder / "events.parquet", index=False)
    pd.DataFrame(items).to_parquet(folder / "items.parquet", index=False)
    if interests is not None:
        names = ["user_id", "interest", "timestamp"][: len(interests[0]) if interests else 2]
        frame = pd.DataFrame(interests, columns=names)
        if "timestamp" in frame:
            frame["timestamp"] += start
        frame.to_parquet(folder / "interests.parquet", index=False)
    manifest = {
        "format": FORMAT,
        "fingerprint": "f" * 64,
        "request": {"split": {"kind": "time"}},
        "schema": {"name": "log", **(schema or {})},
        "sources": ["A source."],
        "validation": {
            "rows_read": {"/machine/log.csv": len(rows) + 2},
            "rows_rejected": {"/machine/log.csv": 2},
            "reasons": {"id is empty": 2},
            "notes": ["/machine/log.csv: odd ids."],
        },
        "statistics": {
            "items": len(set(events["item_id"])),
            "events": len(rows),
            "events_left_out_min_interactions": 3,
            "events_of_items_unknown_in_training": 1,
            "intent_shares": shares or {},
        },
    }
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return PreparedData(folder)


@pytest.fixture(scope="session")
def log_of() -> Callable[..., Log]:
    """:func:`make_log`."""
    return make_log


@pytest.fixture(scope="session")
def write() -> Callable[..., PreparedData]:
    """:func:`write_prepared`."""
    return write_prepared
