"""The sampled loss estimates the plain one."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intentrec_tf.layers import NegativeSampler
from intentrec_tf.losses import sampled_cross_entropy, weighted_cross_entropy
from intentrec_tf.vocabulary import FIRST

N, V, DIM = 9, 7, 4
QUERY = tf.random.stateless_normal([N, DIM], [0, 1])
VECTORS = tf.random.stateless_normal([V, DIM], [0, 2])
BIAS = tf.random.stateless_normal([V], [0, 3])
TARGETS = tf.constant([0, 3, 6, 6, 1, -1, 2, 5, 0])
WEIGHTS = tf.constant([1.0, 2, 0.5, 0, 3, 1, 1, 1, 0.25])
EVERY = tf.constant([4, 0, 6, 2, 1, 5, 3])  # each item once, in some order


def _sampled(
    query: tf.Tensor = QUERY,
    vectors: tf.Tensor = VECTORS,
    bias: tf.Tensor = BIAS,
    targets: tf.Tensor = TARGETS,
    negatives: tf.Tensor = EVERY,
    log_expected: tf.Tensor | None = None,
    weights: tf.Tensor = WEIGHTS,
) -> tf.Tensor:
    """The loss with vectors and bias picked from those of all items, as the model does."""
    rows = tf.concat([tf.maximum(targets, 0), negatives], axis=0)
    log_expected = tf.zeros(negatives.shape) if log_expected is None else log_expected
    picked = tf.gather(vectors, rows), tf.gather(bias, rows)
    return sampled_cross_entropy(query, *picked, targets, negatives, log_expected, weights)


def test_with_every_item_once_it_is_the_plain_loss() -> None:
    """Value and gradients; the true item is among the negatives and must not count twice."""

    def plain(query: tf.Tensor, vectors: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
        return weighted_cross_entropy(tf.matmul(query, vectors, transpose_b=True) + bias, TARGETS, WEIGHTS)

    factors = (QUERY, VECTORS, BIAS)
    results = []
    for loss in (plain, _sampled):
        with tf.GradientTape() as tape:
            tape.watch(factors)
            value = loss(*factors)
        results.append([value, *map(tf.convert_to_tensor, tape.gradient(value, factors))])
    for expected, found in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def _by_hand(negatives: list[int], expected: list[float], target: int = 0) -> float:
    """One position whose logits are ln 2 of item 0, ln 3 of item 1, ln 5 of item 2."""
    logits = np.log([2.0, 3, 5]).astype(np.float32)
    loss = _sampled(
        query=tf.ones([1, 1]),
        vectors=tf.constant(logits[:, None] - 1),
        bias=tf.ones(3),
        targets=tf.constant([target]),
        negatives=tf.constant(negatives),
        log_expected=tf.math.log(tf.constant(expected)),
        weights=tf.ones(1),
    )
    return float(loss)


def test_by_hand() -> None:
    # item 1 was expected half a time and counts double, item 2 four times and counts a quarter: 2 / (2 + 6 + 5 / 4)
    assert _by_hand([1, 2], [0.5, 4.0]) == pytest.approx(-np.log(2 / 9.25), rel=1e-5)


def test_a_negative_expected_more_often_weighs_less() -> None:
    rare, common = _by_hand([1, 2], [1.0, 1.0]), _by_hand([1, 2], [1.0, 10.0])
    assert common < rare


def test_an_accidental_hit_does_not_count() -> None:
    assert _by_hand([1, 0, 2, 0], [1.0, 0.1, 1.0, 0.1]) == pytest.approx(_by_hand([1, 2], [1.0, 1.0]), rel=1e-5)
    # the same negatives for a position whose item is another: 3 / (3 + 2 / 0.1 + 5 + 2 / 0.1)
    assert _by_hand([1, 0, 2, 0], [1.0, 0.1, 1.0, 0.1], target=1) == pytest.approx(-np.log(3 / 48), rel=1e-5)


def test_nothing_but_hits_is_no_loss() -> None:
    assert _by_hand([0, 0], [0.1, 0.1]) == 0


def test_the_sampler_makes_the_sum_over_all_items_unbiased() -> None:
    """Mean over draws of ``sum_j exp(s_j) / expected_j`` = the sum over all items, for a skewed choice too."""
    sampler = NegativeSampler(20, V + FIRST, seed=5)
    sampler.build([None])
    sampler.set_counts(np.array([0, 0, 40, 30, 15, 10, 4, 1, 0.0]))
    scores = tf.linalg.matvec(VECTORS, QUERY[0]) + BIAS
    draws = 1500

    @tf.function
    def estimate(_: tf.Tensor) -> tf.Tensor:
        rows, log_expected = sampler(tf.zeros([0], tf.int32))
        return tf.reduce_sum(tf.exp(tf.gather(scores, rows - FIRST) - log_expected))

    found = tf.map_fn(estimate, tf.zeros(draws), parallel_iterations=1).numpy()
    error = found.std() / np.sqrt(draws)
    true = np.exp(scores).sum()
    assert abs(found.mean() - true) < 4 * error
    assert error < 0.02 * true  # or the line above would say little


def test_left_out_positions_change_nothing() -> None:
    """Without a label or a weight, whatever the state."""
    wild = tf.where((TARGETS < 0)[:, None] | (WEIGHTS == 0)[:, None], 1e4, QUERY)
    with tf.GradientTape() as tape:
        tape.watch(wild)
        found = _sampled(query=wild)
    kept = np.flatnonzero((TARGETS >= 0) & (WEIGHTS > 0))
    expected = _sampled(tf.gather(QUERY, kept), targets=tf.gather(TARGETS, kept), weights=tf.gather(WEIGHTS, kept))
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    gradient = tape.gradient(found, wild).numpy()
    assert np.isfinite(gradient).all()
    np.testing.assert_array_equal(np.flatnonzero(gradient.any(axis=1)), kept)


def test_nothing_to_learn_from() -> None:
    assert float(_sampled(targets=tf.fill([N], -1))) == 0
    assert float(_sampled(weights=tf.zeros(N))) == 0


def test_huge_logits_stay_finite() -> None:
    with tf.GradientTape() as tape:
        tape.watch(QUERY)
        loss = _sampled(query=QUERY * 1e4)
    assert np.isfinite(loss)
    assert np.isfinite(tape.gradient(loss, QUERY)).all()


def test_a_mixture_is_that_of_probabilities() -> None:
    """With every item once, ``-log(a softmax + b)``."""
    share = tf.random.stateless_normal([N], [0, 6])
    other = tf.where(tf.range(N) % 2 == 0, -1e9, -2.0)
    mixture = tf.math.log_sigmoid(-share), tf.math.log_sigmoid(share) + other
    rows = tf.concat([tf.maximum(TARGETS, 0), EVERY], axis=0)
    picked = tf.gather(VECTORS, rows), tf.gather(BIAS, rows)
    found = sampled_cross_entropy(QUERY, *picked, TARGETS, EVERY, tf.zeros(V), WEIGHTS, mixture)
    softmax = tf.nn.softmax(tf.matmul(QUERY, VECTORS, transpose_b=True) + BIAS)
    probability = tf.sigmoid(-share) * tf.gather(softmax, tf.maximum(TARGETS, 0), batch_dims=1)
    weights = tf.where(TARGETS >= 0, WEIGHTS, 0.0)
    losses = -tf.math.log(probability + tf.sigmoid(share) * tf.exp(other))
    assert float(found) == pytest.approx(float(tf.reduce_sum(weights * losses) / tf.reduce_sum(weights)), rel=1e-5)
