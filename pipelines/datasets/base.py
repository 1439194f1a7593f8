"""What every adapter returns."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from intentrec_tf.schema import Schema
from pipelines.validate import ValidationReport


@dataclass(frozen=True)
class RawData:
    """A validated data set in canonical frames.

    Attributes:
        events: ``user_id`` str, ``item_id`` str, ``timestamp`` int64 (whole unix seconds), then
            ``schema.event_columns()``; the order of the file, not sorted.
        items: ``item_id`` str, unique, then ``schema.item_columns()``; multi-label columns are labels joined
            by ``|`` (``""`` for none), categorical ones ``""`` if unknown, release times float64 unix seconds
            (NaN if unknown).
        schema: the declaration that the frames follow.
        report: what was read and what was rejected.
        interests: ``user_id``, ``interest`` (a label of the item feature ``schema.explicit_interests``) and,
            where the source has it, ``timestamp``; None if users declared none.
        truth: simulator only: one row per event in the same order with what the user really wanted.
        sources: sentences for people: where the data came from, and caveats.
        files: the files that were read (for a fingerprint).
    """

    events: pd.DataFrame
    items: pd.DataFrame
    schema: Schema
    report: ValidationReport
    interests: pd.DataFrame | None = None
    truth: pd.DataFrame | None = None
    sources: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
