"""Attention of candidates over a history."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from intentrec_tf.layers import TargetAttention
from tests.support import run_layer_test

CANDIDATES = tf.random.stateless_normal([2, 3, 4], [0, 1])
EVENTS = tf.random.stateless_normal([2, 5, 4], [0, 2])
VALID = tf.constant([[False, True, True, True, True], [True, False, True, True, True]])
CALL = {"events": EVENTS, "valid": VALID}


def _large(layer: TargetAttention) -> TargetAttention:
    """Weights large enough for everything to matter."""
    layer(CANDIDATES, **CALL)
    for number, weight in enumerate(layer.trainable_weights):
        weight.assign(tf.random.stateless_normal(weight.shape, [1, number]))
    return layer


def test_contract() -> None:
    run_layer_test(TargetAttention, {"hidden_dim": 6}, CANDIDATES, (2, 3, 4), call=CALL, weights=5)


def test_by_its_formula() -> None:
    layer = _large(TargetAttention(6))
    u, v, p, b, w = (layer.get_weights()[i] for i in range(5))
    expected = np.zeros((2, 3, 4))
    for user in range(2):
        for c, candidate in enumerate(CANDIDATES[user].numpy()):
            for event, real in zip(EVENTS[user].numpy(), VALID[user].numpy(), strict=True):
                hidden = np.maximum(event @ u + candidate @ v + (event * candidate) @ p + b, 0)
                expected[user, c] += real * (hidden @ w) * event
    np.testing.assert_allclose(layer(CANDIDATES, **CALL), expected, rtol=1e-3, atol=1e-4)


def test_what_is_not_valid_does_not_matter_even_if_it_is_no_number() -> None:
    layer = _large(TargetAttention(6))
    spoilt = tf.where(VALID[..., None], EVENTS, float("nan"))
    np.testing.assert_allclose(layer(CANDIDATES, events=spoilt, valid=VALID), layer(CANDIDATES, **CALL))


def test_a_candidate_does_not_see_the_others() -> None:
    layer = _large(TargetAttention(6))
    np.testing.assert_allclose(layer(CANDIDATES[:, 1:2], **CALL), layer(CANDIDATES, **CALL)[:, 1:2], rtol=1e-4)


def test_nobody_is_zeros() -> None:
    nobody = _large(TargetAttention(6))(CANDIDATES, events=EVENTS, valid=tf.zeros_like(VALID))
    assert not nobody.numpy().any()
