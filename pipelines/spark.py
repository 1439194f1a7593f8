"""Tables on Spark: the same checks and the same functions of a partition, run by Spark's workers."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import shutil
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from pyspark import SparkConf, TaskContext
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as sql
from pyspark.sql.types import IntegralType

from intentrec_tf.schema import Schema
from pipelines.datasets.checks import clean_rows
from pipelines.datasets.parquetfiles import is_parquet, parquet_files
from pipelines.datasets.tables import own_tables, read_items
from pipelines.datasets.textfiles import table_chunks
from pipelines.derive import needs_popularity
from pipelines.file_partitions import FilePartitions, by_hash
from pipelines.partitions import ROW
from pipelines.progress import console
from pipelines.sources import Source
from pipelines.spark_partitions import SparkPartitions, told
from pipelines.streaming import EVENTS_PER_PARTITION, compare_rows, complete
from pipelines.validate import DataError, ValidationReport
from serving.atomic import atomic_text

LINE = "_line"
BUCKET = "_bucket"  # rows of equal numbers are a partition
REPORT = "_report"  # pickled bytes; only in rows that are no events


@dataclass(frozen=True)
class SparkEngine:
    """How to reach Spark and the events.

    Attributes:
        conf: Spark's settings by name, e.g. ``spark.master``; without a master all cores of this machine are used.
        format: reads the events with ``spark.read.format(...)``; None tells Parquet and CSV by the name; ``table`` is
            a table of Spark's catalogue; ``jdbc`` takes the events' name as the table.
        options: of that reader.
    """

    conf: dict[str, str] = field(default_factory=dict)
    format: str | None = None
    options: dict[str, str] = field(default_factory=dict)

    def open(
        self,
        events: str,
        schema: Schema,
        work: Path,
        *,
        items: str | None = None,
        interests: str | None = None,
        max_reject_share: float = 0.2,
        min_interactions: int = 1,
    ) -> Source:
        """See :func:`pipelines.streaming.streamed_source`.

        Args:
            work: a folder for temporary files that every worker sees.
            items, interests: files on this machine.

        Raises:
            DataError: Spark cannot start, or the tables are unusable.
        """
        report = ValidationReport(max_reject_share)
        catalogue = read_items(items, schema, report) if items is not None else None
        session = self.session()
        with told():
            raw = self.read(session, events, schema)
            size = raw.count()
            count = max(1, -(-size // EVENTS_PER_PARTITION), session.sparkContext.defaultParallelism)
            if "spark.sql.shuffle.partitions" not in self.conf:
                session.conf.set("spark.sql.shuffle.partitions", count)
            work.mkdir()
            partitions = SparkPartitions(session, work.resolve() / "events", count)
            _write_partitions(raw, events, schema, report, catalogue, partitions.files())
        files = [Path(path) for path in (events, items, interests) if path is not None]
        local = [path for path in files if path.exists()]
        source = Source(
            partitions,
            pd.DataFrame(),
            schema,
            report,
            None,
            (own_tables(files),),
            tuple(file for path in local for file in parquet_files(path)),
            0,
            digests={} if Path(events).exists() else {events: _digest(partitions)},
        )
        source = complete(source, catalogue, events, interests, min_interactions)
        if needs_popularity(schema):
            partitions.add_popularity()
        return source

    def session(self) -> SparkSession:
        """The running session, or a new one.

        Raises:
            DataError: there is no Java, or Spark does not start.
        """
        if not shutil.which("java") and "JAVA_HOME" not in os.environ:
            raise DataError("Spark needs Java 17 or later, which is not there; install it or leave out --engine spark.")
        conf = SparkConf()
        usual = {
            "spark.master": "local[*]",
            "spark.ui.enabled": "false",
            "spark.ui.showConsoleProgress": str(console.is_terminal).lower(),
            "spark.log.level": "OFF",
            "spark.sql.session.timeZone": "UTC",
            "spark.sql.execution.arrow.maxRecordsPerBatch": "200000",
        }
        chosen = {name: value for name, value in usual.items() if not conf.contains(name)} | self.conf
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        here = str(Path(__file__).resolve().parents[1])  # workers of a local master import this package too
        os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys([here, *os.environ.get("PYTHONPATH", "").split(":")]))
        builder = SparkSession.builder.appName("intentrec prepare")
        for name, value in chosen.items():
            builder = builder.config(name, value)
        try:
            return builder.getOrCreate()
        except Exception as error:  # py4j's and Spark's errors have no common base
            raise DataError(f"Spark does not start ({str(error).splitlines()[0][:200]}); see its log.") from None

    def read(self, session: SparkSession, events: str, schema: Schema) -> DataFrame:
        """Raw events under their canonical names with their row numbers; text files as :data:`LINE` alone.

        Raises:
            DataError: a column is missing.
        """
        if self.is_text(events):
            return _with_rows(session, session.read.text(events), [sql.col("value").alias(LINE)])
        if self.format == "table":
            raw = session.read.table(events)
        else:
            reader = session.read.format(self.format or "parquet").options(**self.options)
            raw = reader.option("dbtable", events).load() if self.format == "jdbc" else reader.load(events)
        wanted = _names(schema)
        missing = [name for name in wanted.values() if name not in raw.columns]
        if missing:
            raise DataError(
                f"{events}: lacks the column {missing[0]} (found: {', '.join(raw.columns[:20])}); "
                "rename the column or name it in the schema."
            )
        columns = []
        for new, old in wanted.items():
            column = sql.col(f"`{old}`")
            whole = isinstance(raw.schema[old].dataType, IntegralType)
            columns.append((column.cast("string") if whole and _is_text(new, schema) else column).alias(new))
        if self.format in (None, "parquet"):
            return _with_rows(session, raw, columns)
        return raw.select(*columns).withColumn(ROW, sql.monotonically_increasing_id())

    def is_text(self, events: str) -> bool:
        """Whether the events are delimited text."""
        return self.format is None and not is_parquet(events)


def _names(schema: Schema) -> dict[str, str]:
    """Canonical name -> name in the table, of every column that is read."""
    ids = {"user_id": schema.user_id, "item_id": schema.item_id, "timestamp": schema.timestamp}
    return {**ids, **{name: name for name in schema.event_columns()}}


def _is_text(name: str, schema: Schema) -> bool:
    """Whether the canonical column holds strings."""
    kinds = {feature.name: feature.kind for feature in schema.event_features}
    duration = schema.duration_weight.column if schema.duration_weight else None
    return name in ("user_id", "item_id") or (kinds.get(name, "numeric") != "numeric" and name != duration)


def _with_rows(session: SparkSession, raw: DataFrame, columns: list[Column]) -> DataFrame:
    """Columns of files, and each row's 1-based number through all files in the order of their names."""
    place = [sql.col("_metadata.file_path").alias("_file"), sql.col("_metadata.file_block_start").alias("_start")]
    numbered = raw.select(*columns, *place, sql.monotonically_increasing_id().alias("_id"))
    groups = numbered.groupBy("_file", "_start")
    counts = groups.agg(sql.count("_id").alias("rows"), sql.min("_id").alias("least"))
    shifts, done = [], 0
    for block in sorted(counts.collect(), key=lambda block: (Path(block["_file"]).parts, block["_start"])):
        shifts.append((block["_file"], block["_start"], done + 1 - block["least"]))
        done += block["rows"]
    table = session.createDataFrame(shifts, "_file string, _start long, _shift long")
    joined = numbered.join(sql.broadcast(table), ["_file", "_start"])
    return joined.withColumn(ROW, sql.col("_id") + sql.col("_shift")).drop("_file", "_start", "_id", "_shift")


