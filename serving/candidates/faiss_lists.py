"""Inverted lists: vectors sorted by the nearest of some centroids."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.candidates.exact_search import Hits
from serving.candidates.faiss_parameters import FaissParameters

# Vectors of a list that k-means looks at; FAISS's own 256 takes four times as long for hardly better lists.
_TRAINING_PER_LIST = 64
# Centroids are computed anew when there are more than this many times as many vectors as they were computed from.
_GROWTH = 2


class FaissLists:
    """Vectors in lists around centroids, of which a search looks at the few most promising.

    By inner products throughout: the detour by way of distances that helps a graph was seen to harm lists.

    Args:
        faiss: The module.
        parameters: Settings of the lists.
    """

    def __init__(self, faiss: Any, parameters: FaissParameters) -> None:
        self.parameters = parameters
        self._faiss = faiss
        self._index: Any = None
        self._built_from = 0

    def build(self, vectors: NDArray[np.float32]) -> None:
        """Store the first ``vectors`` ``[n, d]``, n > 0."""
        count, dimension = vectors.shape
        metric = self._faiss.METRIC_INNER_PRODUCT
        centroids = self._faiss.IndexFlatIP(dimension)
        index = self._faiss.IndexIVFFlat(centroids, dimension, self.parameters.lists_for(count), metric)
        index.cp.min_points_per_centroid = 1
        index.cp.max_points_per_centroid = _TRAINING_PER_LIST
        index.train(vectors)
        self._index, self._built_from = index, count
        self.add(vectors)

    def takes(self, vectors: NDArray[np.float32], living: int) -> bool:
        """Whether ``vectors`` can be added to what was built, which makes ``living`` of them."""
        return living <= _GROWTH * self._built_from

    def add(self, vectors: NDArray[np.float32]) -> None:
        """Append ``vectors`` ``[n, d]``."""
        self._index.add(vectors)

    def vectors(self) -> NDArray[np.float32]:
        """All that are stored ``[n, d]``, in the order in which they were added."""
        return self._index.reconstruct_n(0, self._index.ntotal)

    def search(self, queries: NDArray[np.float32], k: int, alive: NDArray[np.bool_] | None) -> list[Hits]:
        """At most ``k`` living vectors for each query ``[N, d]``."""
        return self._search(queries, k, alive, min(self.parameters.probes, self._index.nlist))

    def search_all(
        self, queries: NDArray[np.float32], k: int, alive: NDArray[np.bool_] | None, ids: list[str]
    ) -> list[Hits]:
        """The same by looking at every list."""
        return self._search(queries, k, alive, self._index.nlist)

    def write(self, path: Path) -> dict[str, Any]:
        """Write to a file; what `read` needs beside it."""
        self._faiss.write_index(self._index, str(path))
        return {"built_from": self._built_from}

    def read(self, path: Path, extra: dict[str, Any]) -> tuple[int, int]:
        """Read what `write` wrote; number and dimension of the vectors."""
        self._built_from = int(extra["built_from"])
        self._index = self._faiss.read_index(str(path))
        return self._index.ntotal, self._index.d

    def _search(self, queries: NDArray[np.float32], k: int, alive: NDArray[np.bool_] | None, probes: int) -> list[Hits]:
        options: dict[str, Any] = {"nprobe": probes}
        if alive is not None:
            options["sel"] = self._faiss.IDSelectorBitmap(np.packbits(alive, bitorder="little"))
        scores, places = self._index.search(queries, k, params=self._faiss.SearchParametersIVF(**options))
        return [(row[row >= 0], values[row >= 0]) for row, values in zip(places, scores, strict=True)]
