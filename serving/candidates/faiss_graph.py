"""An HNSW graph that finds large inner products."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.candidates.exact_search import Hits, exact_search, scores_of
from serving.candidates.faiss_parameters import FaissParameters

# The radius is that of this share of the vectors, and a little more, so that vectors of one length are within it.
_WITHIN = 0.99
_ROOM = 1.05
# Built anew when a larger share of the vectors lies beyond the radius.
_MOST_BEYOND = 0.05
# What tells equal vectors apart in the graph, as a share of the radius.
_NOISE = 1e-5


class FaissGraph:
    """Vectors in a graph whose edges lead to near ones.

    FAISS's graph over inner products finds too little, because the inner product is no distance: everybody's
    neighbours are the longest vectors, and hardly an edge leads to the others.  So each vector v gets one more
    coordinate, ``sqrt(radius^2 - |v|^2)``, and each query a 0.  That makes all vectors equally long without
    changing an inner product, and among equally long ones the nearest has the largest inner product.  Distances
    are good for the way only; what is found is scored by its inner product.

    The few vectors longer than the radius are compared with every query, on their own: a radius as large as the
    longest would leave no difference between the others.  The new coordinate also gets a little noise.  Many equal
    vectors, such as those of items nobody has seen, would otherwise be linked to each other alone, and a search
    that comes upon them would not find out again.

    The wider the lengths differ, the more the new coordinate decides who is near whom, and the larger `ef_search`
    has to be.

    Args:
        faiss: The module.
        parameters: Settings of the graph.
    """

    def __init__(self, faiss: Any, parameters: FaissParameters) -> None:
        self.parameters = parameters
        self._faiss = faiss
        self._index: Any = None
        self._radius = self._largest_norm = 0.0
        self._beyond = np.zeros(0, np.intp)  # places of the vectors longer than the radius
        self._long = np.zeros((0, 0), np.float32)  # these vectors

    def build(self, vectors: NDArray[np.float32]) -> None:
        """Store the first ``vectors`` ``[n, d]``, n > 0."""
        self._radius = _ROOM * float(np.quantile(np.linalg.norm(vectors, axis=1), _WITHIN))
        metric = self._faiss.METRIC_L2
        self._index = self._faiss.IndexHNSWFlat(vectors.shape[1] + 1, self.parameters.links, metric)
        self._index.hnsw.efConstruction = self.parameters.ef_construction
        self.add(vectors)

    def takes(self, vectors: NDArray[np.float32], living: int) -> bool:
        """Whether ``vectors`` can be added to what was built, which makes ``living`` of them."""
        beyond = len(self._beyond) + np.count_nonzero(np.linalg.norm(vectors, axis=1) > self._radius)
        return bool(beyond <= _MOST_BEYOND * (self._index.ntotal + len(vectors)))

    def add(self, vectors: NDArray[np.float32]) -> None:
        """Append ``vectors`` ``[n, d]``."""
        stored = self._index.ntotal
        squares = np.einsum("nd,nd->n", vectors, vectors, dtype=np.float64)
        rest = np.sqrt(np.maximum(self._radius**2 - squares, 0))
        rest += np.random.default_rng(stored).normal(scale=_NOISE * self._radius, size=len(rest))
        self._index.add(np.column_stack([vectors, rest.astype(np.float32)]))
        self._note_long_ones(stored, vectors)

    def vectors(self) -> NDArray[np.float32]:
        """All that are stored ``[n, d]``, as a view that the next `add` makes invalid."""
        storage = self._faiss.downcast_index(self._index.storage)
        flat = self._faiss.rev_swig_ptr(storage.get_xb(), self._index.ntotal * self._index.d)
        return flat.reshape(-1, self._index.d)[:, :-1]

    def search(self, queries: NDArray[np.float32], k: int, alive: NDArray[np.bool_] | None) -> list[Hits]:
        """At most ``k`` living vectors for each query ``[N, d]``."""
        depth, options = max(self.parameters.ef_search, k), {}
        if alive is not None:
            # The dead are among the candidates in view, and only then passed over.
            depth = depth * len(alive) // int(np.count_nonzero(alive))
            options["sel"] = self._faiss.IDSelectorBitmap(np.packbits(alive, bitorder="little"))
        options["efSearch"] = depth
        padded = np.pad(queries, ((0, 0), (0, 1)))
        _, found = self._index.search(padded, k, params=self._faiss.SearchParametersHNSW(**options))
        among = None if alive is None else alive[self._beyond]
        others = exact_search(self._long, range(len(self._long)), queries, k, self._largest_norm, among)
        vectors, hits = self.vectors(), []
        for query, row, (long, _) in zip(queries, found, others, strict=True):
            places = np.union1d(row[row >= 0], self._beyond[long])
            scores = scores_of(vectors[places], query)
            order = np.argsort(-scores, kind="stable")[:k]
            hits.append((places[order], scores[order]))
        return hits

    def search_all(
        self, queries: NDArray[np.float32], k: int, alive: NDArray[np.bool_] | None, ids: list[str]
    ) -> list[Hits]:
        """The same by comparing with every vector."""
        return exact_search(self.vectors(), ids, queries, k, self._largest_norm, alive)

    def write(self, path: Path) -> dict[str, Any]:
        """Write to a file; what `read` needs beside it."""
        self._faiss.write_index(self._index, str(path))
        return {"radius": self._radius}

    def read(self, path: Path, extra: dict[str, Any]) -> tuple[int, int]:
        """Read what `write` wrote; number and dimension of the vectors."""
        self._radius = float(extra["radius"])
        self._index = self._faiss.read_index(str(path))
        self._note_long_ones(0, self.vectors())
        return self._index.ntotal, self._index.d - 1

    def _note_long_ones(self, start: int, vectors: NDArray[np.float32]) -> None:
        """Look through ``vectors``, which are stored from place ``start`` on."""
        norms = np.linalg.norm(vectors, axis=1)
        beyond = np.flatnonzero(norms > self._radius)
        self._largest_norm = max(self._largest_norm, float(norms.max()))
        self._beyond = np.concatenate([self._beyond, start + beyond])
        self._long = np.concatenate([self._long.reshape(-1, vectors.shape[1]), vectors[beyond]])
