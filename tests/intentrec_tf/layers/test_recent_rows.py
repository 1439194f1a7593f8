"""The newest rows side by side."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intentrec_tf.layers import RecentRows
from tests.support import run_layer_test

X = tf.random.stateless_normal([1, 6, 2], [0, 1])
SEGMENT = tf.constant([[0, 1, 1, 1, 2, 2]])


def test_contract() -> None:
    run_layer_test(RecentRows, {"count": 3}, X, (1, 6, 6), call={"segment": SEGMENT}, weights=0)


@pytest.mark.parametrize("count", [1, 3, 8])
def test_newest_first_and_zeros_before_the_first(count: int) -> None:
    """Also where there are more places than the row has."""
    found = RecentRows(count)(X, segment=SEGMENT).numpy().reshape([6, count, 2])
    first = [0, 1, 1, 1, 4, 4]
    for k in range(6):
        for back in range(count):
            expected = X[0, k - back] if k - back >= first[k] else np.zeros(2)
            np.testing.assert_array_equal(found[k, back], expected)


def test_it_needs_a_row() -> None:
    with pytest.raises(ValueError, match="count must be at least 1, got 0"):
        RecentRows(0)
