"""Attention under a mask."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intentrec_tf.layers import CausalSelfAttention
from tests.support import run_layer_test

X = tf.random.stateless_normal([2, 4, 6], [0, 1])
CAUSAL = tf.cast(tf.linalg.band_part(tf.ones([2, 4, 4]), -1, 0), tf.bool)


def test_contract() -> None:
    run_layer_test(CausalSelfAttention, {"heads": 3}, X, (2, 4, 6), call={"mask": CAUSAL}, weights=4)


def test_the_mask_alone_decides() -> None:
    layer = CausalSelfAttention(2)
    before = layer(X, CAUSAL)
    after = layer(tf.concat([X[:, :2], X[:, 2:] + 5], 1), CAUSAL)
    np.testing.assert_allclose(after[:, :2], before[:, :2], atol=1e-6)
    assert np.abs(after[:, 2:] - before[:, 2:]).max() > 0.1
    everything = tf.ones([2, 4, 4], tf.bool)
    assert np.abs(layer(X, everything)[:, 0] - before[:, 0]).max() > 0.01


def test_only_itself_visible_is_a_linear_map_of_itself() -> None:
    # softmax over one allowed place is 1, so the answer is projection(value).
    layer = CausalSelfAttention(2)
    found = layer(X, tf.eye(4, batch_shape=[2]) > 0)
    value = layer.qkv(X)[..., 12:]
    np.testing.assert_allclose(found, layer.projection(value), rtol=1e-4, atol=1e-6)


def test_a_row_that_sees_nothing_is_finite_and_harmless_to_gradients() -> None:
    layer = CausalSelfAttention(2)
    with tf.GradientTape() as tape:
        tape.watch(X)
        found = layer(X, tf.zeros([2, 4, 4], tf.bool))
        loss = tf.reduce_sum(found)
    assert np.isfinite(found).all()
    assert np.isfinite(tape.gradient(loss, X)).all()


def test_huge_inputs_stay_finite() -> None:
    assert np.isfinite(CausalSelfAttention(2)(X * 1e6, CAUSAL)).all()


def test_heads_must_divide() -> None:
    with pytest.raises(ValueError, match="heads=4 must divide the input dimension 6"):
        CausalSelfAttention(4)(X, CAUSAL)
