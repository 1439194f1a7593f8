"""The events nearest to a candidate."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from intentrec_tf.layers import NearestEvents
from tests.support import run_layer_test

CANDIDATES = tf.constant([[[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]])
EVENTS = tf.constant([[[9.0, 9.0], [3.0, 1.0], [1.0, 2.0], [2.0, 0.0]]])  # the first is the largest, but padding
VALID = tf.constant([[False, True, True, True]])


def test_contract() -> None:
    call = {"events": EVENTS, "valid": VALID}
    shapes, dtypes = ((1, 3, 2), (1, 3, 2)), ("int32", "bool")
    run_layer_test(NearestEvents, {"count": 2}, CANDIDATES, shapes, call=call, dtype=dtypes, weights=0)


def test_by_hand_oldest_first() -> None:
    places, there = NearestEvents(2)(CANDIDATES, events=EVENTS, valid=VALID)
    np.testing.assert_array_equal(places, [[[1, 3], [1, 2], [2, 3]]])
    assert there.numpy().all()


def test_short_histories_leave_places_empty() -> None:
    places, there = NearestEvents(6)(CANDIDATES, events=EVENTS, valid=VALID)
    np.testing.assert_array_equal(there, [[[False] * 3 + [True] * 3] * 3])
    np.testing.assert_array_equal(places[..., 3:], [[[1, 2, 3]] * 3])
    assert (places.numpy() >= 0).all()


def test_nobody_has_none() -> None:
    for events, valid in ((EVENTS, tf.zeros_like(VALID)), (EVENTS[:, :0], VALID[:, :0])):
        _, there = NearestEvents(2)(CANDIDATES, events=events, valid=valid)
        assert there.shape == (1, 3, 2)
        assert not there.numpy().any()
