"""An index as a folder: what a kind of index writes there, the item ids, and `index.json`, which describes both.

The folder appears as a whole or not at all.  `index.json` holds the SHA-256 of every other file, which is compared
before a file is read, because a damaged index file can crash the library that reads it.  That protects from damage,
not from malice: open folders of people you trust only.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serving.atomic import atomic_directory
from serving.candidates.errors import IndexFolderError, shown

FORMAT = 1
_HEADER = "index.json"
_ITEM_IDS = "item_ids.json"


@dataclass(frozen=True)
class SavedIndex:
    """What a folder says about its index.

    Attributes:
        dimension: Length of each vector.
        item_ids: Id of each stored vector, in their order; ``""`` for a vector that no item has any more.
        model_version: What the vectors come from; ``""`` if nobody said.
        extra: What the kind of index added of its own.
    """

    dimension: int
    item_ids: list[str]
    model_version: str
    extra: dict[str, Any]


def write_folder(
    folder: Path,
    *,
    kind: str,
    model_version: str,
    dimension: int,
    item_ids: Sequence[str],
    write: Callable[[Path], Mapping[str, Any]],
) -> None:
    """Write an index so that others see the whole of it or nothing; one that is there is replaced.

    Args:
        folder: Where.
        kind: Kind of index.
        model_version: What the vectors come from.
        dimension: Length of each vector.
        item_ids: Id of each stored vector; ``""`` for a vector that no item has any more.
        write: Called with a temporary folder, into which it writes files of its own; returns more for `index.json`.

    Raises:
        IndexFolderError: ``folder`` holds something that is no index, or cannot be written.
    """
    folder = Path(os.path.abspath(folder))
    if folder.exists() and not _may_be_replaced(folder):
        raise IndexFolderError(f"{folder} holds something that is no index, so choose another folder.")
    try:
        with atomic_directory(folder) as work:
            extra = write(work)
            (work / _ITEM_IDS).write_text(json.dumps(list(item_ids)), encoding="utf-8")
            header = {
                "format": FORMAT,
                "kind": kind,
                "model_version": model_version,
                "dimension": dimension,
                "count": sum(1 for name in item_ids if name),
                **extra,
                "sha256": {path.name: _sha256(path) for path in sorted(work.iterdir())},
            }
            (work / _HEADER).write_text(json.dumps(header, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise IndexFolderError(f"{folder} cannot be written, so check disk and permissions ({error}).") from error


def read_folder(folder: Path, kind: str, files: Sequence[str], model_version: str | None) -> SavedIndex:
    """Check a folder and read its description and item ids.

    Args:
        folder: Where.
        kind: The kind of index expected.
        files: Files of the kind's own that must be there, as they were written.
        model_version: The model version expected; None takes any.

    Raises:
        IndexFolderError: the folder is missing, damaged, of another kind, format or model version.
    """
    header = _read_header(folder)
    if header.get("format") != FORMAT:
        raise IndexFolderError(
            f"{folder} is of format {shown(header.get('format'))} where this version reads {FORMAT}, so build the "
            f"index again."
        )
    if header.get("kind") != kind:
        raise IndexFolderError(
            f"{folder} holds an index of kind {shown(header.get('kind'))}, not {kind!r}, so change the configuration "
            f"or build the index again."
        )
    if model_version is not None and header.get("model_version") != model_version:
        raise IndexFolderError(
            f"{folder} was made for model version {shown(header.get('model_version'))}, not {model_version!r}, so "
            f"build the index again from that version's vectors."
        )
    sums = header.get("sha256")
    for name in (_ITEM_IDS, *files):
        path = folder / name
        if not path.is_file():
            raise IndexFolderError(f"{path} is missing, so build the index again.")
        if not isinstance(sums, dict) or sums.get(name) != _sha256(path):
            raise IndexFolderError(f"{path} is damaged (its SHA-256 changed), so build the index again.")
    item_ids = json.loads((folder / _ITEM_IDS).read_text(encoding="utf-8"))
    dimension, count = header.get("dimension"), header.get("count")
    if not isinstance(dimension, int) or dimension < 1 or count != sum(1 for name in item_ids if name):
        raise IndexFolderError(f"{folder / _HEADER} contradicts the files beside it, so build the index again.")
    return SavedIndex(dimension, item_ids, str(header.get("model_version")), header)


def _read_header(folder: Path) -> dict[str, Any]:
    path = folder / _HEADER
    if not path.is_file():
        raise IndexFolderError(f"{folder} holds no index ({_HEADER} is missing), so check the path or build one.")
    try:
        header = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        raise IndexFolderError(f"{path} cannot be read, so build the index again.") from None
    if not isinstance(header, dict):
        raise IndexFolderError(f"{path} describes no index, so build the index again.")
    return header


def _may_be_replaced(folder: Path) -> bool:
    return folder.is_dir() and ((folder / _HEADER).is_file() or not any(folder.iterdir()))


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()
