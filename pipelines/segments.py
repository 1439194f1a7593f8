"""New, casual and core users, by the number of their training events."""

from __future__ import annotations

import numpy as np

from pipelines.validate import DataError

NAMES = ("new", "casual", "core")
BOUNDS = (5, 50)


def segments(lengths: np.ndarray, bounds: tuple[int, int] = BOUNDS) -> np.ndarray:
    """Number of the segment (in :data:`NAMES`) of users with so many training events.

    Args:
        lengths: training events of each user.
        bounds: most training events of a new user, and of a casual one.
    """
    return np.searchsorted(np.asarray(bounds), lengths, side="left")


def segment_words(bounds: tuple[int, int]) -> tuple[str, str, str]:
    """What makes a user new, casual or core."""
    low, high = bounds
    middle = f"{low + 1:,} to {high:,}" if high > low + 1 else f"{high:,}"
    return f"at most {low:,} training events", f"{middle} training events", f"more than {high:,} training events"


def parse_bounds(text: str) -> tuple[int, int]:
    """``"5,50"`` as numbers.

    Raises:
        DataError: it is something else.
    """
    try:
        low, high = (int(word) for word in text.split(","))
    except ValueError:
        low, high = -1, -1
    if not 0 <= low < high:
        raise DataError(
            f"--segments {text}: is not two rising whole numbers (most training events of a new and of a casual "
            f"user); write for example {BOUNDS[0]},{BOUNDS[1]}."
        )
    return low, high
