"""Items that do without their id."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intentrec_tf.layers import IdDropout
from tests.support import run_layer_test

TRAINED = tf.constant([False, True] * 2000)


def test_contract() -> None:
    run_layer_test(IdDropout, {"rate": 0.3}, TRAINED, (4000,), dtype="bool", weights=0)


def test_only_in_training() -> None:
    np.testing.assert_array_equal(IdDropout(0.5)(TRAINED), TRAINED)
    np.testing.assert_array_equal(IdDropout(0.5)(TRAINED, training=False), TRAINED)
    np.testing.assert_array_equal(IdDropout(0.0)(TRAINED, training=True), TRAINED)


def test_a_share_of_the_trained_items_is_dropped_each_time_another() -> None:
    layer = IdDropout(0.25, seed=3)
    first, second = layer(TRAINED, training=True).numpy(), layer(TRAINED, training=True).numpy()
    assert not first[::2].any()  # what was never seen is not known for once either
    assert abs(first[1::2].mean() - 0.75) < 0.04  # 4 standard deviations of 2000 draws
    assert (first != second).any()


def test_a_rate_that_leaves_no_ids() -> None:
    with pytest.raises(ValueError, match=r"rate must be in \[0, 1\), got 1"):
        IdDropout(1.0)
