"""Where queries start among the members of their interests."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from intentrec_tf.layers import InterestStart
from tests.support import run_layer_test

MEMBERS = tf.math.l2_normalize(tf.random.stateless_normal([2, 5, 6], [0, 1]), axis=-1)
WEIGHTS = tf.nn.softmax(tf.random.stateless_normal([2, 5, 3], [0, 2]))
TRAITS = tf.random.stateless_normal([2, 5, 4], [0, 3])
USER = tf.random.stateless_normal([2, 7], [0, 4])
FOCUS = {"traits": TRAITS, "user": USER}


def focused(kernel: float = 1.0) -> InterestStart:
    """A layer whose focus says something."""
    layer = InterestStart(8)
    layer(MEMBERS, weights=WEIGHTS, **FOCUS)
    layer.focus.kernel.assign(tf.fill([8, 1], kernel))
    return layer


def mean(weights: Any) -> np.ndarray:
    sums = np.einsum("bsk,bsd->bkd", weights, MEMBERS)
    return sums / np.linalg.norm(sums, axis=-1, keepdims=True)


@pytest.mark.parametrize(("call", "weights"), [({}, 0), (FOCUS, 4)])
def test_contract(call: dict[str, Any], weights: int) -> None:
    run_layer_test(
        InterestStart, {"hidden_dim": 8}, MEMBERS, (2, 3, 6), call={"weights": WEIGHTS, **call}, weights=weights
    )


def test_members_count_by_their_weights_alone_at_first() -> None:
    np.testing.assert_allclose(InterestStart()(MEMBERS, weights=WEIGHTS), mean(WEIGHTS), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(InterestStart()(MEMBERS, weights=WEIGHTS, **FOCUS), mean(WEIGHTS), atol=0.1)


def test_focus_multiplies_the_weights() -> None:
    layer = focused(0.7)
    hidden = TRAITS @ layer.trait.kernel + layer.trait.bias + (USER @ layer.of_user.kernel)[:, None]
    told = np.exp(0.7 * tf.reduce_sum(tf.nn.gelu(hidden), axis=-1).numpy())
    found = layer(MEMBERS, weights=WEIGHTS, **FOCUS)
    np.testing.assert_allclose(found, mean(WEIGHTS * told[..., None]), rtol=1e-4, atol=1e-5)


def test_an_event_tells_nothing_of_an_interest_that_it_does_not_belong_to() -> None:
    weights = tf.concat([WEIGHTS[:, :1], tf.zeros([2, 1, 3]), WEIGHTS[:, 2:]], axis=1)
    changed = tf.tensor_scatter_nd_update(TRAITS, [[0, 1], [1, 1]], tf.fill([2, 4], 50.0))
    layer = focused()
    before = layer(MEMBERS, weights=weights, **FOCUS)
    np.testing.assert_allclose(layer(MEMBERS, weights=weights, traits=changed, user=USER), before, rtol=1e-5)
    assert np.abs(layer(MEMBERS, weights=WEIGHTS, traits=changed, user=USER) - before).max() > 1e-3


def test_an_interest_without_members_starts_nowhere() -> None:
    weights = tf.concat([WEIGHTS[..., :2], tf.zeros([2, 5, 1])], axis=-1)
    for call in ({}, FOCUS):
        found = focused()(MEMBERS, weights=weights, **call).numpy()
        np.testing.assert_array_equal(found[:, 2], np.zeros((2, 6)))
        np.testing.assert_allclose(np.linalg.norm(found[:, :2], axis=-1), np.ones((2, 2)), rtol=1e-5)
