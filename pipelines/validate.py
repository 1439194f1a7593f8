"""What is wrong with a data set: fatal errors, and rows that were left out with a reason each.

Nothing here repairs a row.  A row is kept as it is or it is rejected, and a rejected row is counted once,
under the first rule it breaks, so that rows read = rows kept + rows rejected for every file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

REJECT_COLUMNS = ("file", "row", "field", "value", "reason")


class DataError(ValueError):
    """Data cannot be used; the message is one sentence: what is wrong, where, and what to do."""


class ValidationReport:
    """Rows read and rejected, per file.

    Args:
        max_reject_share: the largest share (0..1) of a file's rows that may be rejected before :meth:`check`
            fails.
    """

    def __init__(self, max_reject_share: float = 0.2) -> None:
        if not 0 <= max_reject_share <= 1:
            raise DataError(f"max_reject_share is {max_reject_share}; choose a number between 0 and 1.")
        self.max_reject_share = max_reject_share
        self.rows_read: dict[str, int] = {}
        self._notes: dict[str, int] = {}
        self._parts: list[pd.DataFrame] = []

    def read(self, file: str, rows: int) -> None:
        """Count ``rows`` rows found in ``file`` (rejected ones included)."""
        self.rows_read[file] = self.rows_read.get(file, 0) + rows

    def note(self, sentence: str, count: int = 0) -> None:
        """Keep a sentence for people about something that is not a rejected row; told once.

        Args:
            sentence: may hold ``{count}``, the sum of the counts it was given with.
            count: how often it is true this time.
        """
        self._notes[sentence] = self._notes.get(sentence, 0) + count

    @property
    def notes(self) -> list[str]:
        """The sentences."""
        return [sentence.replace("{count}", f"{count:,}") for sentence, count in self._notes.items()]

    def merge(self, other: ValidationReport) -> None:
        """Add what another report counted, of other rows of the same files."""
        for file, rows in other.rows_read.items():
            self.read(file, rows)
        for sentence, count in other._notes.items():
            self.note(sentence, count)
        self._parts += other._parts

    def reject(self, file: str, rows: Any, field: str, values: Any, reason: str) -> None:
        """Record rejected rows.

        Args:
            file: name of the file.
            rows: 1-based physical line numbers (Parquet: 1-based row numbers).
            field: the column that broke the rule.
            values: the offending value of each row as found in the file.
            reason: the rule, in a few words; reports count by it.
        """
        rows = np.asarray(rows, dtype="int64")
        if len(rows) == 0:
            return
        part = pd.DataFrame({"row": rows, "value": [str(value) for value in values]})
        self._parts.append(part.assign(file=file, field=field, reason=reason)[list(REJECT_COLUMNS)])

    @property
    def rejects(self) -> pd.DataFrame:
        """Every rejected row: ``file, row, field, value, reason``, in the order of files and rows."""
        if not self._parts:
            empty = pd.DataFrame({name: pd.Series(dtype="str") for name in REJECT_COLUMNS})
            return empty.astype({"row": "int64"})
        frame = pd.concat(self._parts, ignore_index=True)
        return frame.sort_values(["file", "row"], kind="stable", ignore_index=True)

    @property
    def rejected(self) -> dict[str, int]:
        """Number of rejected rows by file (files without any are absent)."""
        counts: dict[str, int] = {}
        for part in self._parts:
            file = str(part["file"].iloc[0])
            counts[file] = counts.get(file, 0) + len(part)
        return counts

    @property
    def counts(self) -> dict[str, int]:
        """Number of rejected rows by reason, the most frequent first."""
        counts: dict[str, int] = {}
        for part in self._parts:
            reason = str(part["reason"].iloc[0])
            counts[reason] = counts.get(reason, 0) + len(part)
        return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))

    def check(self, file: str) -> None:
        """Fail if too much of ``file`` was rejected.

        Raises:
            DataError: the file holds no row, every row was rejected, or more than ``max_reject_share`` were.
        """
        read, rejected = self.rows_read.get(file, 0), self.rejected.get(file, 0)
        if read == 0:
            raise DataError(f"{file}: holds no data row; check that the export finished and name a file with rows.")
        if rejected == 0 or (rejected < read and rejected / read <= self.max_reject_share):
            return
        first = self.rejects[lambda frame: frame["file"] == file].iloc[0]
        example = f"first: row {first['row']}, field '{first['field']}', "
        example += f"value '{first['value'][:80]}': {first['reason']}"
        if rejected == read:
            raise DataError(
                f"{file}: every one of {read} rows was rejected ({example}); correct the file or the schema."
            )
        raise DataError(
            f"{file}: {rejected} of {read} rows ({rejected / read:.1%}) were rejected, more than the allowed "
            f"{self.max_reject_share * 100:g}% ({example}); correct the file or raise --max-reject-share."
        )

    def summary(self) -> list[str]:
        """Lines for people: rows kept by file, rejections with an example each, notes."""
        lines = []
        rejected = self.rejected
        for file, rows in self.rows_read.items():
            out = rejected.get(file, 0)
            lines.append(f"{file}: {rows:,} rows read, {rows - out:,} kept, {out:,} rejected")
        frame = self.rejects
        for (place, field, reason), group in frame.groupby(["file", "field", "reason"], sort=False):
            row, value = group["row"].iloc[0], str(group["value"].iloc[0])[:60]
            lines.append(f"{place}: {len(group):,} x {reason} (field {field}; first at row {row}: '{value}')")
        return lines + self.notes

    def to_dict(self) -> dict[str, Any]:
        """Plain values, JSON ready: rows read and rejected by file, counts by reason, notes."""
        return {
            "rows_read": dict(self.rows_read),
            "rows_rejected": self.rejected,
            "reasons": self.counts,
            "max_reject_share": self.max_reject_share,
            "notes": list(self.notes),
        }

    def write_csv(self, path: str | Path) -> None:
        """Write every rejected row as UTF-8 CSV (:data:`REJECT_COLUMNS`); only the header if none."""
        self.rejects.to_csv(path, index=False)
