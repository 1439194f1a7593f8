"""Tables larger than memory: read in pieces, distributed over files by user, one file after another in memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet

from intentrec_tf.schema import Schema
from pipelines.datasets.checks import bare_items, clean_log, clean_rows
from pipelines.datasets.parquetfiles import is_parquet, parquet_files
from pipelines.datasets.tables import event_chunks, own_tables, read_interests, read_items
from pipelines.derive import needs_popularity, popularity
from pipelines.file_partitions import FilePartitions, by_hash, distribute
from pipelines.partitions import POPULARITY, ROW, first_rows, in_order
from pipelines.progress import track
from pipelines.sources import Source, nothing_left
from pipelines.validate import ValidationReport

EVENTS_PER_PARTITION = 500_000
MOST_PARTITIONS = 800  # files open at a time
BYTES_PER_EVENT = 40  # of a text file; a guess that only the number of partitions depends on
PACKED = 5  # a gzip file grows about so many times


def streamed_source(
    events: str | Path,
    schema: Schema,
    work: Path,
    *,
    items: str | Path | None = None,
    interests: str | Path | None = None,
    max_reject_share: float = 0.2,
    min_interactions: int = 1,
) -> Source:
    """Tables of one's own, of any length, with the same checks as :func:`pipelines.datasets.tables.load_tables`.

    Memory holds a piece of the log or a partition (about :data:`EVENTS_PER_PARTITION` events), the catalogue, some
    numbers a user, and the rejected rows.

    Args:
        work: a folder for temporary files, about twice the size of the log.
        min_interactions: items with fewer valid events are left out.

    Raises:
        DataError: a file is missing or unusable.
    """
    report = ValidationReport(max_reject_share)
    files = [Path(path) for path in (events, items, interests) if path is not None]
    catalogue = read_items(items, schema, report) if items is not None else None
    count = partition_count(events)
    work.mkdir()
    pieces = _Pieces(events, schema, report)
    read = distribute(track(pieces, "reading events", count), by_hash("user_id", count), count, work / "rows")
    partitions = FilePartitions(work / "events", count)
    partitions.folder.mkdir()
    for number in track(range(count), "sorting by user", count):
        frame = read(number)
        if frame is not None:
            clean, part = compare_rows(frame, str(events), schema, pieces.floats, catalogue)
            report.merge(part)
            partitions.write(number, clean)
    (work / "rows").rmdir()
    report.check(str(events))
    names = own_tables(files)
    found = tuple(file for path in files for file in parquet_files(path))
    source = Source(partitions, pd.DataFrame(), schema, report, None, (names,), found, 0)
    source = complete(source, catalogue, str(events), interests, min_interactions)
    if needs_popularity(schema):
        add_popularity(partitions, work)
    return source


def compare_rows(
    frame: pd.DataFrame, file: str, schema: Schema, floats: set[str], catalogue: pd.DataFrame | None
) -> tuple[pd.DataFrame, ValidationReport]:
    """The checks between rows, for all rows of some users.

    Args:
        frame: rows from :func:`pipelines.datasets.checks.clean_rows` and :data:`~pipelines.partitions.ROW`.

    Returns:
        A partition, and what was rejected.
    """
    report = ValidationReport(1.0)
    rows = frame.set_index(ROW).sort_index()
    return in_order(clean_log(rows, file, schema, report, floats, catalogue).reset_index()), report


def complete(
    source: Source, catalogue: pd.DataFrame | None, file: str, interests: str | Path | None, min_interactions: int
) -> Source:
    """Add catalogue and interests to a source, and leave rare items out.

    Args:
        source: its partitions hold every valid event.
        catalogue: None makes one of the events' items.
        file: name of the events for messages.

    Raises:
        DataError: there is no catalogue where one is needed, interests are unusable, or no event is left.
    """
    schema, partitions = source.schema, source.partitions
    counts: pd.DataFrame | None = None
    for part in partitions.each(_items, "counting items", ("item_id", ROW)):
        counts = part if counts is None else pd.concat([counts, part]).groupby(level=0).agg(_AGGREGATES)
    assert counts is not None  # the report was checked: there are events
    if catalogue is None:
        catalogue = bare_items(counts["first"].sort_values().index.to_series(), schema, file)
    declared = read_interests(interests, schema, source.report, catalogue) if interests is not None else None
    rare = counts["size"][counts["size"] < min_interactions]
    if len(rare) == len(counts):
        raise nothing_left(min_interactions)
    if len(rare):
        partitions.change(_Without(set(rare.index)), "leaving out rare items")
    return dataclasses.replace(source, items=catalogue, interests=declared, dropped=int(rare.sum()))


_AGGREGATES = {"size": "sum", "first": "min"}


def _items(number: int, events: pd.DataFrame) -> pd.DataFrame:
    """Events of every item and the row of the first, indexed by item."""
    groups = events.groupby("item_id")[ROW]
    return pd.DataFrame({"size": groups.size(), "first": groups.min()})


class _Without:
    """A partition without the events of some items."""

    def __init__(self, items: set[str]) -> None:
        self.items = items

    def __call__(self, number: int, events: pd.DataFrame) -> pd.DataFrame:
        return in_order(events[~events["item_id"].isin(self.items)])


def partition_count(events: str | Path) -> int:
    """How many partitions a log should have."""
    if is_parquet(events):
        try:
            rows = sum(pyarrow.parquet.read_metadata(file).num_rows for file in parquet_files(events))
        except (OSError, pyarrow.ArrowInvalid):
            rows = 0  # reading it says what is wrong
    else:
        size = Path(events).stat().st_size if Path(events).is_file() else 0
        rows = size * (PACKED if str(events).endswith(".gz") else 1) // BYTES_PER_EVENT
    return int(min(max(1, -(-rows // EVENTS_PER_PARTITION)), MOST_PARTITIONS))


def add_popularity(partitions: FilePartitions, work: Path) -> None:
    """Add the column :data:`~pipelines.partitions.POPULARITY`: by item, count, and back to the users."""
    count = partitions.count
    read = distribute(_keys(partitions), by_hash("item_id", count), count, work / "items")
    counted = (_popular(frame) for number in range(count) if (frame := read(number)) is not None)
    back = distribute(counted, lambda frame: frame["number"].to_numpy(np.int64), count, work / "counts")

    def with_counts(number: int, events: pd.DataFrame) -> pd.DataFrame:
        found = back(number)
        assert found is not None  # every event came back
        return events.assign(**{POPULARITY: found.set_index(ROW)[POPULARITY].reindex(events[ROW]).to_numpy()})

    partitions.change(with_counts, "counting earlier events of items")
    (work / "items").rmdir()
    (work / "counts").rmdir()


def _keys(partitions: FilePartitions) -> Iterator[pd.DataFrame]:
    """What the order of events in time depends on, and the number of the file they are in."""
    for number in partitions.numbers():
        events = pd.read_parquet(partitions.place(number), columns=["user_id", "item_id", "timestamp", ROW])
        yield events.drop(columns="user_id").assign(first=first_rows(events), number=number)


def _popular(events: pd.DataFrame) -> pd.DataFrame:
    ordered = events.sort_values(["first", "timestamp", ROW], ignore_index=True)
    return ordered[["number", ROW]].assign(**{POPULARITY: popularity(ordered)})


class _Pieces:
    """The log's pieces after the checks of single rows.

    Attributes:
        floats: after the last piece, the id columns whose every id is like ``1.0``.
    """

    def __init__(self, events: str | Path, schema: Schema, report: ValidationReport) -> None:
        self.events, self.schema, self.report = events, schema, report
        self.floats = {"user_id", "item_id"}

    def __iter__(self) -> Iterator[pd.DataFrame]:
        for piece in event_chunks(self.events, self.schema, self.report):
            clean, floats = clean_rows(piece, str(self.events), self.schema, self.report)
            self.floats &= floats
            yield clean.rename_axis(ROW).reset_index()
