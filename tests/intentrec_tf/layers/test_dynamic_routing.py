"""Interests as capsules."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intentrec_tf.layers import DynamicRouting
from tests.support import run_layer_test

EVENTS = tf.random.stateless_normal([3, 9, 4], [0, 1])
VALID = tf.constant([[1] * 9, [0] * 7 + [1] * 2, [0] * 9]) > 0


def test_contract() -> None:
    run_layer_test(
        DynamicRouting,
        {"count": 3, "iterations": 2, "seed": 7},
        EVENTS,
        {"interests": (3, 3, 4), "slots": (3, 3), "weights": (3, 9, 3)},
        call={"valid": VALID},
        dtype={"interests": tf.float32, "slots": tf.bool, "weights": tf.float32},
        weights=1,
    )


@pytest.mark.parametrize(("events", "interests"), [(0, 0), (1, 1), (2, 1), (3, 1), (4, 2), (7, 2), (8, 3), (40, 4)])
def test_the_number_of_interests_grows_with_the_logarithm(events: int, interests: int) -> None:
    valid = tf.sequence_mask([events], 40)
    found = DynamicRouting(4)(tf.random.stateless_normal([1, 40, 3], [2, 2]), valid=valid)
    assert int(tf.reduce_sum(tf.cast(found["slots"], tf.int32))) == interests
    np.testing.assert_allclose(
        tf.reduce_sum(found["weights"], -1), tf.cast(valid, tf.float32) * (interests > 0), rtol=1e-5
    )
    assert (found["interests"].numpy()[~found["slots"].numpy()] == 0).all()


def test_one_event_by_hand() -> None:
    """One capsule takes everything: squash of S e; with S = 1 and e = (3, 4), 25/26 of the unit vector."""
    layer = DynamicRouting(2, seed=1)
    events = tf.constant([[[3.0, 4.0]]])
    layer(events, valid=tf.ones([1, 1], tf.bool))
    layer.matrix.assign(tf.eye(2))
    found = layer(events, valid=tf.ones([1, 1], tf.bool))
    np.testing.assert_allclose(found["interests"][0, 0], np.array([0.6, 0.8]) * 25 / 26, rtol=1e-5)


def test_capsules_agree_with_what_they_read() -> None:
    """After more iterations an event's largest share is more often with the capsule nearest to it."""
    events, valid = tf.random.stateless_normal([200, 16, 4], [3, 3]), tf.ones([200, 16], tf.bool)
    layers = {number: DynamicRouting(3, iterations=number, seed=1) for number in (1, 6)}
    share = {}
    for number, layer in layers.items():
        layer(events, valid=valid)
        layer.matrix.assign(2 * tf.eye(4))
        found = layer(events, valid=valid)
        nearest = tf.argmax(tf.matmul(events, found["interests"], transpose_b=True), -1)
        share[number] = np.mean(nearest.numpy() == found["weights"].numpy().argmax(-1))
    assert share[6] > share[1] + 0.1


def test_padding_counts_for_nothing_and_serving_repeats() -> None:
    layer = DynamicRouting(3, seed=5)
    before = layer(EVENTS[:1, 1:], valid=VALID[:1, 1:])
    wild = tf.concat([tf.fill([1, 5, 4], float("nan")), EVENTS[:1, 1:]], 1)
    after = layer(wild, valid=tf.concat([tf.zeros([1, 5], tf.bool), VALID[:1, 1:]], 1))
    np.testing.assert_allclose(after["interests"], before["interests"], rtol=1e-5)
    again = layer(EVENTS[:1, 1:], valid=VALID[:1, 1:])
    np.testing.assert_array_equal(again["interests"], before["interests"])
    first, second = (layer(EVENTS, valid=VALID, training=True)["weights"].numpy() for _ in range(2))
    assert np.abs(first - second).max() > 0.01


def test_the_start_is_normal() -> None:
    numbers = DynamicRouting(50, seed=2)._begin(tf.constant([1, 400]), False).numpy().ravel()
    assert numbers.mean() == pytest.approx(0, abs=0.03)
    assert numbers.std() == pytest.approx(1, abs=0.03)
