"""A log that is ready to be learnt from, whatever engine reads it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from intentrec_tf.schema import Schema
from pipelines.datasets.base import RawData
from pipelines.derive import needs_popularity, popularity
from pipelines.partitions import POPULARITY, MemoryPartitions, Partitions
from pipelines.validate import DataError, ValidationReport


@dataclass(frozen=True)
class Source:
    """Valid events in partitions, and what belongs to them.

    Attributes:
        partitions: the events that are kept, with their items' popularity where the schema needs it.
        items, schema, report, interests, sources, files: as in :class:`pipelines.datasets.base.RawData`.
        dropped: valid events that ``min_interactions`` leaves out.
        truth: as in ``RawData``, in the order of the events.
        digests: what stands for the input beside the files, by its name, where it is no file.
    """

    partitions: Partitions
    items: pd.DataFrame
    schema: Schema
    report: ValidationReport
    interests: pd.DataFrame | None
    sources: tuple[str, ...]
    files: tuple[Path, ...]
    dropped: int
    truth: pd.DataFrame | None = None
    digests: dict[str, str] = dataclasses.field(default_factory=dict)


def whole_source(raw: RawData, min_interactions: int) -> Source:
    """A log in memory as one partition; ties in time keep the order of the file.

    Raises:
        DataError: no item has so many interactions.
    """
    events, truth = raw.events, raw.truth
    counts = events["item_id"].map(events["item_id"].value_counts()).to_numpy()
    kept = np.flatnonzero(counts >= min_interactions)
    if len(kept) == 0:
        raise nothing_left(min_interactions)
    user = pd.factorize(events["user_id"].iloc[kept])[0]
    order = kept[np.lexsort((kept, events["timestamp"].to_numpy()[kept], user))]
    ordered = events.iloc[order].reset_index(drop=True)
    if needs_popularity(raw.schema):
        ordered[POPULARITY] = popularity(ordered)
    return Source(
        MemoryPartitions(ordered),
        raw.items,
        raw.schema,
        raw.report,
        raw.interests,
        raw.sources,
        raw.files,
        len(events) - len(kept),
        truth if truth is None else truth.iloc[order].reset_index(drop=True),
    )


def nothing_left(min_interactions: int) -> DataError:
    """What to say when no item has so many interactions."""
    return DataError(f"no event is left with min_interactions {min_interactions}; choose a smaller number.")
