"""Item vectors and queries that an index finds as hard as real ones."""

from __future__ import annotations

import numpy as np

CLUSTER = 500  # items
AWAY = 0.25  # of a query from the item it is near
LOOSE, TIGHT = 1.0, 0.5
WORDS = (
    "unit vectors in clusters of about 500, the variance of dimension i falling as 1/i; noise is how far items lie "
    "from their cluster's centre, in units of how far centres lie from each other. What an approximate search costs "
    "depends on it more than on anything else: tight clusters (0.5) are found by k-means as they were made, which "
    "flatters inverted lists; loose ones (1.0) overlap. Isotropic vectors, left out, have no near neighbours. "
    "Measure your own vectors before you believe either"
)


def item_vectors(items: int, dim: int, noise: float = LOOSE, seed: int = 0) -> np.ndarray:
    """Clustered unit vectors, float32 [items, dim]; equal for equal arguments."""
    rng = np.random.default_rng(seed)
    centres = _spread(rng, max(items // CLUSTER, 1), dim)
    vectors = centres[rng.integers(0, len(centres), items)] + noise * _spread(rng, items, dim)
    return _unit(vectors)


def query_vectors(vectors: np.ndarray, users: int, count: int, seed: int = 1) -> np.ndarray:
    """What users ask for: somewhere near an item for each of their interests, float32 [users, count, dim]."""
    rng = np.random.default_rng(seed)
    near = vectors[rng.integers(0, len(vectors), users * count)]
    asked = _unit(near + AWAY * _spread(rng, len(near), near.shape[1]))
    return asked.reshape(users, count, -1)


def _spread(rng: np.random.Generator, rows: int, dim: int) -> np.ndarray:
    """Normal numbers whose vectors have length 1 on average, the first dimensions the widest."""
    width = 1 / np.sqrt(np.arange(1, dim + 1))
    drawn = rng.standard_normal((rows, dim), dtype=np.float32)
    drawn *= (width / np.linalg.norm(width)).astype(np.float32)
    return drawn


def _unit(vectors: np.ndarray) -> np.ndarray:
    unit: np.ndarray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit
