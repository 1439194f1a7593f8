"""Exact search with NumPy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.candidates.candidate_index import Row
from serving.candidates.errors import IndexFolderError
from serving.candidates.exact_search import exact_search
from serving.candidates.folder_index import FolderIndex
from serving.candidates.index_folder import read_folder

_VECTORS = "vectors.npy"


class ExactIndex(FolderIndex):
    """Compares every query with every item, block by block: right by definition, and in bounded memory.

    Scores are the true ones rounded once to float32.

    Args:
        dimension: Length of each vector.
    """

    kind = "exact"

    def __init__(self, dimension: int) -> None:
        super().__init__(dimension)
        self._ids: list[str] = []
        self._rows: dict[str, int] = {}
        self._vectors = np.zeros((0, self.dimension), np.float32)  # rows from len(self._ids) on are spare
        self._largest_norm = 0.0  # an upper bound: it stays when items leave

    @classmethod
    def open(cls, folder: str | Path, model_version: str | None = None) -> ExactIndex:
        """Read an index that `save` wrote.

        Args:
            folder: Where it lies.
            model_version: Refuse any other.  Default: take whatever is there.

        Raises:
            IndexFolderError: it is missing, damaged, of another kind, format or model version.
        """
        saved = read_folder(Path(folder), cls.kind, (_VECTORS,), model_version)
        vectors = np.load(Path(folder) / _VECTORS, allow_pickle=False)
        if vectors.shape != (len(saved.item_ids), saved.dimension) or vectors.dtype != np.float32:
            raise IndexFolderError(f"{folder} contradicts itself about its vectors, so build the index again.")
        index = cls(saved.dimension)
        index.model_version = saved.model_version
        if saved.item_ids:
            index.upsert(saved.item_ids, vectors)
        return index

    def __len__(self) -> int:
        self._check_open()
        return len(self._ids)

    def _upsert(self, item_ids: list[str], vectors: NDArray[np.float32]) -> None:
        before = len(self._ids)
        new = [name for name in item_ids if name not in self._rows]
        if before + len(new) > len(self._vectors):
            grown = np.empty((max(before + len(new), before * 3 // 2), self.dimension), np.float32)
            grown[:before] = self._vectors[:before]
            self._vectors = grown
        self._ids.extend(new)
        self._rows.update(zip(new, range(before, len(self._ids)), strict=True))
        self._vectors[[self._rows[name] for name in item_ids]] = vectors
        self._largest_norm = max(self._largest_norm, float(np.linalg.norm(vectors, axis=1).max()))

    def _remove(self, item_ids: list[str]) -> int:
        removed = 0
        for name in item_ids:
            row = self._rows.pop(name, None)
            if row is None:
                continue
            removed += 1
            last = self._ids.pop()
            if last != name:  # the last item moves into the gap
                self._ids[row], self._rows[last] = last, row
                self._vectors[row] = self._vectors[len(self._ids)]
        return removed

    def _write(self, work: Path) -> dict[str, Any]:
        np.save(work / _VECTORS, self._vectors[: len(self._ids)], allow_pickle=False)
        return {}

    def _close(self) -> None:
        self._ids, self._rows, self._vectors = [], {}, np.zeros((0, self.dimension), np.float32)

    def _search(self, queries: NDArray[np.float32], k: int) -> list[Row]:
        vectors = self._vectors[: len(self._ids)]
        hits = exact_search(vectors, self._ids, queries, k, self._largest_norm)
        return [([self._ids[place] for place in places], scores) for places, scores in hits]
