"""A user's own tables: events, items and interests as CSV, gzipped CSV or Parquet, named by a schema."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from intentrec_tf.schema import Schema
from pipelines.datasets.base import RawData
from pipelines.datasets.checks import bare_items, clean_events, clean_interests, clean_items
from pipelines.datasets.parquetfiles import is_parquet, parquet_chunks, parquet_files
from pipelines.datasets.textfiles import open_file, table_chunks
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
        events: file (or folder of Parquet files) with ``schema.user_id``, ``item_id``, ``timestamp`` and the event
            columns.
        schema: names, units and kinds of the columns.
        items: file with ``schema.item_id`` and the item columns; may be left out if the schema needs none.
        interests: file with ``schema.user_id`` and ``interest`` (a label of ``schema.explicit_interests``),
            and optionally ``schema.timestamp``.
        max_reject_share: largest share of a file's rows that may be rejected.
        sources: sentences for people about the data.

    Raises:
        DataError: a file is missing or unusable.
    """
    files = [Path(path) for path in (events, items, interests) if path is not None]
    report = ValidationReport(max_reject_share)
    catalogue = read_items(items, schema, report) if items is not None else None
    clean = read_events(events, schema, report, catalogue)
    if catalogue is None:
        catalogue = bare_items(clean["item_id"], schema, str(events))
    declared = read_interests(interests, schema, report, catalogue) if interests is not None else None
    read = tuple(file for path in files for file in parquet_files(path))
    return RawData(clean, catalogue, schema, report, declared, None, sources or (own_tables(files),), read)


def own_tables(files: Sequence[Path]) -> str:
    """Where the data came from, for people."""
    return "Tables of your own: " + ", ".join(file.name for file in files) + "."


def read_items(path: str | Path, schema: Schema, report: ValidationReport) -> pd.DataFrame:
    """The canonical catalogue; see :func:`load_tables`."""
    raw = pd.concat(list(_chunks(path, report, {"item_id": schema.item_id}, schema.item_columns())))
    return clean_items(raw, str(path), schema, report)


def read_interests(path: str | Path, schema: Schema, report: ValidationReport, items: pd.DataFrame) -> pd.DataFrame:
    """The canonical declared interests; see :func:`load_tables`."""
    names = {"user_id": schema.user_id, "interest": "interest"}
    raw = pd.concat(list(_chunks(path, report, names, (), {"timestamp": schema.timestamp})))
    return clean_interests(raw, str(path), schema, report, items)


def read_events(
    path: str | Path, schema: Schema, report: ValidationReport, items: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Canonical events; with a catalogue, events of other items are rejected.

    Raises:
        DataError: the file is missing or unusable.
    """
    raw = pd.concat(list(event_chunks(path, schema, report)))
    return clean_events(raw, str(path), schema, report, items)


def event_chunks(path: str | Path, schema: Schema, report: ValidationReport) -> Iterator[pd.DataFrame]:
    """Raw events under their canonical names in pieces, in the order of the file, at least one.

    Raises:
        DataError: the file is missing or unusable.
    """
    ids = {"user_id": schema.user_id, "item_id": schema.item_id, "timestamp": schema.timestamp}
    return _chunks(path, report, ids, schema.event_columns())


def _chunks(
    path: str | Path,
    report: ValidationReport,
    renamed: dict[str, str],
    columns: Sequence[str],
    optional: dict[str, str] | None = None,
) -> Iterator[pd.DataFrame]:
    """Columns of a file under their canonical names, indexed by line (Parquet: row) number.

    Args:
        path: file to read, or a folder of Parquet files.
        report: counts its rows.
        renamed: canonical name -> name in the file.
        columns: further columns, kept under their names.
        optional: like ``renamed``, for columns that may be absent.
    """
    optional = optional or {}
    needed = [*renamed.values(), *columns]
    if is_parquet(path):
        frames = parquet_chunks(path, report, needed, optional=list(optional.values()))
    else:
        frames = _text_chunks(path, report, needed, list(optional.values()))
    for frame in frames:
        named = {new: frame[old] for new, old in {**renamed, **optional}.items() if old in frame}
        yield pd.DataFrame({**named, **{name: frame[name] for name in columns}}, index=frame.index)


def _text_chunks(
    path: str | Path, report: ValidationReport, columns: Sequence[str], optional: Sequence[str]
) -> Iterator[pd.DataFrame]:
    with open_file(path) as stream:
        yield from table_chunks(stream, str(path), report, columns, optional=optional)
