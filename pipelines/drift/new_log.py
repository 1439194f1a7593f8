"""A new event log, read as ``prepare`` reads logs, behind the run's own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from intentrec_tf.schema import Schema
from pipelines.datasets import registry
from pipelines.datasets.tables import read_events, read_items
from pipelines.prepared import PreparedData
from pipelines.split import TRAIN
from pipelines.validate import DataError, ValidationReport

KEYS = ["user_id", "item_id", "timestamp"]
ARCHIVES = (".zip", ".whl")


@dataclass(frozen=True)
class NewLog:
    """The run's events and the new ones, sorted by user and time.

    Attributes:
        events: ``user_id, item_id, timestamp``, the schema's event columns, ``split`` (-1 where new).
        items: the run's catalogue, with what the new one says in its place.
        repeated: events that the log held and the run's data hold already; they are left out.
        report: what was read and what was rejected.
    """

    events: pd.DataFrame
    items: pd.DataFrame
    repeated: int
    report: ValidationReport

    @property
    def new(self) -> np.ndarray:
        """Which events are new, bool [events]."""
        return (self.events["split"] < 0).to_numpy()

    @property
    def training(self) -> np.ndarray:
        """Which events the run was trained on, bool [events]."""
        return (self.events["split"] == TRAIN).to_numpy()

    @classmethod
    def read(
        cls, prepared: PreparedData, path: Path, items: Path | None = None, max_reject_share: float = 0.2
    ) -> NewLog:
        """Read and validate a log with the run's schema.

        Args:
            prepared: the run's data.
            path: a table (CSV, CSV.gz or Parquet) with the schema's columns, or a folder or zip of the run's data set.
            items: a newer catalogue, for a table; without it items are those of the run, and others have no features.
            max_reject_share: largest share of a file's rows that may be rejected.

        Raises:
            DataError: a file is missing or unusable.
        """
        report = ValidationReport(max_reject_share)
        if path.is_dir() or path.suffix.lower() in ARCHIVES:
            raw = _public(prepared, path, items, max_reject_share)
            events, catalogue, report = raw.events, raw.items, raw.report
        else:
            events = read_events(path, prepared.schema, report)
            catalogue = read_items(items, prepared.schema, report) if items else None
        own = prepared.events[[*KEYS, *prepared.schema.event_columns(), "split"]]
        known = events[KEYS].merge(own[KEYS].drop_duplicates(), how="left", indicator=True)["_merge"] == "both"
        fresh = events[~known.to_numpy()].assign(split=np.int8(-1))
        together = pd.concat([own, fresh], ignore_index=True)
        user = pd.factorize(together["user_id"])[0]
        order = np.lexsort((np.arange(len(together)), together["timestamp"].to_numpy(), user))
        merged = _merged(prepared.items, catalogue, prepared.schema)
        return cls(together.iloc[order].reset_index(drop=True), merged, int(known.sum()), report)


def _public(prepared: PreparedData, path: Path, items: Path | None, max_reject_share: float) -> Any:
    """A folder or zip of the data set that the run was trained on."""
    name = prepared.manifest["request"]["dataset"]
    if name in ("tables", "simulated"):
        raise DataError(f"{path}: is no table; name a file with the run's columns (CSV, CSV.gz or Parquet).")
    if items is not None:
        raise DataError(f"--items {items}: belongs to a table; {path} is read as {name}, which has its own catalogue.")
    return registry.load(name, raw=path, schema=prepared.schema, max_reject_share=max_reject_share)


def _merged(own: pd.DataFrame, newer: pd.DataFrame | None, schema: Schema) -> pd.DataFrame:
    columns = ["item_id", *schema.item_columns()]
    if newer is None:
        return own[columns]
    older = own[~own["item_id"].isin(newer["item_id"])]
    return pd.concat([newer[columns], older[columns]], ignore_index=True)
