"""Partitions in files that Spark's workers handle, each partition in a task of its own."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pandas as pd
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import functions as sql

from pipelines.file_partitions import FilePartitions
from pipelines.partitions import POPULARITY, ROW, T
from pipelines.validate import DataError

_TOLD = re.compile(r"pipelines\.validate\.DataError: (.*)")


class SparkPartitions(FilePartitions):
    """Partitions in Parquet files; a worker reads of a file the columns it needs, without another shuffle.

    Args:
        session: whose workers all see the folder.
        folder, count: see :class:`FilePartitions`.
    """

    def __init__(self, session: SparkSession, folder: Path, count: int) -> None:
        super().__init__(folder, count)
        self.session = session

    def each(
        self, function: Callable[[int, pd.DataFrame], T], what: str, columns: Sequence[str] | None = None
    ) -> Iterator[T]:
        """See :class:`pipelines.partitions.Partitions`; all partitions are computed at the first one asked for."""
        place, wanted = self.files().place, None if columns is None else list(columns)
        yield from self._run(lambda task: function(task[0], pd.read_parquet(place(task[1]), columns=wanted)))

    def change(self, function: Callable[[int, pd.DataFrame], pd.DataFrame], what: str) -> None:
        """See :class:`pipelines.partitions.Partitions`."""
        before = self.files()
        with self._replaced() as after:
            self._run(lambda task: after.write(task[1], function(task[1], pd.read_parquet(before.place(task[1])))))

    def add_popularity(self) -> None:
        """Add the column :data:`~pipelines.partitions.POPULARITY`."""
        from pyspark.sql import Window

        first = sql.min(ROW).over(Window.partitionBy("user_id"))
        in_time = Window.partitionBy("item_id").orderBy("timestamp", "first", ROW)
        earlier = (sql.row_number().over(in_time) - 1).cast("double")
        file = sql.regexp_extract("_metadata.file_name", r"\d+", 0).cast("int")
        before = self.files()
        with self._replaced() as after, told():

            def add(counted: pd.DataFrame) -> pd.DataFrame:
                number = int(counted["number"].iloc[0])
                events = pd.read_parquet(before.place(number))
                counts = counted.set_index(ROW)[POPULARITY].reindex(events[ROW]).to_numpy()
                after.write(number, events.assign(**{POPULARITY: counts}))
                return counted[["number"]].head(1)

            events = self.session.read.parquet(self.folder.as_uri()).withColumn("number", file)
            counted = events.withColumn("first", first).withColumn(POPULARITY, earlier)
            counted.select("number", ROW, POPULARITY).groupBy("number").applyInPandas(add, "number int").collect()

    def files(self) -> FilePartitions:
        """The same partitions without the session, which no worker may have."""
        return FilePartitions(self.folder, self.count)

    def _run(self, compute: Callable[[tuple[int, int]], T]) -> list[T]:
        """What a function returns of (place, number) of every partition that is there."""
        there = self.numbers()
        with told():
            return self.session.sparkContext.parallelize(list(enumerate(there)), len(there)).map(compute).collect()

    @contextlib.contextmanager
    def _replaced(self) -> Iterator[FilePartitions]:
        """Files that take the place of these ones, so that a task which Spark repeats reads what it read before."""
        after = FilePartitions(self.folder.with_name(f"{self.folder.name}-changed"), self.count)
        after.folder.mkdir()
        yield after
        shutil.rmtree(self.folder)
        after.folder.rename(self.folder)


@contextlib.contextmanager
def told() -> Iterator[None]:
    """What a worker complained of in one sentence is raised as it is; what else Spark says becomes one sentence."""
    from py4j.protocol import Py4JJavaError

    try:
        yield
    except (PySparkException, Py4JJavaError) as error:
        found = _TOLD.search(str(error))
        if found:
            raise DataError(found[1]) from None
        lines = [line.strip() for line in str(error).strip().splitlines()]
        said = lines[-1 if "Traceback" in str(error) else 0][:300].rstrip(".")
        raise DataError(f"Spark: {said}; correct it, or see more with --spark spark.log.level=ERROR.") from None
