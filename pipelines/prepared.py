"""A prepared data set on disk."""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from intentrec_tf.data_spec import DataSpec
from intentrec_tf.schema import Schema
from pipelines.spec_files import load_spec
from pipelines.validate import DataError

MANIFEST = "manifest.json"
FORMAT = 2


def read_manifest(folder: Path) -> dict[str, Any]:
    """What ``prepare`` noted about a folder, of any format.

    Raises:
        DataError: the folder holds no finished preparation.
    """
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        manifest["fingerprint"]
    except (OSError, ValueError, KeyError, TypeError):
        raise DataError(f"{folder}: holds no prepared data; run 'intentrec prepare' with --out {folder}.") from None
    return manifest


class PreparedData:
    """Read access to what ``intentrec prepare`` wrote.

    Args:
        folder: the output folder of ``prepare``.

    Raises:
        DataError: the folder holds no finished preparation, or one of another format.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.manifest = read_manifest(self.folder)
        if self.manifest.get("format") != FORMAT:
            raise DataError(f"{folder}: was prepared by another version of intentrec; run 'intentrec prepare' again.")

    @property
    def fingerprint(self) -> str:
        """Identifies raw content, schema and options; equal fingerprints mean equal data."""
        return self.manifest["fingerprint"]

    @cached_property
    def spec(self) -> DataSpec:
        """What a model is built from."""
        return load_spec(self.folder)

    @property
    def record_files(self) -> list[str]:
        """TFRecord shards of per-user sequences, in order."""
        return [str(path) for path in sorted((self.folder / "sequences").glob("part-*.tfrecord"))]

    @cached_property
    def events(self) -> pd.DataFrame:
        """Clean events sorted by user and time, with the ``split`` of each."""
        return pd.read_parquet(self.folder / "events.parquet")

    @cached_property
    def items(self) -> pd.DataFrame:
        """The catalogue as people know it."""
        return pd.read_parquet(self.folder / "items.parquet")

    @cached_property
    def interests(self) -> pd.DataFrame | None:
        """Declared interests (``user_id, interest`` and maybe ``timestamp``); None if the data set has none."""
        path = self.folder / "interests.parquet"
        return pd.read_parquet(path) if path.is_file() else None

    @cached_property
    def schema(self) -> Schema:
        """The declaration alone, without what preparation learnt."""
        return Schema.parse(self.manifest["schema"], str(self.folder / MANIFEST))

    @cached_property
    def titles(self) -> dict[str, str]:
        """Item id -> the name people read (the id itself where there is none)."""
        column = self.spec.schema.item_title
        ids = self.items["item_id"]
        return dict(zip(ids, self.items[column] if column else ids, strict=True))

    def history(self, user_id: str) -> pd.DataFrame:
        """All events of a user, oldest first.

        Raises:
            DataError: the user has no event.
        """
        rows = self.events[self.events["user_id"] == user_id]
        if rows.empty:
            example = self.events["user_id"].iloc[0]
            raise DataError(f"user '{user_id}' has no event in {self.folder}; name another, for example '{example}'.")
        return rows
