"""Small and large tables are read alike."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intentrec_tf.layers.lookup import SMALL, look_up, sum_rows


@pytest.mark.parametrize("size", [7, SMALL, SMALL + 1])
def test_values_and_gradients(size: int) -> None:
    table = tf.Variable(tf.random.stateless_normal([size, 3], [1, size]))
    rows = tf.constant([[0, size - 1], [3, 3], [6, 0]])
    for read, expected in ((look_up, table.numpy()[rows]), (sum_rows, None)):
        if expected is None:
            expected = (table.numpy()[rows] * (rows.numpy() > 0)[..., None]).sum(axis=1)
        with tf.GradientTape() as tape:
            found = read(table, rows)
            loss = tf.reduce_sum(found * tf.constant(expected))
        np.testing.assert_allclose(found, expected, rtol=1e-6)
        gradient = tf.convert_to_tensor(tape.gradient(loss, table)).numpy()
        by_hand = np.zeros((size, 3), np.float32)
        for i in range(3):
            for j in range(2):
                if read is look_up:
                    by_hand[rows[i, j]] += expected[i, j]
                elif rows[i, j] > 0:
                    by_hand[rows[i, j]] += expected[i]
        np.testing.assert_allclose(gradient, by_hand, rtol=1e-6)
