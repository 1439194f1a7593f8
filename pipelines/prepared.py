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
_KINDS = {"fingerprint": str, "request": dict, "schema": dict, "sources": list, "validation": dict, "statistics": dict}


def read_manifest(folder: Path) -> dict[str, Any]:
    """What ``prepare`` noted about a folder, of any format.

    Raises:
        DataError: the folder holds no finished preparation.
    """
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        manifest["fingerprint"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise DataError(f"{folder}: holds no prepared data; run 'intentrec prepare' with --out {folder}.") from None
    wrong = [name for name, kind in _KINDS.items() if not isinstance(manifest.get(name, kind()), kind)]
    if wrong:
        raise DataError(f"{folder / MANIFEST}: '{wrong[0]}' is damaged; run 'intentrec prepare' again.")
    return manifest


def damaged(folder: Path) -> DataError:
    """What to say of prepared data that cannot be read."""
    return DataError(f"{folder}: the prepared data are damaged; delete the folder and run 'intentrec prepare' again.")


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
        try:
            return load_spec(self.folder)
        except Exception as error:  # of JSON, YAML, zip, numpy and the specification's own checks alike
            raise damaged(self.folder) from error

    @property
    def record_files(self) -> list[str]:
        """TFRecord shards of per-user sequences, in order."""
        return [str(path) for path in sorted((self.folder / "sequences").glob("part-*.tfrecord"))]

    @cached_property
    def events(self) -> pd.DataFrame:
        """Clean events sorted by user and time, with the ``split`` of each."""
        return self._read("events.parquet", "user_id", "item_id", "timestamp", "split")

    @cached_property
    def items(self) -> pd.DataFrame:
        """The catalogue as people know it."""
        return self._read("items.parquet", "item_id")

    @cached_property
    def interests(self) -> pd.DataFrame | None:
        """Declared interests (``user_id, interest`` and maybe ``timestamp``); None if the data set has none."""
        name = "interests.parquet"
        return self._read(name, "user_id", "interest") if (self.folder / name).is_file() else None

    @cached_property
    def schema(self) -> Schema:
        """The declaration alone, without what preparation learnt."""
        return Schema.parse(self.manifest.get("schema", {}), str(self.folder / MANIFEST))

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

    def _read(self, name: str, *columns: str) -> pd.DataFrame:
        """A table, with the columns that must be there.

        Raises:
            DataError: it is damaged.
        """
        try:
            frame = pd.read_parquet(self.folder / name)
        except Exception as error:  # pyarrow raises a family of its own
            raise damaged(self.folder) from error
        if not set(columns) <= set(frame.columns):
            raise damaged(self.folder)
        return frame
