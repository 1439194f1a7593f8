"""The chunked loss is the plain loss."""

from __future__ import annotations

import re

import numpy as np
import pytest
import tensorflow as tf

from intentrec_tf.losses import linear_cross_entropy, weighted_cross_entropy

N, V, DIM = 23, 11, 5
QUERY = tf.random.stateless_normal([N, DIM], [0, 1])
VECTORS = tf.random.stateless_normal([V, DIM], [0, 2])
BIAS = tf.random.stateless_normal([V], [0, 3])
TARGETS = tf.random.stateless_uniform([N], [0, 4], -1, V, tf.int32)
WEIGHTS = tf.nn.relu(tf.random.stateless_normal([N], [0, 5], mean=0.5))


def _plain(query: tf.Tensor, vectors: tf.Tensor, bias: tf.Tensor, targets=TARGETS, weights=WEIGHTS) -> tf.Tensor:
    return weighted_cross_entropy(tf.matmul(query, vectors, transpose_b=True) + bias, targets, weights)


def _value_and_gradients(loss, *arguments: tf.Tensor) -> list[np.ndarray]:
    with tf.GradientTape() as tape:
        tape.watch(arguments)
        value = 3.0 * loss(*arguments)
    return [value.numpy(), *(tf.convert_to_tensor(g).numpy() for g in tape.gradient(value, arguments))]


@pytest.mark.parametrize("chunk", [1, 4, 23, 64])
@pytest.mark.parametrize("compiled", [False, True])
def test_value_and_gradients_are_those_of_the_plain_loss(chunk: int, compiled: bool) -> None:
    def ours(query: tf.Tensor, vectors: tf.Tensor, bias: tf.Tensor) -> tf.Tensor:
        return linear_cross_entropy(query, vectors, bias, TARGETS, WEIGHTS, chunk=chunk)

    expected = _value_and_gradients(_plain, QUERY, VECTORS, BIAS)
    run = tf.function(_graph(ours), jit_compile=compiled)
    for found, value in zip(run(QUERY, VECTORS, BIAS), expected, strict=True):
        np.testing.assert_allclose(found, value, rtol=2e-5, atol=1e-6)


def _graph(loss):
    def run(*arguments: tf.Tensor) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(arguments)
            value = 3.0 * loss(*arguments)
        return [value, *tape.gradient(value, arguments)]

    return run


def test_by_hand() -> None:
    # logits (0, ln 3): p = (1/4, 3/4); targets 1 and 0 with weights 1 and 3: (ln 4/3 + 3 ln 4) / 4
    found = linear_cross_entropy(
        tf.ones([2, 1]), tf.constant([[0.0], [np.log(3)]]), tf.zeros(2), tf.constant([1, 0]), tf.constant([1.0, 3.0])
    )
    assert float(found) == pytest.approx((np.log(4 / 3) + 3 * np.log(4)) / 4, rel=1e-6)


def test_left_out_positions_change_nothing_even_when_they_are_not_numbers() -> None:
    wild = tf.concat([QUERY, tf.fill([3, DIM], np.nan)], 0)
    targets, weights = tf.concat([TARGETS, [2, 4, -1]], 0), tf.concat([WEIGHTS, [0.0, 0.0, 1.0]], 0)
    found = _value_and_gradients(
        lambda q, v, b: linear_cross_entropy(q, v, b, targets, weights, chunk=4), wild, VECTORS, BIAS
    )
    expected = _value_and_gradients(_plain, QUERY, VECTORS, BIAS)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-5)
    np.testing.assert_allclose(found[1][:N], expected[1], rtol=2e-5, atol=1e-6)
    assert (found[1][N:] == 0).all()
    np.testing.assert_allclose(found[2], expected[2], rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("weights", [tf.zeros(N), tf.ones(N)])
def test_nothing_to_learn_from(weights: tf.Tensor) -> None:
    targets = tf.fill([N], -1)
    values = _value_and_gradients(lambda q, v, b: linear_cross_entropy(q, v, b, targets, weights), QUERY, VECTORS, BIAS)
    assert all((value == 0).all() for value in values)


def test_huge_logits_stay_finite() -> None:
    query = QUERY * 1e4
    found = _value_and_gradients(lambda q, v, b: linear_cross_entropy(q, v, b, TARGETS, WEIGHTS), query, VECTORS, BIAS)
    np.testing.assert_allclose(found[0], 3 * _plain(query, VECTORS, BIAS), rtol=1e-5)
    assert all(np.isfinite(value).all() for value in found)


def test_forbidden_rows_get_no_gradient() -> None:
    bias = tf.concat([tf.fill([2], -1e9), BIAS[2:]], 0)
    targets = tf.maximum(TARGETS, 2)
    found = _value_and_gradients(lambda q, v, b: linear_cross_entropy(q, v, b, targets, WEIGHTS), QUERY, VECTORS, bias)
    assert (found[2][:2] == 0).all()
    assert (found[3][:2] == 0).all()


def test_all_logits_never_exist_at_once() -> None:
    """No value in the compiled program is as large as [positions, V], forward and backward."""
    positions, size, chunk = 64, 1000, 8

    @tf.function(jit_compile=True)
    def step(query: tf.Tensor, vectors: tf.Tensor) -> list[tf.Tensor]:
        return _graph(
            lambda q, v: linear_cross_entropy(q, v, tf.zeros(size), targets, tf.ones(positions), chunk=chunk)
        )(query, vectors)

    targets = tf.zeros([positions], tf.int32)
    program = step.experimental_get_compiler_ir(tf.ones([positions, 4]), tf.ones([size, 4]))(stage="optimized_hlo")
    shapes = {tuple(map(int, dims.split(","))) for dims in re.findall(r"f32\[([\d,]+)\]", program)}
    assert (chunk, size) in shapes
    assert max(int(np.prod(shape)) for shape in shapes) < positions * size // 2


@pytest.mark.parametrize("chunk", [4, 64])
@pytest.mark.parametrize("compiled", [False, True])
def test_a_mixture_is_that_of_probabilities(chunk: int, compiled: bool) -> None:
    """``a softmax + b``, with gradients for both; some targets get nothing from the other source, some nearly all."""
    share = tf.random.stateless_normal([N], [0, 6])
    other = tf.where(tf.range(N) % 3 == 0, -1e9, -3 * tf.abs(tf.random.stateless_normal([N], [0, 7])))

    def plain(query, vectors, bias, share, other):
        softmax = tf.nn.softmax(tf.matmul(query, vectors, transpose_b=True) + bias)
        probability = tf.sigmoid(-share) * tf.gather(softmax, tf.maximum(TARGETS, 0), batch_dims=1)
        weights = tf.where(TARGETS >= 0, WEIGHTS, 0.0)
        losses = -tf.math.log(probability + tf.sigmoid(share) * tf.exp(other))
        return tf.reduce_sum(weights * losses) / tf.reduce_sum(weights)

    def ours(query, vectors, bias, share, other):
        mixture = tf.math.log_sigmoid(-share), tf.math.log_sigmoid(share) + other
        return linear_cross_entropy(query, vectors, bias, TARGETS, WEIGHTS, mixture, chunk)

    arguments = (QUERY, VECTORS, BIAS, share, other)
    run = tf.function(_graph(ours), jit_compile=compiled)
    for found, value in zip(run(*arguments), _value_and_gradients(plain, *arguments), strict=True):
        np.testing.assert_allclose(found, value, rtol=5e-5, atol=1e-6)
