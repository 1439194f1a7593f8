"""How long ago."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from intentrec_tf.layers import EventAge
from tests.support import run_layer_test

TIMES = tf.constant([[0, 100, 160], [5, 50, 40]], tf.int64)
SEGMENT = tf.constant([[0, 1, 1], [1, 1, 1]])
NEXT = tf.constant([[0, 160, 200], [50, 40, 45]], tf.int64)


def test_contract() -> None:
    run_layer_test(EventAge, {}, TIMES, (2, 3), call={"segment": SEGMENT, "next_timestamp": NEXT}, weights=0)


def test_by_hand() -> None:
    """The request is at 200 and at 45; an event later than it is 0 seconds old; padding is 0."""
    found = EventAge()(TIMES, segment=SEGMENT, next_timestamp=NEXT)
    np.testing.assert_allclose(found * 16, np.log1p([[0, 100, 40], [40, 0, 5]]), rtol=1e-5)


def test_without_a_request_time_the_newest_event_counts() -> None:
    found = EventAge()(TIMES, segment=SEGMENT)
    np.testing.assert_allclose(found * 16, np.log1p([[0, 60, 0], [35, 0, 0]]), rtol=1e-5)
