"""Indexes that lie in a folder between two uses."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar

from serving.candidates.candidate_index import CandidateIndex
from serving.candidates.index_folder import write_folder


class FolderIndex(CandidateIndex):
    """A :class:`CandidateIndex` in this process's memory, which a folder can hold.

    Attributes:
        kind: What `index.json` calls it.
    """

    kind: ClassVar[str]
    _ids: list[str]  # of each stored vector; "" for one that no item has any more

    def save(self, folder: str | Path, model_version: str | None = None) -> None:
        """Write the index into ``folder``, all of it or nothing; an index that is there is replaced.

        Args:
            folder: May not exist yet, or hold an index.
            model_version: What the vectors come from, e.g. the version of the run; `open` compares it.  Default: what
                the index was opened with.

        Raises:
            IndexFolderError: the folder holds something else, or cannot be written.
        """
        self._check_open()
        self.model_version = self.model_version if model_version is None else model_version
        write_folder(
            Path(folder),
            kind=self.kind,
            model_version=self.model_version,
            dimension=self.dimension,
            item_ids=self._ids,
            write=self._write,
        )

    @abstractmethod
    def _write(self, work: Path) -> dict[str, Any]:
        """Write files of its own into a folder; what `index.json` is to say more."""
