"""Parquet as a frame whose index holds 1-based row numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO

import pandas as pd
import pyarrow
import pyarrow.dataset
import pyarrow.parquet

from pipelines.validate import DataError, ValidationReport

_TEXTS = (".csv", ".tsv", ".txt", ".dat", ".gz")
_NULLABLE = {
    kind: pd.Int64Dtype()
    for kind in (pyarrow.int8(), pyarrow.int16(), pyarrow.int32(), pyarrow.int64(), pyarrow.uint8(), pyarrow.uint16())
}
# Arrow reads ahead otherwise, and keeps every piece of a file until the last is read (apache/arrow#39808).
_STREAMED = pyarrow.dataset.ParquetFragmentScanOptions(pre_buffer=False, use_buffered_stream=True)


def read_parquet(
    source: str | Path | BinaryIO,
    name: str,
    report: ValidationReport,
    columns: Sequence[str],
    *,
    optional: Sequence[str] = (),
) -> pd.DataFrame:
    """Columns of a Parquet file, indexed by 1-based row number.

    Args:
        source: the file, or a stream of its bytes.
        name: its name for messages.
        report: counts its rows.
        columns: columns that must be there; repeats are allowed and returned once.
        optional: further columns to return where the file has them.

    Raises:
        DataError: the file is missing or damaged, or a column is missing or holds no plain values.
    """
    try:
        file = pyarrow.parquet.ParquetFile(source)
    except (OSError, pyarrow.ArrowInvalid) as error:
        raise _unreadable(name, error) from None
    with file:
        wanted = _wanted(name, file.schema_arrow, columns, optional)
        try:
            frame = file.read(columns=wanted).to_pandas()
        except (OSError, pyarrow.ArrowInvalid):
            raise DataError(f"{name}: the Parquet file is cut short or damaged; write it again.") from None
    frame = frame.reset_index()[wanted]
    frame.index = pd.RangeIndex(1, len(frame) + 1)
    report.read(name, len(frame))
    return frame


def is_parquet(path: str | Path) -> bool:
    """Whether a path is a folder (of Parquet files) or is named as a Parquet file."""
    return Path(path).is_dir() or str(path).lower().endswith((".parquet", ".pq"))


def parquet_files(path: str | Path) -> list[Path]:
    """The file itself, or the Parquet files of a folder as Spark writes it, in the order of their names.

    Names that begin with ``_`` or ``.`` (``_SUCCESS``) are left out, at any depth.

    Raises:
        DataError: the folder holds text files.
    """
    path = Path(path)
    if not path.is_dir():
        return [path]
    found = sorted(place for place in path.rglob("*") if place.is_file())
    found = [place for place in found if not any(part[0] in "_." for part in place.relative_to(path).parts)]
    for place in found:
        if place.suffix.lower() in _TEXTS:
            raise DataError(f"{path}: holds {place.name}; name one text file, or a folder of Parquet files alone.")
    return found


def parquet_chunks(
    path: str | Path,
    report: ValidationReport,
    columns: Sequence[str],
    *,
    optional: Sequence[str] = (),
    rows: int = 500_000,
) -> Iterator[pd.DataFrame]:
    """Columns of a Parquet file or folder in pieces, indexed by 1-based row number (through all files of a folder).

    A folder's ``name=value`` subfolders are columns, as Spark writes them.  Whole numbers stay whole where some are
    missing.

    Args:
        path: file or folder.
        report: counts the rows.
        columns, optional: as for :func:`read_parquet`.
        rows: the most rows of a piece.

    Raises:
        DataError: as for :func:`read_parquet`, or files of a folder do not fit each other.
    """
    files = parquet_files(path)
    if not files:
        raise DataError(f"{path}: holds no Parquet file; name the folder that Spark or another tool wrote.")
    partitioning = pyarrow.dataset.partitioning(flavor="hive")
    try:
        data = pyarrow.dataset.dataset(
            [str(file) for file in files],
            format=pyarrow.dataset.ParquetFileFormat(default_fragment_scan_options=_STREAMED),
            partitioning=partitioning if Path(path).is_dir() else None,
            partition_base_dir=str(path) if Path(path).is_dir() else None,
        )
    except (OSError, pyarrow.ArrowInvalid) as error:
        raise _unreadable(str(path), error) from None
    wanted = _wanted(str(path), data.schema, columns, optional)
    scanner = data.scanner(columns=wanted, batch_size=rows, batch_readahead=1, fragment_readahead=1, use_threads=False)
    done = 0
    try:
        for batch in scanner.to_batches():
            frame = pyarrow.Table.from_batches([batch]).to_pandas(types_mapper=_NULLABLE.get)[wanted]
            frame.index = pd.RangeIndex(done + 1, done + 1 + len(frame))
            done += len(frame)
            report.read(str(path), len(frame))
            yield frame
    except (OSError, pyarrow.ArrowInvalid, pyarrow.ArrowNotImplementedError, pyarrow.ArrowTypeError):
        raise DataError(f"{path}: the Parquet file is cut short or damaged; write it again.") from None
    if not done:
        report.read(str(path), 0)
        yield data.schema.empty_table().to_pandas()[wanted]


def _wanted(name: str, schema: pyarrow.Schema, columns: Sequence[str], optional: Sequence[str]) -> list[str]:
    """The columns to read, once each.

    Raises:
        DataError: one is missing or holds no plain values.
    """
    found = schema.names
    missing = [column for column in columns if column not in found]
    if missing:
        raise DataError(
            f"{name}: lacks the column {missing[0]} (found: {', '.join(found[:20])}); "
            "rename the column or name it in the schema."
        )
    for column in columns:
        kind = schema.field(column).type
        if pyarrow.types.is_nested(kind) or pyarrow.types.is_binary(kind):
            raise DataError(
                f"{name}: column {column} holds {kind} values; "
                "write one text or number a row (several labels joined by '|')."
            )
    return list(dict.fromkeys([*columns, *(column for column in optional if column in found)]))


def _unreadable(name: str, error: Exception) -> DataError:
    reason = "no such file" if isinstance(error, FileNotFoundError) else "not a Parquet file"
    return DataError(f"{name}: cannot be read ({reason}); name an existing Parquet file.")
