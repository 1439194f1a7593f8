"""Numbers in [0, 1] and a flag for what is missing."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from intentrec_tf.layers import NumericScaling
from tests.support import run_layer_test

X = tf.constant([[10.0, 15, 20, np.nan], [-np.inf, np.inf, -5, 1e30]])


def test_contract() -> None:
    run_layer_test(NumericScaling, {"minimum": 10.0, "maximum": 20.0}, X, (2, 4, 2), weights=0)


def test_by_hand() -> None:
    scaled = NumericScaling(10, 20)(X).numpy()
    np.testing.assert_allclose(scaled[..., 0], [[0, 0.5, 1, 0], [0, 1, 0, 1]])
    np.testing.assert_allclose(scaled[..., 1], [[0, 0, 0, 1], [0, 0, 0, 0]])


def test_a_constant_column_is_finite() -> None:
    np.testing.assert_allclose(NumericScaling(3, 3)(tf.constant([3.0, 2, 4]))[..., 0], [0, 0, 1])


def test_float32_inside_a_half_precision_model() -> None:
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        scaled = NumericScaling(1990, 2000)(tf.constant([1995.0]))
        assert scaled.dtype == tf.float32
        assert scaled[0, 0].numpy() == 0.5
    finally:
        tf.keras.mixed_precision.set_global_policy("float32")


def test_gradient_is_finite_where_the_input_is_missing() -> None:
    x = tf.constant([np.nan, 12.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        loss = tf.reduce_sum(NumericScaling(10, 20)(x)[..., 0])
    np.testing.assert_allclose(tape.gradient(loss, x), [0, 0.1], rtol=1e-6)
