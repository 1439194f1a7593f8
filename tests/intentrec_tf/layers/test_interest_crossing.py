"""Interests crossed with the user."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from intentrec_tf.layers import InterestCrossing
from tests.support import run_layer_test

USER = tf.random.stateless_normal([2, 6], [0, 1])
INTERESTS = tf.random.stateless_normal([2, 3, 4], [0, 2])
WEIGHTS = tf.nn.softmax(tf.random.stateless_normal([2, 5, 3], [0, 3]))
AGE = tf.abs(tf.random.stateless_normal([2, 5], [0, 4]))
HISTORY = {"interests": INTERESTS, "weights": WEIGHTS, "age": AGE}
STARTS = tf.math.l2_normalize(tf.random.stateless_normal([2, 3, 5], [0, 5]), axis=-1)
CALLS = [
    ({}, 1),
    ({"interests": INTERESTS}, 3),
    (HISTORY, 3),
    ({**HISTORY, "start": STARTS}, 3),
    ({"start": STARTS[:, :1]}, 1),
]


@pytest.mark.parametrize(("call", "count"), CALLS)
def test_contract(call: dict[str, Any], count: int) -> None:
    init = {"dim": 5, "hidden_dim": 7, "crosses": 2, "dropout": 0.1}
    # two cross layers of low rank (2 kernels, a bias), two dense layers
    run_layer_test(InterestCrossing, init, USER, (2, count, 5), call=call, weights=10)


def test_queries_have_length_one() -> None:
    lengths = tf.norm(InterestCrossing(5)(USER, **HISTORY), axis=-1)
    np.testing.assert_allclose(lengths, np.ones((2, 3)), rtol=1e-5)


def test_each_interest_has_a_query_of_its_own() -> None:
    layer = InterestCrossing(5)
    before = layer(USER, **HISTORY).numpy()
    changed = tf.concat([INTERESTS[:, :2], INTERESTS[:, 2:] + 1], 1)
    after = layer(USER, **{**HISTORY, "interests": changed}).numpy()
    np.testing.assert_allclose(after[:, :2], before[:, :2], rtol=1e-5)
    assert np.abs(after[:, 2] - before[:, 2]).max() > 1e-3


def test_who_the_user_is_matters_and_how_old_an_interest_is() -> None:
    layer = InterestCrossing(5)
    before = layer(USER, **HISTORY).numpy()
    assert np.abs(layer(USER + 1, **HISTORY).numpy() - before).max() > 1e-3
    assert np.abs(layer(USER, **{**HISTORY, "age": AGE + 5}).numpy() - before).max() > 1e-3


def test_an_interest_without_events_is_finite() -> None:
    assert np.isfinite(InterestCrossing(5)(USER, **{**HISTORY, "weights": tf.zeros_like(WEIGHTS)}).numpy()).all()


def test_a_query_starts_where_it_is_told() -> None:
    """With a network that says nothing it stays there; without a start it is what the network says."""
    layer = InterestCrossing(5)
    spoken = layer(USER, **HISTORY).numpy()
    starts = tf.concat([STARTS[:, :2], tf.zeros([2, 1, 5])], axis=1)
    found = layer(USER, **HISTORY, start=starts).numpy()
    np.testing.assert_allclose(found[:, 2], spoken[:, 2], rtol=1e-5)
    assert np.abs(found[:, :2] - spoken[:, :2]).max() > 1e-3
    for weight in layer.last.weights:
        weight.assign(tf.zeros_like(weight))
    np.testing.assert_allclose(layer(USER, **HISTORY, start=STARTS), STARTS, rtol=1e-5, atol=1e-6)
