"""A user as a whole."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from intentrec_tf.layers import UserSummary
from tests.support import run_layer_test

EVENTS = tf.random.stateless_normal([2, 3, 4], [0, 1])
CALL = {
    "times": tf.random.stateless_normal([2, 3, 2], [0, 2]),
    "segment": tf.constant([[0, 1, 1], [0, 0, 0]]),
    "age": tf.constant([[9.0, 0.5, 0.25], [9.0, 9.0, 9.0]]),
}


def test_contract() -> None:
    run_layer_test(UserSummary, {}, EVENTS, (2, 12), call=CALL, weights=0)


def test_by_hand() -> None:
    found = UserSummary()(EVENTS, **CALL).numpy()
    np.testing.assert_allclose(found[0, :4], EVENTS[0, 1:].numpy().mean(0), rtol=1e-5)
    np.testing.assert_allclose(found[0, 4:8], EVENTS[0, 2], rtol=1e-5)
    np.testing.assert_allclose(found[0, 8:10], CALL["times"][0, 2], rtol=1e-5)
    np.testing.assert_allclose(found[0, 10:], [np.log(3) / 4, 0.25], rtol=1e-5)


def test_nobody() -> None:
    """Without an event all is zero, whatever stands at the places."""
    call = {**CALL, "age": tf.zeros([2, 3])}  # as EventAge has it at padding
    assert (UserSummary()(EVENTS, **call).numpy()[1] == 0).all()
