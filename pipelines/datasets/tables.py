"""A user's own tables: events, items and interests as CSV, gzipped CSV or Parquet, named by a schema."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from intentrec_tf.schema import Schema
from pipelines.datasets.base import RawData
from pipelines.datasets.checks import bare_items, clean_events, clean_interests, clean_items
from pipelines.datasets.parquetfiles import read_parquet
from pipelines.datasets.textfiles import parse_table, read_file
from pipelines.validate import ValidationReport


def load_tables(
    events: str | Path,
    schema: Schema,
    *,
    items: str | Path | None = None,
    interests: str | Path | None = None,
    max_reject_share: float = 0.2,
    sources: tuple[str, ...] = (),
) -> RawData:
    """Read tables whose columns ``schema`` names.

    Args:
        events: file with ``schema.user_id``, ``item_id``, ``timestamp`` and the event columns.
        schema: names, units and kinds of the columns.
        items: file with ``schema.item_id`` and the item columns; may be left out if the schema needs none.
        interests: file with ``schema.user_id`` and ``interest`` (a label of ``schema.explicit_interests``),
            and optionally ``schema.timestamp``.
        max_reject_share: largest share of a file's rows that may be rejected.
        sources: sentences for people about the data.

    Raises:
        DataError: a file is missing or unusable.
    """
    report = ValidationReport(max_reject_share)
    files = [Path(events)]
    catalogue = None
    if items is not None:
        files.append(Path(items))
        catalogue = read_items(items, schema, report)
    clean = read_events(events, schema, report, catalogue)
    if catalogue is None:
        catalogue = bare_items(clean, schema, str(events))
    declared = None
    if interests is not None:
        files.append(Path(interests))
        names = {"user_id": schema.user_id, "interest": "interest"}
        raw = _read(interests, report, names, (), {"timestamp": schema.timestamp})
        declared = clean_interests(raw, str(interests), schema, report, catalogue)
    origin = "Tables of your own: " + ", ".join(file.name for file in files) + "."
    return RawData(clean, catalogue, schema, report, declared, None, sources or (origin,), tuple(files))


def read_events(
    path: str | Path, schema: Schema, report: ValidationReport, items: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Canonical events of one file; with a catalogue, events of other items are rejected.

    Raises:
        DataError: the file is missing or unusable.
    """
    ids = {"user_id": schema.user_id, "item_id": schema.item_id, "timestamp": schema.timestamp}
    raw = _read(path, report, ids, schema.event_columns())
    return clean_events(raw, str(path), schema, report, items)


def read_items(path: str | Path, schema: Schema, report: ValidationReport) -> pd.DataFrame:
    """Canonical catalogue of one file.

    Raises:
        DataError: the file is missing or unusable.
    """
    raw = _read(path, report, {"item_id": schema.item_id}, schema.item_columns())
    return clean_items(raw, str(path), schema, report)


def _read(
    path: str | Path,
    report: ValidationReport,
    renamed: dict[str, str],
    columns: Sequence[str],
    optional: dict[str, str] | None = None,
) -> pd.DataFrame:
    """Columns of a file under their canonical names, indexed by line (Parquet: row) number.

    Args:
        path: file to read.
        report: counts its rows.
        renamed: canonical name -> name in the file.
        columns: further columns, kept under their names.
        optional: like ``renamed``, for columns that may be absent.
    """
    optional = optional or {}
    needed = [*renamed.values(), *columns]
    if str(path).lower().endswith((".parquet", ".pq")):
        frame = read_parquet(path, str(path), report, needed, optional=list(optional.values()))
    else:
        frame = parse_table(read_file(path), str(path), report, needed, optional=list(optional.values()))
    named = {new: frame[old] for new, old in {**renamed, **optional}.items() if old in frame}
    return pd.DataFrame({**named, **{name: frame[name] for name in columns}}, index=frame.index)
