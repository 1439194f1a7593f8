"""Against numpy, on numbers in several partitions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd
import pytest

from pipelines.order_statistics import order_statistics, quantiles
from pipelines.partitions import T


class Pieces:
    """Partitions of a list of frames."""

    def __init__(self, values: np.ndarray, count: int) -> None:
        self.frames = [pd.DataFrame({"x": part}) for part in np.array_split(values, count)]

    def each(
        self, function: Callable[[int, pd.DataFrame], T], what: str, columns: Sequence[str] | None = None
    ) -> Iterator[T]:
        yield from (function(i, frame) for i, frame in enumerate(self.frames))

    def change(self, function: Callable[[int, pd.DataFrame], pd.DataFrame], what: str) -> None:
        raise NotImplementedError


def values(frame: pd.DataFrame) -> np.ndarray:
    return frame["x"].to_numpy()


NUMBERS = {
    "normal": np.random.default_rng(0).normal(size=999) * 10.0 ** np.arange(-4, 5).repeat(111),
    "few": np.array([0.0, -0.0, 1.0, 1.0, -1.0, np.inf]),
    "one": np.array([3.5]),
    "times": np.random.default_rng(1).integers(1_700_000_000, 1_700_200_000, 500),
    "extreme": np.array([-(2**63), -1, 0, 1, 2**63 - 1]),
}


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("count", [1, 7])
def test_every_place(name: str, count: int):
    numbers = NUMBERS[name]
    total, found = order_statistics(Pieces(numbers, count), values, range, ("x",), "testing")
    assert total == len(numbers)
    assert found.dtype == numbers.dtype
    np.testing.assert_array_equal(found, np.sort(numbers))


@pytest.mark.parametrize("name", ["normal", "one"])
def test_quantiles_are_numpys_to_the_last_bit(name: str):
    shares = [0.0, 0.05, 1 / 3, 0.5, 2 / 3, 0.95, 1.0]
    found = quantiles(Pieces(NUMBERS[name], 5), values, shares, ("x",), "testing")
    np.testing.assert_array_equal(found, np.quantile(NUMBERS[name], shares))


def test_no_values():
    assert len(quantiles(Pieces(np.zeros(0), 1), values, [0.5], ("x",), "testing")) == 0
