"""Interests as tokens."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from intentrec_tf.layers import InterestTokens
from tests.support import run_layer_test

EVENTS = tf.random.stateless_normal([3, 5, 4], [0, 1])
VALID = tf.constant([[1, 1, 1, 1, 1], [0, 0, 0, 1, 1], [0, 0, 0, 0, 0]]) > 0


def test_contract() -> None:
    run_layer_test(
        InterestTokens,
        {"count": 3, "hidden_dim": 6, "max_positions": 5},
        EVENTS,
        {"interests": (3, 3, 4), "slots": (3, 3), "weights": (3, 5, 3)},
        call={"valid": VALID},
        dtype={"interests": tf.float32, "slots": tf.bool, "weights": tf.float32},
        weights=14,
    )


def test_tokens_read_different_things() -> None:
    found = InterestTokens(3, hidden_dim=6)(EVENTS, valid=VALID)
    interests = found["interests"].numpy()[0]
    assert min(np.abs(interests[i] - interests[j]).max() for i in range(3) for j in range(i)) > 0.01


def test_a_token_without_attention_is_the_mean_of_values() -> None:
    """Queries of zero weigh all events alike."""
    layer = InterestTokens(2, hidden_dim=6)
    layer(EVENTS, valid=VALID)
    layer.query.kernel.assign(tf.zeros_like(layer.query.kernel))
    weights = layer(EVENTS, valid=VALID)["weights"]
    np.testing.assert_allclose(weights[0], np.full((5, 2), 0.2), rtol=1e-5)
    np.testing.assert_allclose(weights[1, 3:], np.full((2, 2), 0.5), rtol=1e-5)


def test_weights_and_slots() -> None:
    found = InterestTokens(3, hidden_dim=6)(EVENTS, valid=VALID)
    np.testing.assert_allclose(tf.reduce_sum(found["weights"], 1), [[1] * 3, [1] * 3, [0] * 3], rtol=1e-5)
    np.testing.assert_array_equal(found["slots"], [[True] * 3, [True] * 3, [False] * 3])
    assert (found["interests"].numpy()[2] == 0).all()


def test_padding_counts_for_nothing() -> None:
    layer = InterestTokens(2, hidden_dim=6)
    before = layer(EVENTS[:1, 1:], valid=VALID[:1, 1:])
    wild = tf.concat([tf.fill([1, 3, 4], float("nan")), EVENTS[:1, 1:]], 1)
    after = layer(wild, valid=tf.concat([tf.zeros([1, 3], tf.bool), VALID[:1, 1:]], 1))
    np.testing.assert_allclose(after["interests"], before["interests"], rtol=1e-5)
