"""What a search returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The nearest items of each query, best first.

    Attributes:
        item_ids: Text in an object array ``[N, k]``; ``""`` where the index had no more items.
        scores: Inner products, float32 ``[N, k]``; ``-inf`` where the index had no more items.
    """

    item_ids: NDArray[Any]
    scores: NDArray[np.float32]
