"""Approximate search with FAISS, in one process."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.candidates.candidate_index import Row
from serving.candidates.errors import CandidateInputError, IndexFolderError, MissingPackageError, one_line
from serving.candidates.faiss_graph import FaissGraph
from serving.candidates.faiss_lists import FaissLists
from serving.candidates.faiss_parameters import FaissParameters
from serving.candidates.folder_index import FolderIndex
from serving.candidates.index_folder import read_folder

_FILE = "index.faiss"
# A search for more than this share of the items compares all of them: an approximate one would be no faster.
_EXHAUSTIVE_SHARE = 1 / 8


class FaissIndex(FolderIndex):
    """Inverted lists (IVF) or an HNSW graph over the vectors, by inner product.

    A graph cannot forget, so neither kind is asked to: a removed or replaced vector stays where it is and searches
    pass over it; a new vector is appended and found from the next search on.  The change after which more than
    `FaissParameters.largest_dead_share` of the stored vectors would be dead builds the index anew from the living
    ones instead, which takes as long as building it did.  So does one that more than doubles the items of an IVF
    index, whose centroids no longer fit then, and one after which many vectors of an HNSW index are longer than
    those it was built from.  To replace all vectors, fill a new index.

    An approximate search may come back with fewer items than there are (few lists, islands in the graph); such
    queries are answered again exhaustively, so that ``k`` places are filled whenever there are ``k`` items.

    Searching a built index is deterministic.  Building a graph is not quite: FAISS inserts in parallel, unless
    `faiss.omp_set_num_threads(1)` was called.  Save the index and open it elsewhere instead of building it twice.

    How much of the truth the defaults find depends on the vectors, above all on how much their lengths differ: look
    with `recall_against`.

    Args:
        dimension: Length of each vector.
        parameters: Algorithm and its settings.

    Raises:
        MissingPackageError: faiss is not installed.
    """

    kind = "faiss"

    def __init__(self, dimension: int, parameters: FaissParameters | None = None) -> None:
        super().__init__(dimension)
        self._faiss = _import_faiss()
        chosen = parameters or FaissParameters()
        self._store: FaissGraph | FaissLists = (
            FaissGraph(self._faiss, chosen) if chosen.algorithm == "hnsw" else FaissLists(self._faiss, chosen)
        )
        self._ids: list[str] = []  # of each stored vector; "" for a dead one
        self._places: dict[str, int] = {}  # of each living item among them
        self._alive = np.zeros(0, np.bool_)  # of each stored vector

    @property
    def parameters(self) -> FaissParameters:
        """Algorithm and settings; a change counts from the next search, or the next build, on.

        Raises:
            CandidateInputError: on a change of the algorithm.
        """
        return self._store.parameters

    @parameters.setter
    def parameters(self, parameters: FaissParameters) -> None:
        if parameters.algorithm != self.parameters.algorithm:
            raise CandidateInputError(
                f"algorithm is {parameters.algorithm!r} but the index has {self.parameters.algorithm!r}, so fill a "
                f"new index."
            )
        self._store.parameters = parameters

    @classmethod
    def open(
        cls, folder: str | Path, model_version: str | None = None, parameters: FaissParameters | None = None
    ) -> FaissIndex:
        """Read an index that `save` wrote.

        Args:
            folder: Where it lies.
            model_version: Refuse any other.  Default: take whatever is there.
            parameters: Search with these instead of those it was saved with; what concerns building counts from
                the next build on.

        Raises:
            IndexFolderError: it is missing, damaged, of another kind, algorithm, format or model version.
            MissingPackageError: faiss is not installed.
        """
        faiss = _import_faiss()
        saved = read_folder(Path(folder), cls.kind, (_FILE,), model_version)
        try:
            index = cls(saved.dimension, FaissParameters(**saved.extra["parameters"]))
            if saved.item_ids:
                shape = index._store.read(Path(folder) / _FILE, saved.extra)
        except (KeyError, TypeError, ValueError):
            raise IndexFolderError(f"{folder} lacks readable parameters, so build the index again.") from None
        except RuntimeError as error:
            raise IndexFolderError(
                f"{folder} was written by FAISS {saved.extra.get('faiss_version')} and cannot be read by "
                f"{faiss.__version__}, so build the index again ({one_line(str(error), 120)})."
            ) from None
        if saved.item_ids and shape != (len(saved.item_ids), saved.dimension):
            raise IndexFolderError(f"{folder} contradicts itself about its vectors, so build the index again.")
        if parameters is not None and parameters.algorithm != index.parameters.algorithm:
            raise IndexFolderError(
                f"{folder} holds {index.parameters.algorithm!r} where {parameters.algorithm!r} is configured, so "
                f"change the configuration or build the index again."
            )
        index.parameters = parameters or index.parameters
        index.model_version = saved.model_version
        index._ids = saved.item_ids
        index._places = {name: place for place, name in enumerate(saved.item_ids) if name}
        index._alive = np.array([bool(name) for name in saved.item_ids], np.bool_)
        return index

    def rebuild(self) -> None:
        """Build the index anew from the living items, e.g. at a quiet hour before a change has to."""
        self._check_open()
        self._build(*self._living())

    @property
    def dead(self) -> int:
        """How many stored vectors are of removed or replaced items."""
        return len(self._ids) - len(self._places)

    def __len__(self) -> int:
        self._check_open()
        return len(self._places)

    def _upsert(self, item_ids: list[str], vectors: NDArray[np.float32]) -> None:
        for name in item_ids:
            self._bury(name)
        living = len(self._places) + len(item_ids)
        too_dead = self._is_too_dead(len(self._ids) + len(item_ids), living)
        if not self._ids or too_dead or not self._store.takes(vectors, living):
            old_ids, old_vectors = self._living()
            self._build(old_ids + item_ids, np.concatenate([old_vectors, vectors]))
        else:
            self._store.add(vectors)
            self._name(item_ids)

    def _remove(self, item_ids: list[str]) -> int:
        removed = sum(self._bury(name) for name in item_ids)
        if removed and self._is_too_dead(len(self._ids), len(self._places)):
            self._build(*self._living())
        return removed

    def _write(self, work: Path) -> dict[str, Any]:
        header = {"faiss_version": self._faiss.__version__, "parameters": asdict(self.parameters)}
        if not self._ids:
            (work / _FILE).touch()
            return header
        return {**header, **self._store.write(work / _FILE)}

    def _close(self) -> None:
        self._store, self._ids, self._places = type(self._store)(self._faiss, self.parameters), [], {}

    def _search(self, queries: NDArray[np.float32], k: int) -> list[Row]:
        wanted = min(k, len(self._places))
        if not wanted:
            return []
        alive = self._alive if self.dead else None
        if wanted > len(self._places) * _EXHAUSTIVE_SHARE:
            hits = self._store.search_all(queries, wanted, alive, self._ids)
        else:
            hits = self._store.search(queries, wanted, alive)
            short = [row for row, (places, _) in enumerate(hits) if len(places) < wanted]
            again = self._store.search_all(queries[short], wanted, alive, self._ids) if short else []
            for row, found in zip(short, again, strict=True):
                hits[row] = found
        return [([self._ids[place] for place in places], scores) for places, scores in hits]

    def _is_too_dead(self, stored: int, living: int) -> bool:
        return stored - living > self.parameters.largest_dead_share * stored

    def _living(self) -> tuple[list[str], NDArray[np.float32]]:
        """Ids and vectors of the living items, in the order in which they are stored."""
        if not self._ids:
            return [], np.zeros((0, self.dimension), np.float32)
        return [name for name in self._ids if name], self._store.vectors()[self._alive]

    def _build(self, item_ids: list[str], vectors: NDArray[np.float32]) -> None:
        store = type(self._store)(self._faiss, self.parameters)
        if item_ids:
            store.build(vectors)
        self._store = store
        self._ids, self._places, self._alive = [], {}, np.zeros(0, np.bool_)
        self._name(item_ids)

    def _name(self, item_ids: list[str]) -> None:
        """Give ids to the vectors that were just appended."""
        self._places.update(zip(item_ids, range(len(self._ids), len(self._ids) + len(item_ids)), strict=True))
        self._alive = np.concatenate([self._alive, np.ones(len(item_ids), np.bool_)])
        self._ids.extend(item_ids)

    def _bury(self, name: str) -> bool:
        """Mark an item's vector as dead; whether there was one."""
        place = self._places.pop(name, None)
        if place is None:
            return False
        self._ids[place], self._alive[place] = "", False
        return True


def _import_faiss() -> Any:
    try:
        import faiss  # an extra: the base install has none
    except ImportError:
        raise MissingPackageError(
            "A FAISS index needs faiss, so run `pip install 'intentrec_tf[ann]'` or choose the exact index."
        ) from None
    return faiss
