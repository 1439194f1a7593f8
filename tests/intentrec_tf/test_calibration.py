"""Temperatures: found where they are known, and never worse than none."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intentrec_tf.calibration import HIGHEST, LOWEST, fit_temperature, head_loss, head_targets, tempered
from intentrec_tf.losses import multi_label_cross_entropy, weighted_cross_entropy

N, WIDTH = 20_000, 5


def logits(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 2, (N, WIDTH)).astype(np.float32)


def drawn(probabilities: np.ndarray, seed: int = 1) -> np.ndarray:
    """One label a row."""
    chance = np.random.default_rng(seed).random((len(probabilities), 1))
    return (probabilities.cumsum(1) < chance).sum(1).clip(0, WIDTH - 1)


@pytest.mark.parametrize("truth", [0.4, 1.0, 3.0])
def test_the_temperature_that_made_the_labels_is_found(truth: float) -> None:
    labels = drawn(tempered(logits(), truth, False))
    labels[:100] = -1  # without a label
    assert fit_temperature(logits(), head_targets(labels, WIDTH, True), False) == pytest.approx(truth, rel=0.03)


@pytest.mark.parametrize("truth", [0.5, 2.0])
def test_likewise_for_independent_labels(truth: float) -> None:
    chances = tempered(logits(), truth, True)
    labels = (np.random.default_rng(2).random(chances.shape) < chances).astype(np.float32)
    assert fit_temperature(logits(), head_targets(labels, WIDTH, False), True) == pytest.approx(truth, rel=0.03)


def test_likewise_for_a_softmax_over_several_true_labels() -> None:
    probabilities = tempered(logits(), 2.0, False)
    labels = np.zeros((N, WIDTH))
    for seed in (1, 2):
        labels[np.arange(N), drawn(probabilities, seed)] = 1
    # where both draws agree there is one label, so shares are close to the probabilities, not equal to them
    found = fit_temperature(logits(), head_targets(labels, WIDTH, True), False)
    assert found == pytest.approx(2.0, rel=0.35)
    targets = head_targets(labels, WIDTH, True)
    losses = [head_loss(logits(), targets, found * factor, False) for factor in (0.99, 1.0, 1.01)]
    assert losses[1] == min(losses)


def test_losses_are_those_of_training() -> None:
    few, ones = logits()[:50], tf.ones(50)
    labels = np.random.default_rng(3).integers(-1, WIDTH, 50)
    expected = weighted_cross_entropy(tf.constant(few), tf.constant(labels, tf.int32), ones)
    assert head_loss(few, head_targets(labels, WIDTH, True), 1.0, False) == pytest.approx(float(expected), rel=1e-5)
    several = np.random.default_rng(4).integers(0, 2, (50, WIDTH)).astype(np.float32)
    for form, average in (("softmax", True), ("softmax", False), ("sigmoid", True)):
        expected = multi_label_cross_entropy(tf.constant(few), tf.constant(several), ones, form, average)
        targets = head_targets(several, WIDTH, average and form == "softmax")
        assert head_loss(few, targets, 1.0, form == "sigmoid") == pytest.approx(float(expected), rel=1e-5)


def test_what_cannot_be_fitted() -> None:
    nothing = head_targets(np.full(N, -1), WIDTH, True)
    assert fit_temperature(logits(), nothing, False) == 1.0
    right, wrong = logits().argmax(1), logits().argmin(1)
    assert fit_temperature(logits(), head_targets(right, WIDTH, True), False) == pytest.approx(LOWEST)
    assert fit_temperature(logits(), head_targets(wrong, WIDTH, True), False) == pytest.approx(HIGHEST)


@pytest.mark.parametrize("independent", [False, True])
def test_probabilities_keep_their_order_and_bear_large_logits(independent: bool) -> None:
    values = np.array([[1000.0, -1000.0, 0.0], [3.0, 2.0, 1.0]])
    found = tempered(values, 1.7, independent)
    assert np.isfinite(found).all()
    assert (found.argsort(1) == values.argsort(1)).all()
    assert tempered(values, 1.0, False)[1] == pytest.approx(tf.nn.softmax(values[1]).numpy())
