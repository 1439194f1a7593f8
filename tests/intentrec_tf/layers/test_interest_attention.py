"""Interests as ways of attending."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from intentrec_tf.layers import InterestAttention
from tests.support import run_layer_test

EVENTS = tf.random.stateless_normal([3, 5, 4], [0, 1])
VALID = tf.constant([[1, 1, 1, 1, 1], [0, 0, 0, 1, 1], [0, 0, 0, 0, 0]]) > 0


def test_contract() -> None:
    run_layer_test(
        InterestAttention,
        {"count": 3, "hidden_dim": 6, "max_positions": 5},
        EVENTS,
        {"interests": (3, 3, 4), "slots": (3, 3), "weights": (3, 5, 3)},
        call={"valid": VALID},
        dtype={"interests": tf.float32, "slots": tf.bool, "weights": tf.float32},
        weights=3,
    )


def test_by_hand() -> None:
    """W1 = 1, W2 picks one coordinate, no positions: weights are softmax(tanh(e)) over the two events."""
    layer = InterestAttention(2, hidden_dim=2)
    events = tf.constant([[[1.0, 0.0], [0.0, 2.0]]])
    layer(events, valid=tf.ones([1, 2], tf.bool))
    layer.inner.assign(tf.eye(2))
    layer.outer.assign(tf.eye(2))
    layer.positions.assign(tf.zeros_like(layer.positions))
    found = layer(events, valid=tf.ones([1, 2], tf.bool))
    first = np.exp(np.tanh(1)) / (np.exp(np.tanh(1)) + 1)  # the first way looks at the first coordinate
    second = 1 / (1 + np.exp(np.tanh(2)))
    np.testing.assert_allclose(found["weights"][0], [[first, second], [1 - first, 1 - second]], rtol=1e-5)
    np.testing.assert_allclose(found["interests"][0, 0], [first, 2 * (1 - first)], rtol=1e-5)


def test_weights_and_slots() -> None:
    found = InterestAttention(3, hidden_dim=6)(EVENTS, valid=VALID)
    np.testing.assert_allclose(tf.reduce_sum(found["weights"], 1), [[1] * 3, [1] * 3, [0] * 3], rtol=1e-5)
    np.testing.assert_array_equal(found["slots"], [[True] * 3, [True] * 3, [False] * 3])
    assert (found["interests"].numpy()[2] == 0).all()


def test_padding_counts_for_nothing() -> None:
    layer = InterestAttention(2, hidden_dim=6)
    before = layer(EVENTS[:1, 1:], valid=VALID[:1, 1:])
    wild = tf.concat([tf.fill([1, 3, 4], float("nan")), EVENTS[:1, 1:]], 1)
    after = layer(wild, valid=tf.concat([tf.zeros([1, 3], tf.bool), VALID[:1, 1:]], 1))
    np.testing.assert_allclose(after["interests"], before["interests"], rtol=1e-5)
