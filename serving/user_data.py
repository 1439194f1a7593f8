"""A user's history and the items' titles from a data directory, for the commands that ask a server."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serving.client.errors import InvalidInputError


@dataclass(frozen=True)
class UserData:
    """What a data directory knows about one user.

    Attributes:
        history: Events, oldest first, with the columns asked for.
        titles: Title by item id; empty if the data have none.
    """

    history: list[dict[str, Any]]
    titles: dict[str, str]


def load_user(directory: Path, user_id: str, columns: Mapping[str, str]) -> UserData:
    """Read one user from `events.parquet`, and titles from `items.parquet` as `manifest.json` names them.

    Args:
        directory: Holds the three files; `items.parquet` and `manifest.json` may be missing.
        user_id: As in column `user_id`.
        columns: Event columns to send, with the types the model wants (`client.event_columns()`).

    Raises:
        InvalidInputError: pandas or a file is missing or unreadable, or there is no such user.
    """
    try:
        import pandas  # only --data needs it, and the base install has none
        import pyarrow  # noqa: F401 - what pandas reads parquet with
    except ImportError:
        raise InvalidInputError(
            "Reading --data needs pandas and pyarrow, so run `pip install 'intentrec_tf[train]'` or pass --history."
        ) from None
    path = directory / "events.parquet"
    events = _read_parquet(pandas, path, filters=[("user_id", "==", user_id)])
    missing = [name for name in ("item_id", "timestamp") if name not in events.columns]
    if missing:
        raise InvalidInputError(f"{path} lacks the columns {missing}, so prepare the data again.")
    if events.empty:
        raise InvalidInputError(f"{path} has no user {user_id!r}, so check --user.")
    events = events.sort_values("timestamp", kind="stable")
    known = [name for name in columns if name in events.columns]
    history = [
        {name: _convert(value, columns[name]) for name, value in zip(known, row, strict=True)}
        for row in events[known].itertuples(index=False, name=None)
    ]
    return UserData(history, _load_titles(pandas, directory))


def _load_titles(pandas: Any, directory: Path) -> dict[str, str]:
    manifest, items = directory / "manifest.json", directory / "items.parquet"
    if not manifest.is_file() or not items.is_file():
        return {}
    try:
        column = json.loads(manifest.read_text(encoding="utf-8"))["schema"].get("item_title")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InvalidInputError(f"{manifest} is no readable manifest, so prepare the data again.") from None
    if not column:
        return {}
    frame = _read_parquet(pandas, items, columns=["item_id", column]).dropna()
    return dict(zip(frame["item_id"].astype(str), frame[column].astype(str), strict=True))


def _read_parquet(pandas: Any, path: Path, **options: Any) -> Any:
    if not path.is_file():
        raise InvalidInputError(f"{path} does not exist, so check --data or prepare the data first.")
    try:
        return pandas.read_parquet(path, **options)
    except Exception as error:  # pyarrow raises a family of its own
        reason = " ".join(str(error).split())[:200].rstrip(".")
        raise InvalidInputError(f"{path} cannot be read, so prepare the data again ({reason}).") from None


def _convert(value: Any, wanted: str) -> Any:
    """A cell as plain Python: `None` if missing, labels as a list, numbers as text where text is wanted."""
    if hasattr(value, "tolist"):  # NumPy scalar or array
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [str(label) for label in value]
    is_nan = isinstance(value, float) and math.isnan(value)
    if value is None or is_nan or type(value).__name__ in ("NAType", "NaTType"):
        return None
    if wanted == "string":
        return value if isinstance(value, (str, bytes)) else str(value)
    return value
