"""Where queries start among the members of their interests."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from intentrec_tf.layers import MemberPooling
from tests.support import run_layer_test

MEMBERS = tf.math.l2_normalize(tf.random.stateless_normal([2, 5, 6], [0, 1]), axis=-1)
WEIGHTS = tf.nn.softmax(tf.random.stateless_normal([2, 5, 3], [0, 2]))
KEYS = tf.random.stateless_normal([2, 5, 4], [0, 3])
USER = tf.random.stateless_normal([2, 7], [0, 4])
ATTENTION = {"keys": KEYS, "user": USER}


def attentive(kernel: float = 1.0) -> MemberPooling:
    """A layer whose attention says something."""
    layer = MemberPooling(8)
    layer(MEMBERS, weights=WEIGHTS, **ATTENTION)
    layer.logit.kernel.assign(tf.fill([8, 1], kernel))
    return layer


def mean(weights: Any) -> np.ndarray:
    sums = np.einsum("bsk,bsd->bkd", weights, MEMBERS)
    return sums / np.linalg.norm(sums, axis=-1, keepdims=True)


@pytest.mark.parametrize(("call", "weights"), [({}, 0), (ATTENTION, 4)])
def test_contract(call: dict[str, Any], weights: int) -> None:
    run_layer_test(
        MemberPooling, {"hidden_dim": 8}, MEMBERS, (2, 3, 6), call={"weights": WEIGHTS, **call}, weights=weights
    )


def test_members_count_by_their_weights_alone_at_first() -> None:
    np.testing.assert_allclose(MemberPooling()(MEMBERS, weights=WEIGHTS), mean(WEIGHTS), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(MemberPooling()(MEMBERS, weights=WEIGHTS, **ATTENTION), mean(WEIGHTS), atol=0.1)


def test_attention_multiplies_the_weights() -> None:
    layer = attentive(0.7)
    hidden = KEYS @ layer.of_key.kernel + layer.of_key.bias + (USER @ layer.of_user.kernel)[:, None]
    factor = np.exp(0.7 * tf.reduce_sum(tf.nn.gelu(hidden), axis=-1).numpy())
    found = layer(MEMBERS, weights=WEIGHTS, **ATTENTION)
    np.testing.assert_allclose(found, mean(WEIGHTS * factor[..., None]), rtol=1e-4, atol=1e-5)


def test_an_event_tells_nothing_of_an_interest_that_it_does_not_belong_to() -> None:
    weights = tf.concat([WEIGHTS[:, :1], tf.zeros([2, 1, 3]), WEIGHTS[:, 2:]], axis=1)
    changed = tf.tensor_scatter_nd_update(KEYS, [[0, 1], [1, 1]], tf.fill([2, 4], 50.0))
    layer = attentive()
    before = layer(MEMBERS, weights=weights, **ATTENTION)
    np.testing.assert_allclose(layer(MEMBERS, weights=weights, keys=changed, user=USER), before, rtol=1e-5)
    assert np.abs(layer(MEMBERS, weights=WEIGHTS, keys=changed, user=USER) - before).max() > 1e-3


def test_an_interest_without_members_starts_nowhere() -> None:
    weights = tf.concat([WEIGHTS[..., :2], tf.zeros([2, 5, 1])], axis=-1)
    for call in ({}, ATTENTION):
        found = attentive()(MEMBERS, weights=weights, **call).numpy()
        np.testing.assert_array_equal(found[:, 2], np.zeros((2, 6)))
        np.testing.assert_allclose(np.linalg.norm(found[:, :2], axis=-1), np.ones((2, 2)), rtol=1e-5)


@pytest.mark.parametrize("missing", ["keys", "user"])
def test_keys_and_user_go_together(missing: str) -> None:
    call = {name: value for name, value in ATTENTION.items() if name != missing}
    with pytest.raises(ValueError, match="keys and user together"):
        MemberPooling()(MEMBERS, weights=WEIGHTS, **call)
