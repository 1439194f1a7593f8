"""A softmax over some of the places."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intentrec_tf.masking import masked_softmax

LOGITS = np.array([[1.0, 2.0, 900.0], [3.0, 1.0, 2.0]], np.float32)
ALLOWED = np.array([[True, True, False], [False, False, False]])


def test_what_is_not_allowed_gets_nothing() -> None:
    """Not even where it is by far the largest, or where nothing is allowed."""
    found = masked_softmax(tf.constant(LOGITS), tf.constant(ALLOWED)).numpy()
    np.testing.assert_allclose(found[0, :2], np.exp([1, 2]) / np.exp([1, 2]).sum(), rtol=1e-6)
    assert found[0, 2] == 0
    np.testing.assert_array_equal(found[1], np.zeros(3))


def test_over_another_axis_with_a_mask_that_broadcasts() -> None:
    found = masked_softmax(tf.constant(LOGITS), tf.constant([[True], [True]]), axis=0).numpy()
    np.testing.assert_allclose(found.sum(axis=0), np.ones(3), rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_dtype_stays_and_gradients_are_finite(dtype: str) -> None:
    logits = tf.cast(LOGITS, dtype)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        found = masked_softmax(logits, tf.constant(ALLOWED))
        loss = tf.reduce_sum(found[:, 0])
    assert found.dtype == dtype
    assert np.isfinite(tf.cast(tape.gradient(loss, logits), tf.float32)).all()
