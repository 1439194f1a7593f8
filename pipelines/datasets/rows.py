"""Rows of one file on their way through the checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from pipelines.validate import ValidationReport


class Rows:
    """The rows of one file that are still good, and the report that the others go to.

    Args:
        frame: one row per record, its index the 1-based physical line numbers.
        file: the file's name for messages.
        report: receives the rejected rows.
        names: column of the frame -> its name in the file, where they differ.
    """

    def __init__(
        self, frame: pd.DataFrame, file: str, report: ValidationReport, names: Mapping[str, str] | None = None
    ) -> None:
        self.frame = frame
        self.file = file
        self.report = report
        self.names = names or {}

    def drop(self, bad: Any, field: str, reason: str, shown: Sequence[str] = ()) -> np.ndarray:
        """Reject the rows where ``bad`` is true and return the mask of the rows kept (aligned with the old
        frame).

        Args:
            bad: boolean per row of ``frame``.
            field: column to name; its value is shown unless ``shown`` names others, joined by a comma.
            reason: the rule that was broken.
        """
        bad = np.asarray(bad, dtype=bool)
        if bad.any():
            lost = self.frame[bad]
            columns = list(shown) or [field]
            values = lost[columns[0]].astype("str")
            for column in columns[1:]:
                values = values + "," + lost[column].astype("str")
            self.report.reject(self.file, lost.index.to_numpy(), self.names.get(field, field), values, reason)
            self.frame = self.frame[~bad]
        return ~bad

    def finish(self) -> pd.DataFrame:
        """The good rows with a fresh index, after the share of rejected rows was checked."""
        self.report.check(self.file)
        return self.frame.reset_index(drop=True)
