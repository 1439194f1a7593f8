"""Distances between events."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from intentrec_tf.layers import EventDistance
from tests.support import run_layer_test

TIMES = tf.constant([[100, 160, 4000]], tf.int64)


def test_contract() -> None:
    run_layer_test(EventDistance, {}, TIMES, [(1, 3, 3), (1, 3, 3)])
    run_layer_test(EventDistance, {}, TIMES, [(1, 3, 3), (1, 3, 3)], call={"request_time": TIMES + 7})


def test_values() -> None:
    events, seconds = EventDistance()(TIMES)
    np.testing.assert_allclose(events[0], np.log([[1, 1, 1], [2, 1, 1], [3, 2, 1]]), rtol=1e-6)
    np.testing.assert_allclose(seconds[0], np.log([[1, 1, 1], [61, 1, 1], [3901, 3841, 1]]), rtol=1e-6)


def test_with_a_request_time_seconds_count_from_the_next_event() -> None:
    _, seconds = EventDistance()(TIMES, request_time=tf.constant([[160, 4000, 4010]], tf.int64))
    # from 160 to 100; from 4000 to 100 and 160; from 4010 to 100, 160 and 4000
    expected = np.log([[61, 1], [3901, 3841]])
    np.testing.assert_allclose(seconds[0, :2, :2], expected, rtol=1e-6)
    np.testing.assert_allclose(seconds[0, 2], np.log([3911, 3851, 11]), rtol=1e-6)


def test_times_out_of_order_are_no_distance() -> None:
    _, seconds = EventDistance()(TIMES[:, ::-1])
    assert (seconds[0].numpy()[np.tril_indices(3)] == 0).all()
