"""S3-Rec's processed data: sequences of items, times line by line, numbered item attributes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from intentrec_tf.schema import Schema
from pipelines.datasets.base import RawData
from pipelines.datasets.checks import clean_events, clean_items
from pipelines.datasets.folder import DataFolder
from pipelines.datasets.textfiles import decode
from pipelines.validate import DataError, ValidationReport


def load_s3rec(raw: str | Path, schema: Schema, *, stem: str, max_reject_share: float = 0.2) -> RawData:
    """Read ``<stem>.txt``, ``<stem>_time.txt`` and ``<stem>_item2attributes.json``.

    Events keep the given order.  Attributes become labels ``a<id>``; an item without any has none.

    Args:
        raw: folder or zip file.
        schema: may use items' ``attributes``.
        stem: ``Beauty`` or ``Yelp``.
        max_reject_share: largest share of a file's rows (events) that may be rejected.

    Raises:
        DataError: a file is missing or unusable; a line that does not match its line of times is rejected,
            not fatal.
    """
    folder = DataFolder(raw)
    report = ValidationReport(max_reject_share)
    names = (f"{stem}.txt", f"{stem}_time.txt", f"{stem}_item2attributes.json")
    sequences, times = (decode(folder.read(name), name).splitlines() for name in names[:2])
    events = _events(sequences, times, names[0], names[1], report)
    attributes = _attributes(decode(folder.read(names[2]), names[2]), names[2])
    known = dict.fromkeys(attributes)
    known.update(dict.fromkeys(pd.unique(events["item_id"])))
    raw_items = pd.DataFrame({"item_id": list(known)}, dtype="str")
    raw_items["attributes"] = [attributes.get(item, "") for item in known]
    raw_items.index = pd.RangeIndex(1, len(raw_items) + 1)
    report.read(names[2], len(raw_items))
    wrong = [name for name in (*schema.event_columns(), *schema.item_columns()) if name != "attributes"]
    if wrong:
        raise DataError(
            f"schema '{schema.name}': S3-Rec data have no column '{wrong[0]}' (only attributes); remove it."
        )
    items = clean_items(raw_items, names[2], schema, report)
    clean = clean_events(events, names[0], schema, report, items)
    sources = (
        f"{stem} as processed by S3-Rec (CIKM 2020): no terms of use stated, attributes unnamed.",
        f"{_backward_users(clean):,} users have times that go backwards; a sort by time reorders them.",
    )
    return RawData(clean, items, schema, report, None, None, sources, folder.files(*names))


def _events(
    sequences: list[str], times: list[str], file: str, times_file: str, report: ValidationReport
) -> pd.DataFrame:
    """One row per event, indexed by the line of its sequence."""
    if len(sequences) != len(times):
        raise DataError(
            f"{file}: has {len(sequences)} lines but {times_file} has {len(times)}; "
            "both need one line per user, so copy both files again."
        )
    users: list[str] = []
    items: list[str] = []
    stamps: list[str] = []
    lines: list[int] = []
    for line, (left, right) in enumerate(zip(sequences, times, strict=True), start=1):
        sequence, clock = left.split(), right.split()
        if not sequence and not clock:
            continue
        count = max(len(sequence) - 1, 1)
        report.read(file, count)
        if not sequence or not clock or sequence[0] != clock[0]:
            reason = f"{times_file} has another user in this line"
        elif len(sequence) != len(clock) or len(sequence) == 1:
            reason = f"{times_file} has another number of entries in this line, or there is none"
        else:
            users.extend([sequence[0]] * count)
            items.extend(sequence[1:])
            stamps.extend(clock[1:])
            lines.extend([line] * count)
            continue
        report.reject(file, [line] * count, "timestamp", [left[:200]] * count, reason)
    index = pd.Index(np.asarray(lines, dtype="int64"))
    columns = {"user_id": users, "item_id": items, "timestamp": stamps}
    return pd.DataFrame(columns, index=index, dtype="str")


def _backward_users(events: pd.DataFrame) -> int:
    """Number of users whose given order contradicts their times."""
    same = events["user_id"] == events["user_id"].shift()
    return int(events["user_id"][same & (events["timestamp"].diff() < 0)].nunique())


def _attributes(content: str, file: str) -> dict[str, str]:
    """Labels per item, joined by ``|``."""
    try:
        values = json.loads(content)
        return {str(item): "|".join(f"a{int(number)}" for number in numbers) for item, numbers in values.items()}
    except json.JSONDecodeError as error:
        raise DataError(f"{file}: line {error.lineno} is not valid JSON ({error.msg}); copy the file again.") from None
    except (AttributeError, TypeError, ValueError):
        raise DataError(f"{file}: must map each item to a list of attribute numbers; copy the file again.") from None
