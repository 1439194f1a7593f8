"""The numbered folders of exports under a base path."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

INFO = "intentrec.json"
# Says why a version's folder may not be released, in the words after "version 7: "; None if it may.
Check = Callable[[Path], "str | None"]


@dataclass(frozen=True)
class ExportFolder:
    """One version on disk.

    Attributes:
        version: Its number.
        path: Its folder.
        info: What ``intentrec.json`` says; empty if there is none.
    """

    version: int
    path: Path
    info: dict[str, Any] = field(default_factory=dict)

    @property
    def date(self) -> str:
        """When it was exported, or ``""``."""
        return str(self.info.get("date", ""))

    @property
    def commit(self) -> str:
        """The source it was exported with, or ``""``."""
        return str(self.info.get("commit", ""))

    @property
    def metrics(self) -> dict[str, float]:
        """Test metrics of the run, by name; empty if it was not evaluated."""
        evaluation = self.info.get("evaluation")
        found = evaluation.get("metrics") if isinstance(evaluation, dict) else None
        return {k: v for k, v in found.items() if isinstance(v, (int, float))} if isinstance(found, dict) else {}


def find_exports(base: Path) -> list[ExportFolder]:
    """The numbered folders under ``base``, oldest first, whether complete or not; none if there is no such folder."""
    if not base.is_dir():
        return []
    named = [path for path in base.iterdir() if path.name.isascii() and path.name.isdigit() and path.is_dir()]
    # the server's versions are signed 64-bit integers
    numbered = [(int(path.name), path) for path in named if int(path.name) < 2**63]
    return [ExportFolder(version, path, _read_info(path / INFO)) for version, path in sorted(numbered)]


def check_complete(folder: Path) -> str | None:
    """A :data:`Check`: a SavedModel with its variables."""
    for name in ("saved_model.pb", "variables/variables.index"):
        file = folder / name
        if not file.is_file() or not file.stat().st_size:
            return f"it holds no {name}"
    return None


def _read_info(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}  # a version exported by other means has none
    return found if isinstance(found, dict) else {}
