"""The item's side."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from intentrec_tf.layers import ItemTower
from tests.support import run_layer_test

VECTORS = tf.random.stateless_normal([3, 4], [0, 1])


def test_contract() -> None:
    run_layer_test(ItemTower, {"hidden_dim": 6}, VECTORS, (3, 4), weights=4)


def test_length_one_and_zero_stays_finite() -> None:
    tower = ItemTower(6)
    np.testing.assert_allclose(tf.norm(tower(VECTORS), axis=-1), np.ones(3), rtol=1e-5)
    assert np.isfinite(tower(tf.zeros([1, 4])).numpy()).all()


def test_the_item_itself_shines_through() -> None:
    tower = ItemTower(6)
    tower(VECTORS)
    tower.last.kernel.assign(tf.zeros_like(tower.last.kernel))
    np.testing.assert_allclose(tower(VECTORS), tf.math.l2_normalize(VECTORS, -1), rtol=1e-5)
