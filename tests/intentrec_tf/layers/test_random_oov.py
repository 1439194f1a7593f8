"""The out-of-vocabulary row gets training examples."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from intentrec_tf.layers import RandomOOV
from tests.support import run_layer_test

ROWS = tf.tile(tf.constant([[0, 1, 2, 3]]), [1000, 1])


def test_contract() -> None:
    run_layer_test(RandomOOV, {"rate": 0.3}, ROWS, (1000, 4), dtype="int32", weights=0)


def test_identity_when_not_training() -> None:
    np.testing.assert_array_equal(RandomOOV(0.5)(ROWS, training=False), ROWS)
    np.testing.assert_array_equal(RandomOOV(0.5)(ROWS), ROWS)
    np.testing.assert_array_equal(RandomOOV(0.0)(ROWS, training=True), ROWS)


def test_share_of_known_ids_becomes_oov() -> None:
    tf.random.set_seed(5)
    found = RandomOOV(0.25)(ROWS, training=True).numpy()
    assert (found[:, 0] == 0).all()  # padding stays padding
    assert (found[:, 1] == 1).all()
    changed = found[:, 2:] != ROWS.numpy()[:, 2:]
    assert (found[:, 2:][changed] == 1).all()
    assert abs(changed.mean() - 0.25) < 0.04  # 4 standard deviations of 2000 draws
