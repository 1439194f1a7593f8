"""Rows of events that know their candidate."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from intentrec_tf.layers import EarlyFusion
from tests.support import run_layer_test

CANDIDATES = tf.random.stateless_normal([2, 3, 4], [0, 1])
EVENTS = tf.random.stateless_normal([2, 5, 6], [0, 2])
VALID = tf.constant([[False, True, True, True, True], [True] * 5])
PLACES = tf.constant([[[0, 2], [1, 2], [1, 3]], [[0, 1], [0, 2], [3, 4]]])
THERE = tf.constant([[[False, True], [True, True], [True, True]], [[True, True]] * 3])
CALL = {"events": EVENTS, "valid": VALID, "places": PLACES, "there": THERE}
INIT = {"dim": 7, "chosen": 2, "newest": 3}


def test_contract() -> None:
    shapes, dtypes = ((2, 3, 5, 7), (2, 3, 5)), ("float32", "bool")
    run_layer_test(EarlyFusion, INIT, CANDIDATES, shapes, call=CALL, dtype=dtypes, weights=4)


def test_chosen_events_then_the_newest() -> None:
    layer = EarlyFusion(**INIT)
    rows, real = layer(CANDIDATES, **CALL)
    event, bias, candidate = layer.event_rows.kernel, layer.event_rows.bias, layer.candidate_rows.kernel
    for place, number in ((1, 2), (2, 2), (3, 3), (4, 4)):  # user 0, candidate 0: chosen event 2, newest 2, 3, 4
        expected = EVENTS[0, number][None] @ event + bias + CANDIDATES[0, 0][None] @ candidate + layer.positions[place]
        np.testing.assert_allclose(rows[0, 0, place], expected[0], rtol=1e-4, atol=1e-5)
    assert not rows[0, 0, 0].numpy().any()
    np.testing.assert_array_equal(real[0, 0], [False, True, True, True, True])


def test_a_history_shorter_than_newest() -> None:
    call = {**CALL, "events": EVENTS[:, -1:], "valid": VALID[:, -1:], "places": tf.zeros_like(PLACES)}
    rows, real = EarlyFusion(**INIT)(CANDIDATES, **{**call, "there": tf.zeros_like(THERE)})
    np.testing.assert_array_equal(real, np.broadcast_to([False] * 4 + [True], (2, 3, 5)))
    assert not rows[:, :, :4].numpy().any()
    assert rows[:, :, 4].numpy().any()
