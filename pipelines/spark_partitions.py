"""Partitions as groups of rows of a Spark data frame."""

from __future__ import annotations

import contextlib
import pickle
import re
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import pandas as pd
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame
from pyspark.sql import functions as sql
from pyspark.storagelevel import StorageLevel

from pipelines.partitions import POPULARITY, ROW, T
from pipelines.validate import DataError

BUCKET = "_bucket"  # rows of equal numbers are a partition
PLACE = "_place"  # place of a row in its partition
REPORT = "_report"  # pickled bytes; only in rows that are no events
_TOLD = re.compile(r"pipelines\.validate\.DataError: (.*)")


class SparkPartitions:
    """Partitions that Spark's workers handle one after another, without another shuffle.

    Args:
        frame: canonical events, row, :data:`BUCKET` and :data:`PLACE`; a partition of Spark's holds whole ones of
            ours, their rows together and in order, as ``groupBy(BUCKET).applyInPandas`` leaves them.
    """

    def __init__(self, frame: DataFrame) -> None:
        self.frame = frame
        with told():
            self.buckets = sorted(row[0] for row in frame.select(BUCKET).distinct().collect())

    def each(
        self, function: Callable[[int, pd.DataFrame], T], what: str, columns: Sequence[str] | None = None
    ) -> Iterator[T]:
        """See :class:`pipelines.partitions.Partitions`; all partitions are computed at the first one asked for."""
        names = [name for name in self.frame.columns if name not in (BUCKET, PLACE)]
        wanted = names if columns is None else list(dict.fromkeys(columns))
        frame = self.frame.select(*wanted, BUCKET, PLACE)
        numbers = {bucket: number for number, bucket in enumerate(self.buckets)}

        def compute(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
            for bucket, rows in whole(batches):
                result = pickle.dumps(function(numbers[bucket], rows[wanted]))
                yield pd.DataFrame({"number": [numbers[bucket]], "result": [result]})

        with told():
            found = frame.mapInPandas(compute, "number int, result binary").collect()
        for row in sorted(found, key=lambda row: row["number"]):
            yield pickle.loads(row["result"])

    def change(self, function: Callable[[int, pd.DataFrame], pd.DataFrame], what: str) -> None:
        """See :class:`pipelines.partitions.Partitions`."""

        before = self.frame
        names = before.columns

        def compute(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
            for bucket, rows in whole(batches):
                changed = function(bucket, rows.drop(columns=[BUCKET, PLACE]))
                yield plain(numbered(changed, bucket)[names])

        self.__init__(keep(before.mapInPandas(compute, before.schema)))  # type: ignore[misc]
        before.unpersist()

    def add_popularity(self) -> None:
        """Add the column :data:`~pipelines.partitions.POPULARITY`."""
        from pyspark.sql import Window

        first = sql.min(ROW).over(Window.partitionBy("user_id"))
        in_time = Window.partitionBy("item_id").orderBy("timestamp", "_first", ROW)
        earlier = (sql.row_number().over(in_time) - 1).cast("double")
        before = self.frame
        counted = before.withColumn("_first", first).withColumn(POPULARITY, earlier).drop("_first")
        self.frame = keep(counted.repartition(BUCKET).sortWithinPartitions(BUCKET, PLACE))


def whole(batches: Iterable[pd.DataFrame]) -> Iterator[tuple[int, pd.DataFrame]]:
    """Number and rows, index 0..n-1, of every partition in a partition of Spark's, which comes in pieces.

    Raises:
        RuntimeError: rows of a partition are not together or not in order.
    """
    parts: list[pd.DataFrame] = []
    for batch in batches:
        for bucket, rows in batch.groupby(BUCKET, sort=False):
            if parts and parts[0][BUCKET].iloc[0] != bucket:
                yield _joined(parts)
                parts = []
            parts.append(rows)
    if parts:
        yield _joined(parts)


def _joined(parts: list[pd.DataFrame]) -> tuple[int, pd.DataFrame]:
    rows = pd.concat(parts, ignore_index=True)
    if not np.array_equal(rows[PLACE], np.arange(len(rows))):
        raise RuntimeError("Spark handed a partition's rows out of order")
    return int(rows[BUCKET].iloc[0]), rows


def numbered(events: pd.DataFrame, bucket: int) -> pd.DataFrame:
    """Events of a partition in order, with its number and their places."""
    numbers: dict[str, np.ndarray] = {BUCKET: np.full(len(events), bucket), PLACE: np.arange(len(events))}
    return events.assign(**numbers)


def plain(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with its strings as Python's: Spark takes no Arrow strings in several chunks."""
    return frame.astype({name: object for name in frame if pd.api.types.is_string_dtype(frame[name].dtype)})


def keep(frame: DataFrame) -> DataFrame:
    """Have a data frame computed once, on the workers' disks."""
    return frame.persist(StorageLevel.DISK_ONLY)


@contextlib.contextmanager
def told() -> Iterator[None]:
    """What a worker complained of in one sentence is raised as it is; what else Spark says becomes one sentence."""
    try:
        yield
    except PySparkException as error:
        found = _TOLD.search(str(error))
        if found:
            raise DataError(found[1]) from None
        lines = [line.strip() for line in str(error).strip().splitlines()]
        said = lines[-1 if "Traceback" in str(error) else 0][:300].rstrip(".")
        raise DataError(f"Spark: {said}; correct it, or see more with --spark spark.log.level=ERROR.") from None
