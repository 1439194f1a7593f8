"""Running maximum and mean of a user's events."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intentrec_tf.layers import SegmentPool
from tests.support import run_layer_test

X = tf.random.stateless_normal([2, 9, 3], [0, 1])
SEGMENT = tf.constant([[0, 1, 1, 1, 1, 1, 2, 2, 0], [3, 3, 1, 1, 1, 1, 1, 1, 1]])
KINDS = {"max": np.max, "mean": np.mean}


@pytest.mark.parametrize("kind", KINDS)
def test_contract(kind: str) -> None:
    run_layer_test(SegmentPool, {"kind": kind}, X, (2, 9, 3), call={"segment": SEGMENT}, weights=0)


@pytest.mark.parametrize("kind", KINDS)
def test_over_the_users_own_events_so_far(kind: str) -> None:
    found = SegmentPool(kind)(X, segment=SEGMENT).numpy()
    for row, places in enumerate(SEGMENT.numpy()):
        for k, number in enumerate(places):
            mine = [i for i in range(k + 1) if places[i] == number] if number else [k]
            expected = KINDS[kind](X.numpy()[row, mine], axis=0)
            np.testing.assert_allclose(found[row, k], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_compiled_and_of_unknown_length_it_is_the_same(kind: str) -> None:
    layer = SegmentPool(kind)

    def step(inputs: tf.Tensor, segment: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs, segment=segment)
            loss = tf.reduce_sum(outputs**2)
        return outputs, tape.gradient(loss, inputs)

    expected = step(X, SEGMENT)
    unknown = [tf.TensorSpec([None, None, 3]), tf.TensorSpec([None, None], tf.int32)]
    for function in (tf.function(step, jit_compile=True), tf.function(step, input_signature=unknown)):
        for ours, theirs in zip(function(X, SEGMENT), expected, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_a_long_mean_keeps_its_precision_in_half() -> None:
    ones = tf.ones([1, 1000, 1], tf.bfloat16)
    found = SegmentPool("mean", dtype="bfloat16")(ones, segment=tf.ones([1, 1000], tf.int32))
    np.testing.assert_array_equal(tf.cast(found, tf.float32), 1)


def test_unknown_kind() -> None:
    with pytest.raises(ValueError, match="kind must be 'max' or 'mean', got 'sum'"):
        SegmentPool("sum")
