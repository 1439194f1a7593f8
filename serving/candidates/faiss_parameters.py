"""How a FAISS index is built and searched.

Inverted lists are the default because they surprised us: with a million vectors, drawn around centres or not and of
equal or different lengths, they found as much as the graph in less time, were built many times as fast and took half
the memory.  Measure on your own vectors, with `recall_against`, before you believe either.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from serving.candidates.errors import CandidateInputError, shown

ALGORITHMS = ("ivf", "hnsw")
# Vectors a list needs on average, so that k-means has something to go by.
_PER_LIST = 39


@dataclass(frozen=True)
class FaissParameters:
    """Parameters of `FaissIndex`; those of the other algorithm are ignored.

    Attributes:
        algorithm: ``"ivf"`` (lists around centroids: quick to build, hardly more memory than the vectors) or
            ``"hnsw"`` (a graph: slow to build, twice the memory).
        links: HNSW: links of a node (twice that many on the lowest level).  More cost memory and find more.
        ef_construction: HNSW: candidates kept in view while a node is linked.
        ef_search: HNSW: candidates kept in view while searching, at least ``k``.  More take longer and find more.
        lists: IVF: number of lists; 0 means 4 times the square root of the number of items.
        probes: IVF: lists looked at in a search.  More take longer and find more.
        largest_dead_share: Rebuild when more than this share of the stored vectors is of removed or replaced items.
    """

    algorithm: str = "ivf"
    links: int = 32
    ef_construction: int = 200
    ef_search: int = 256
    lists: int = 0
    probes: int = 128
    largest_dead_share: float = 0.25

    def __post_init__(self) -> None:
        if self.algorithm not in ALGORITHMS:
            raise CandidateInputError(
                f"algorithm is {shown(self.algorithm)}, so choose one of {', '.join(ALGORITHMS)}."
            )
        least = {"links": 2, "ef_construction": 1, "ef_search": 1, "lists": 0, "probes": 1}
        for name, smallest in least.items():
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < smallest:
                raise CandidateInputError(f"{name} is {shown(value)}, so pass a whole number from {smallest} on.")
        share = self.largest_dead_share
        if not isinstance(share, (int, float)) or isinstance(share, bool) or not 0 <= share <= 1:
            raise CandidateInputError(f"largest_dead_share is {shown(share)}, so pass a number from 0 to 1.")

    def lists_for(self, count: int) -> int:
        """Number of lists for ``count`` vectors, at least 1 and few enough to be trained."""
        wanted = self.lists or round(4 * math.sqrt(count))
        return max(1, min(wanted, count // _PER_LIST))
