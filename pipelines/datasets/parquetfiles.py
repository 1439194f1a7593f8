"""Parquet as a frame whose index holds 1-based row numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import pandas as pd
import pyarrow
import pyarrow.parquet

from pipelines.validate import DataError, ValidationReport


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
        reason = "no such file" if isinstance(error, FileNotFoundError) else "not a Parquet file"
        raise DataError(f"{name}: cannot be read ({reason}); name an existing Parquet file.") from None
    with file:
        found = file.schema_arrow.names
        missing = [column for column in columns if column not in found]
        if missing:
            raise DataError(
                f"{name}: lacks the column {missing[0]} (found: {', '.join(found[:20])}); "
                "rename the column or name it in the schema."
            )
        for column in columns:
            kind = file.schema_arrow.field(column).type
            if pyarrow.types.is_nested(kind) or pyarrow.types.is_binary(kind):
                raise DataError(
                    f"{name}: column {column} holds {kind} values; "
                    "write one text or number a row (several labels joined by '|')."
                )
        wanted = list(dict.fromkeys([*columns, *(column for column in optional if column in found)]))
        try:
            frame = file.read(columns=wanted).to_pandas()
        except (OSError, pyarrow.ArrowInvalid):
            raise DataError(f"{name}: the Parquet file is cut short or damaged; write it again.") from None
    frame = frame.reset_index()[wanted]
    frame.index = pd.RangeIndex(1, len(frame) + 1)
    report.read(name, len(frame))
    return frame
