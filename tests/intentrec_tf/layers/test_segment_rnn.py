"""Recurrent layers over rows of several users."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intentrec_tf.layers import SegmentRNN
from tests.support import run_layer_test

DIM = 4
X = tf.random.stateless_normal([2, 6, 3], [0, 1])
SEGMENT = tf.constant([[0, 1, 1, 1, 2, 2], [1, 1, 1, 1, 0, 0]])
CELLS = ["GRU", "LSTM"]


@pytest.mark.parametrize("cell", CELLS)
def test_contract(cell: str) -> None:
    run_layer_test(SegmentRNN, {"dim": DIM, "cell": cell}, X, (2, 6, DIM), call={"segment": SEGMENT}, weights=3)


def _random(cell: str) -> SegmentRNN:
    """All weights, biases too, are large enough to matter."""
    layer = SegmentRNN(DIM, cell)
    layer.build(X.shape)
    for number, weight in enumerate(layer.weights):
        weight.assign(tf.random.stateless_normal(weight.shape, [2, number]))
    return layer


@pytest.mark.parametrize("cell", CELLS)
def test_one_user_alone_is_keras(cell: str) -> None:
    layer = _random(cell)
    theirs = {"GRU": tf.keras.layers.GRU, "LSTM": tf.keras.layers.LSTM}[cell](DIM, return_sequences=True)
    theirs.build(X.shape)
    theirs.set_weights(layer.get_weights())
    np.testing.assert_allclose(layer(X, segment=tf.ones([2, 6], tf.int32)), theirs(X), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("cell", CELLS)
def test_users_that_share_a_row_are_each_alone(cell: str) -> None:
    """Nothing passes from one user to the next, nor from padding to a user."""
    layer = _random(cell)
    together = layer(X, segment=SEGMENT)
    for row, events in ((0, slice(1, 4)), (0, slice(4, 6)), (1, slice(0, 4))):
        alone = X[row : row + 1, events]
        expected = layer(alone, segment=tf.ones(alone.shape[:2], tf.int32))
        np.testing.assert_allclose(together[row : row + 1, events], expected, rtol=1e-5, atol=1e-6)
    same_user = layer(X, segment=tf.ones_like(SEGMENT))
    assert np.abs(same_user[0, 4:] - together[0, 4:]).max() > 0.01


@pytest.mark.parametrize("cell", CELLS)
def test_later_events_change_nothing_and_earlier_ones_do(cell: str) -> None:
    layer = _random(cell)
    before = layer(X, segment=SEGMENT)
    after = layer(tf.concat([X[:, :2], X[:, 2:3] + 1, X[:, 3:]], axis=1), segment=SEGMENT)
    np.testing.assert_array_equal(after[:, :2], before[:, :2])
    np.testing.assert_array_equal(after[0, 4:], before[0, 4:])  # another user
    for row, place in ((0, 2), (0, 3), (1, 2), (1, 3)):
        assert np.abs(after[row, place] - before[row, place]).max() > 1e-3


@pytest.mark.parametrize("cell", CELLS)
def test_compiled_is_not_compiled(cell: str) -> None:
    layer = _random(cell)

    def step(inputs: tf.Tensor, segment: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            outputs = layer(inputs, segment=segment)
            loss = tf.reduce_sum(outputs**2)
        return [outputs, *tape.gradient(loss, layer.trainable_weights)]

    for found, expected in zip(tf.function(step, jit_compile=True)(X, SEGMENT), step(X, SEGMENT), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_unknown_cell() -> None:
    with pytest.raises(ValueError, match="cell must be one of GRU, LSTM, got 'RNN'"):
        SegmentRNN(DIM, "RNN")
