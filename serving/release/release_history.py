"""What was released when: one JSON object a line, beside models.config."""

from __future__ import annotations

import datetime
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from serving.atomic import atomic_text
from serving.release.errors import ReleaseError

_KEPT = 200


@dataclass(frozen=True)
class LabelMove:
    """A label that got another version.

    Attributes:
        time: UTC, ISO 8601.
        action: ``promote`` or ``rollback``.
        model: Name it is served under.
        label: ``stable`` or ``canary``.
        version: The new version; None for a label that was taken away.
        previous: The version before; None for a new label.
    """

    time: str
    action: str
    model: str
    label: str
    version: int | None
    previous: int | None


class ReleaseHistory:
    """The moves of labels, oldest first; the file is replaced as a whole and keeps the last 200.

    A move is noted just before it is made, so that a killed command leaves a line too many rather than a version that
    nobody can go back to.

    Args:
        path: The file; absent until the first move.

    Raises:
        ReleaseError: by every method, a line that is no move.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def moves(self) -> list[LabelMove]:
        """All that is known."""
        try:
            lines = self.path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        except UnicodeDecodeError:
            raise ReleaseError(f"{self.path} is not UTF-8 text; correct or delete it.") from None
        found = []
        for number, line in enumerate(lines, 1):
            try:
                found.append(LabelMove(**json.loads(line)))
            except (ValueError, TypeError, RecursionError):
                raise ReleaseError(
                    f"{self.path}, line {number}: is not a release; correct the line or delete it."
                ) from None
        return found

    def add(self, action: str, model: str, label: str, version: int | None, previous: int | None) -> None:
        """Note a move as of now."""
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        moves = [*self.moves(), LabelMove(now, action, model, label, version, previous)][-_KEPT:]
        atomic_text(self.path, "".join(json.dumps(asdict(move)) + "\n" for move in moves))

    def stable_before(self, model: str, version: int) -> int | None:
        """The version that was stable when ``version`` was last promoted to stable; None if none is known.

        A rollback is no promotion, so rolling back twice goes back two versions.
        """
        for move in reversed(self.moves()):
            if (move.model, move.label, move.action, move.version) == (model, "stable", "promote", version):
                return move.previous
        return None
