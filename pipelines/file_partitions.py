"""Partitions in files, and frames distributed over files by a key: an external sort by hashing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from uuid import uuid4

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.ipc

from pipelines.partitions import T
from pipelines.progress import track


class FilePartitions:
    """Partitions in Parquet files of a folder, one after another in memory.

    Args:
        folder: where they are, named by :meth:`place`.
        count: how many there are; one without events has no file and is left out.
    """

    def __init__(self, folder: Path, count: int) -> None:
        self.folder, self.count = folder, count

    def place(self, number: int) -> Path:
        """File of a partition."""
        return self.folder / f"{number:05d}.parquet"

    def each(
        self, function: Callable[[int, pd.DataFrame], T], what: str, columns: Sequence[str] | None = None
    ) -> Iterator[T]:
        """See :class:`pipelines.partitions.Partitions`."""
        there = self.numbers()
        wanted = None if columns is None else list(columns)
        for i, number in enumerate(track(there, what, len(there))):
            yield function(i, pd.read_parquet(self.place(number), columns=wanted))

    def change(self, function: Callable[[int, pd.DataFrame], pd.DataFrame], what: str) -> None:
        """See :class:`pipelines.partitions.Partitions`."""
        for number in track(self.numbers(), what, self.count):
            self.write(number, function(number, pd.read_parquet(self.place(number))))

    def numbers(self) -> list[int]:
        """Of the files that are there."""
        return [number for number in range(self.count) if self.place(number).is_file()]

    def write(self, number: int, events: pd.DataFrame) -> None:
        """Write a partition; an empty one has no file."""
        place = self.place(number)
        if len(events):
            whole = place.with_suffix(f".{uuid4().hex}")  # two of Spark's workers may write the same partition
            events.to_parquet(whole, index=False)
            whole.replace(place)
        else:
            place.unlink(missing_ok=True)


def by_hash(column: str, count: int) -> Callable[[pd.DataFrame], np.ndarray]:
    """A number below ``count`` for each row, int64 [rows]: equal strings in the column get the same."""

    def place(frame: pd.DataFrame) -> np.ndarray:
        codes, unique = pd.factorize(frame[column])
        return (pd.util.hash_array(np.asarray(unique)) % np.uint64(count)).astype(np.int64)[codes]

    return place


def distribute(
    frames: Iterable[pd.DataFrame], place_of: Callable[[pd.DataFrame], np.ndarray], count: int, folder: Path
) -> Callable[[int], pd.DataFrame | None]:
    """Write rows into ``count`` files, in the order they come.

    Args:
        frames: all with the same columns and dtypes.
        place_of: number of the file of each row, int64 [rows].
        folder: a new one, emptied file by file as they are read.

    Returns:
        Reads a file's rows, once (None if it has none).
    """
    folder.mkdir()
    writers: dict[int, pyarrow.ipc.RecordBatchStreamWriter] = {}
    options = pyarrow.ipc.IpcWriteOptions(compression="lz4")
    schema: pyarrow.Schema | None = None
    try:
        for frame in frames:
            place = place_of(frame)
            order = np.argsort(place, kind="stable")
            table = pyarrow.Table.from_pandas(frame.iloc[order], schema=schema, preserve_index=False)
            schema = table.schema
            ends = np.cumsum(np.bincount(place, minlength=count))
            for number in np.unique(place):
                if number not in writers:
                    writers[number] = pyarrow.ipc.new_stream(_file(folder, number), schema, options=options)
                start = ends[number - 1] if number else 0
                writers[number].write_table(table.slice(start, ends[number] - start))
    finally:
        for writer in writers.values():
            writer.close()

    def read(number: int) -> pd.DataFrame | None:
        path = Path(_file(folder, number))
        if not path.is_file():
            return None
        with pyarrow.ipc.open_stream(path.read_bytes()) as stream:
            frame = stream.read_pandas()
        path.unlink()
        return frame

    return read


def _file(folder: Path, number: int) -> str:
    return str(folder / f"{number:05d}.arrow")
