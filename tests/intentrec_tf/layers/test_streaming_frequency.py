"""Frequencies learnt on the way."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intentrec_tf.layers import StreamingFrequency
from tests.support import run_layer_test


def test_contract() -> None:
    init = {"vocabulary_size": 6, "rate": 0.1, "first_interval": 3.0}
    run_layer_test(StreamingFrequency, init, tf.constant([2, 3, 5]), (3,), weights=0)


def test_before_training_everything_is_as_rare() -> None:
    np.testing.assert_allclose(StreamingFrequency(8)(tf.constant([2, 7])), [1 / 8, 1 / 8])


def test_by_hand() -> None:
    """Item 2 comes twice in the batches 1, 3 and 5: gaps 1, 2 and 2 beside the start of 10 as one observation, so
    (10 + 1 + 2 + 2) / 4; times 2, 2 and 2 beside the start of 1, so 7 / 4."""
    layer = StreamingFrequency(4, rate=0.01, first_interval=10.0)
    for batch in ([2, 2], [3], [2, 2], [3], [2, 2]):
        layer(tf.constant(batch), training=True)
    np.testing.assert_allclose(layer(tf.constant([2])), [(7 / 4) / (15 / 4)], rtol=1e-5)


def test_estimates_come_near_the_truth() -> None:
    rng = np.random.default_rng(0)
    shares = np.array([0.5, 0.3, 0.15, 0.04, 0.01])
    layer = StreamingFrequency(7)
    step = tf.function(lambda rows: layer(rows, training=True))
    for _ in range(1500):
        step(tf.constant(rng.choice(5, 20, p=shares) + 2, tf.int32))
    found = layer(tf.range(2, 7)).numpy()
    np.testing.assert_allclose(found, 20 * shares, rtol=0.35)
    assert (np.diff(found) < 0).all()


def test_rare_items_of_a_large_catalogue_are_not_taken_for_much_rarer() -> None:
    """20,000 items by Zipf's law, 512 a batch: most come a few times at all, and must not start from "once in 20,000
    batches", which would give them a head start of several nats."""
    rng = np.random.default_rng(0)
    size, batch, steps = 20_000, 512, 200
    shares = 1 / np.arange(1, size + 1)
    shares /= shares.sum()
    layer = StreamingFrequency(size + 2)
    step = tf.function(lambda rows: layer(rows, training=True))
    drawn = rng.choice(size, (steps, batch), p=shares)
    for rows in drawn:
        step(tf.constant(rows + 2, tf.int32))
    error = np.log(batch * shares) - np.log(layer(tf.range(2, size + 2)).numpy())
    seen = np.bincount(drawn.ravel(), minlength=size)
    often, now_and_then = seen > 20, (seen > 1) & (seen <= 20)
    assert now_and_then.sum() > 5_000
    assert np.abs(error[often]).mean() < 0.35
    assert np.abs(error[now_and_then]).mean() < 1.2
    assert np.abs(error[seen <= 1].mean()) < 2  # as frequent as any, until they come


def test_a_start_that_was_chosen_is_kept() -> None:
    layer = StreamingFrequency(8, first_interval=40.0)
    layer(tf.constant([2, 2, 3]), training=True)
    np.testing.assert_allclose(layer(tf.constant([4, 5])), [1 / 40] * 2)
    usual = StreamingFrequency(8)
    usual(tf.constant([2, 2, 3, 0]), training=True)
    np.testing.assert_allclose(usual(tf.constant([4, 5])), [3 / 8] * 2)


def test_a_change_is_followed() -> None:
    layer = StreamingFrequency(4, rate=0.1)
    step = tf.function(lambda rows: layer(rows, training=True))
    for _ in range(60):
        step(tf.constant([2, 2, 2, 3]))
    before = layer(tf.constant([2, 3])).numpy()
    for _ in range(60):
        step(tf.constant([2, 3, 3, 3]))
    after = layer(tf.constant([2, 3])).numpy()
    np.testing.assert_allclose(before, [3, 1], rtol=0.05)
    np.testing.assert_allclose(after, [1, 3], rtol=0.05)


def test_only_training_counts_and_padding_never() -> None:
    layer = StreamingFrequency(4)
    before = layer(tf.constant([0, 1, 2])).numpy()
    layer(tf.constant([2, 2]))
    layer(tf.constant([0, 0, 1, 1]), training=True)
    np.testing.assert_array_equal(layer(tf.constant([0, 1, 2])), before)
    assert before == pytest.approx(0.25)
