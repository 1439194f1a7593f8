"""From intents to Z (Eq 2)."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intentrec_tf.layers import IntentAggregation
from tests.support import run_layer_test

P = [tf.constant([[[0.2, 0.8]]]), tf.constant([[[0.5, 0.25, 0.25]]])]


def test_contract() -> None:
    # The bias of the shared attention adds the same number to every a_i, and softmax forgets it.
    shapes = ((1, 1, 4), (1, 1, 2))
    run_layer_test(IntentAggregation, {"dim": 4}, P, shapes, unmoved=lambda layer: [layer.attention.bias], weights=6)


def test_by_hand() -> None:
    layer = IntentAggregation(1)
    layer(P)
    layer.projections[0].set_weights([np.array([[0.0], [1.0]]), np.array([0.2])])  # 0.8 + 0.2 = 1
    layer.projections[1].set_weights([np.array([[2.0], [4.0], [4.0]]), np.array([0.0])])  # 1 + 1 + 1 = 3
    layer.attention.set_weights([np.array([[np.log(3) / 2]]), np.array([5.0])])
    z, w = layer(P)
    # a = (1, 3) log(3)/2 + 5, so w_2 / w_1 = exp(log 3) = 3: w = (1/4, 3/4); Z = 1/4 + 3 * 3/4 = 2.5
    np.testing.assert_allclose(w[0, 0], [0.25, 0.75], rtol=1e-5)
    np.testing.assert_allclose(z[0, 0], [2.5], rtol=1e-5)


def test_gradient_reaches_the_probabilities() -> None:
    layer = IntentAggregation(4)
    with tf.GradientTape() as tape:
        tape.watch(P)
        loss = tf.reduce_sum(layer(P)[0] ** 2)
    assert all(np.abs(gradient).max() > 0 for gradient in tape.gradient(loss, P))


def test_another_number_of_intents_is_refused() -> None:
    layer = IntentAggregation(4)
    layer(P)
    with pytest.raises(ValueError):
        layer(P[:1])
