"""Attention under a mask."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intentrec_tf.layers import SelfAttention
from intentrec_tf.layers.self_attention import TILE
from tests.support import run_layer_test

X = tf.random.stateless_normal([2, 4, 6], [0, 1])
CAUSAL = tf.cast(tf.linalg.band_part(tf.ones([2, 4, 4]), -1, 0), tf.bool)


def test_contract() -> None:
    run_layer_test(
        SelfAttention, {"heads": 3, "causal": True, "dropout": 0.1}, X, (2, 4, 6), call={"mask": CAUSAL}, weights=4
    )


def test_the_mask_alone_decides() -> None:
    layer = SelfAttention(2, causal=False)
    before = layer(X, CAUSAL)
    after = layer(tf.concat([X[:, :2], X[:, 2:] + 5], 1), CAUSAL)
    np.testing.assert_allclose(after[:, :2], before[:, :2], atol=1e-6)
    assert np.abs(after[:, 2:] - before[:, 2:]).max() > 0.1
    everything = tf.ones([2, 4, 4], tf.bool)
    assert np.abs(layer(X, everything)[:, 0] - before[:, 0]).max() > 0.01


@pytest.mark.parametrize("length", [5, TILE, TILE + 1, 2 * TILE + 9])
def test_causal_tiles_give_what_the_whole_gives(length: int) -> None:
    inputs = tf.random.stateless_normal([2, length, 6], [0, 2])
    mask = tf.cast(tf.linalg.band_part(tf.ones([2, length, length]), -1, 0), tf.bool)
    mask &= (tf.random.stateless_uniform([2, length, length], [0, 3]) < 0.7) | (tf.eye(length) > 0)
    whole, tiled = SelfAttention(2, causal=False), SelfAttention(2, causal=True)
    for layer in (whole, tiled):
        layer.build(inputs.shape)
    tiled.set_weights(whole.get_weights())
    found = []
    for layer in (whole, tiled):
        with tf.GradientTape() as tape:
            outputs = layer(inputs, mask)
            loss = tf.reduce_sum(outputs**2)
        found.append([outputs, *tape.gradient(loss, layer.trainable_weights)])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_dropout_on_the_weights_only_in_training() -> None:
    layer = SelfAttention(2, dropout=0.5)
    calm = layer(X, CAUSAL)
    np.testing.assert_array_equal(layer(X, CAUSAL, training=False), calm)
    assert np.abs(layer(X, CAUSAL, training=True) - calm).max() > 1e-3


def test_only_itself_visible_is_a_linear_map_of_itself() -> None:
    # softmax over one allowed place is 1, so the answer is projection(value).
    layer = SelfAttention(2)
    found = layer(X, tf.eye(4, batch_shape=[2]) > 0)
    value = layer.qkv(X)[..., 12:]
    np.testing.assert_allclose(found, layer.projection(value), rtol=1e-4, atol=1e-6)


def test_a_row_that_sees_nothing_is_finite_and_harmless_to_gradients() -> None:
    layer = SelfAttention(2)
    with tf.GradientTape() as tape:
        tape.watch(X)
        found = layer(X, tf.zeros([2, 4, 4], tf.bool))
        loss = tf.reduce_sum(found)
    assert np.isfinite(found).all()
    assert np.isfinite(tape.gradient(loss, X)).all()


def test_huge_inputs_stay_finite() -> None:
    assert np.isfinite(SelfAttention(2)(X * 1e6, CAUSAL)).all()


def test_heads_must_divide() -> None:
    with pytest.raises(ValueError, match="heads=4 must divide the input dimension 6"):
        SelfAttention(4)(X, CAUSAL)