@dataclass(frozen=True)
class _Clean:
    """The checks of single rows, for ``mapInPandas``; last, a row with their report.

    Attributes:
        file: name of the events for messages.
        schema: of the data.
        count: number of partitions.
        floats: folder for a file per task with the id columns whose every id is like ``1.0``.
        header: first line of a text file; None for tables.
    """

    file: str
    schema: Schema
    count: int
    floats: Path
    header: str | None

    def __call__(self, batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        if not self.floats.is_dir():
            raise DataError(
                f"{self.floats.parent}: one of Spark's workers has no such folder; name an --out on a disk that every "
                "worker sees under the same path."
            )
        task = TaskContext.get()
        assert task is not None  # a worker runs this
        bucket = by_hash("user_id", self.count)
        report, floats = ValidationReport(1.0), {"user_id", "item_id"}
        for batch in batches:
            for frame in self.pieces(batch, report):
                rows, found = clean_rows(frame, self.file, self.schema, report)
                floats &= found
                events = rows.rename_axis(ROW).reset_index()
                yield _plain(events.assign(**{BUCKET: bucket(events), REPORT: None}))
        atomic_text(self.floats / f"{task.partitionId():05d}.json", json.dumps(sorted(floats)))
        yield _report_row(self.schema, self.count + task.partitionId(), report)

    def pieces(self, batch: pd.DataFrame, report: ValidationReport) -> Iterator[pd.DataFrame]:
        """Raw events by row number."""
        if self.header is None:
            report.read(self.file, len(batch))
            yield batch.set_index(ROW)
            return
        names = _names(self.schema)
        cuts = np.flatnonzero(np.diff(batch[ROW]) != 1) + 1  # a batch may hold the end of a block and another's start
        for part in np.split(np.arange(len(batch)), cuts):
            lines, first = batch[LINE].iloc[part].tolist(), int(batch[ROW].iloc[part[0]])
            data = "\n".join([self.header, *lines, ""]).encode()
            for frame in table_chunks(
                io.BytesIO(data), self.file, report, list(names.values()), size=len(data), skipped=first - 2
            ):
                yield pd.DataFrame({new: frame[old] for new, old in names.items()}, index=frame.index)


@dataclass(frozen=True)
class _Compare:
    """The checks between the rows of a partition, which is then written, for ``applyInPandas``; a row with the report.

    Attributes:
        file, schema, floats: see :class:`_Clean`, whose tasks are all done.
        catalogue: None where there is none.
        files: of the partitions.
    """

    file: str
    schema: Schema
    floats: Path
    catalogue: pd.DataFrame | None
    files: FilePartitions

    def __call__(self, rows: pd.DataFrame) -> pd.DataFrame:
        number = int(rows[BUCKET].iloc[0])
        if number >= self.files.count:
            return rows[[REPORT]]
        found = [set(json.loads(place.read_text())) for place in self.floats.glob("*.json")]
        frame = rows.drop(columns=[BUCKET, REPORT])
        clean, report = compare_rows(frame, self.file, self.schema, set.intersection(*found), self.catalogue)
        self.files.write(number, clean)
        return pd.DataFrame({REPORT: [pickle.dumps(report)]})


def _report_row(schema: Schema, number: int, report: ValidationReport) -> pd.DataFrame:
    """A row that is a partition of its own, carries a report and is no event."""
    values: dict[str, list[object]] = {ROW: [0]}
    for name in _names(schema):
        values[name] = [""] if _is_text(name, schema) else [0] if name == "timestamp" else [0.0]
    return pd.DataFrame({**values, BUCKET: [number], REPORT: [pickle.dumps(report)]})


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with its strings as Python's: Spark takes no Arrow strings in several chunks."""
    return frame.astype({name: object for name in frame if pd.api.types.is_string_dtype(frame[name].dtype)})


def _write_partitions(
    raw: DataFrame,
    file: str,
    schema: Schema,
    report: ValidationReport,
    catalogue: pd.DataFrame | None,
    files: FilePartitions,
) -> None:
    """Write clean events in partitions; what was rejected goes into ``report``."""
    header = None
    if LINE in raw.columns:
        first = raw.where(sql.col(ROW) == 1).select(LINE).first()
        header = (first[0] if first else "").removeprefix("\ufeff")
        wanted = list(_names(schema).values())
        list(table_chunks(io.BytesIO(header.encode()), file, ValidationReport(), wanted))  # tells what is missing
        raw = raw.where(sql.col(ROW) > 1)
    kinds = {name: "string" if _is_text(name, schema) else "double" for name in _names(schema)}
    kinds |= {"timestamp": "long"}
    fields = [f"{ROW} long", *(f"`{name}` {kind}" for name, kind in kinds.items()), f"{BUCKET} int", f"{REPORT} binary"]
    floats = files.folder.with_name("floats")
    for folder in (files.folder, floats):
        folder.mkdir()
    clean, compare = _Clean(file, schema, files.count, floats, header), _Compare(file, schema, floats, catalogue, files)
    rows = raw.mapInPandas(lambda batches: clean(batches), ", ".join(fields))
    for row in rows.groupBy(BUCKET).applyInPandas(lambda rows: compare(rows), f"{REPORT} binary").collect():
        report.merge(pickle.loads(row[REPORT]))
    report.check(file)


def _digest(partitions: SparkPartitions) -> str:
    """SHA-256 over the events, whatever their order and partitions, for input that is no file here."""
    total = sum(partitions.each(_hash, "hashing events")) % 2**64
    return hashlib.sha256(str(total).encode()).hexdigest()


def _hash(number: int, events: pd.DataFrame) -> int:
    return int(pd.util.hash_pandas_object(events.drop(columns=ROW), index=False).to_numpy().sum(dtype=np.uint64))
