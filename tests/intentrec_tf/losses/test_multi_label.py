"""Several true labels per position."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intentrec_tf.losses import multi_label_cross_entropy, weighted_cross_entropy

P = tf.constant([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8], [0.2, 0.4, 0.4]])
LABELS = tf.constant([[1.0, 1, 0], [0, 0, 1], [0, 0, 0]])
WEIGHTS = tf.constant([3.0, 1, 100])


@pytest.mark.parametrize(("average", "first"), [(True, np.log(8) / 2), (False, np.log(8))])
def test_softmax_by_hand(average: bool, first: float) -> None:
    # first position: log 2 + log 4 = log 8 over two labels; the third has no label
    found = multi_label_cross_entropy(tf.math.log(P), LABELS, WEIGHTS, "softmax", average)
    assert float(found) == pytest.approx((3 * first + np.log(1.25)) / 4, rel=1e-6)


@pytest.mark.parametrize(("average", "divisor"), [(True, 3), (False, 1)])
def test_sigmoid_by_hand(average: bool, divisor: int) -> None:
    # probabilities P through the logit: first -(log .5 + log .25 + log .75), second -(log .9 + log .9 + log .8)
    first, second = -np.log(0.5 * 0.25 * 0.75), -np.log(0.9 * 0.9 * 0.8)
    found = multi_label_cross_entropy(tf.math.log(P / (1 - P)), LABELS, WEIGHTS, "sigmoid", average)
    assert float(found) == pytest.approx((3 * first + second) / 4 / divisor, rel=1e-5)


def test_one_true_label_is_plain_cross_entropy() -> None:
    found = multi_label_cross_entropy(tf.math.log(P), tf.one_hot([2, 0, 1], 3), WEIGHTS)
    assert float(found) == pytest.approx(float(weighted_cross_entropy(tf.math.log(P), tf.constant([2, 0, 1]), WEIGHTS)))


def test_softmax_does_not_use_negatives_and_sigmoid_does() -> None:
    """A higher score of a wrong label always costs something; only the sigmoid form pushes it below zero."""
    good, bad = tf.constant([[9.0, -30, -30]]), tf.constant([[9.0, -30, -2]])
    label, weight = tf.constant([[1.0, 0, 0]]), tf.ones(1)
    softmax = [float(multi_label_cross_entropy(x, label, weight)) for x in (good, bad)]
    sigmoid = [float(multi_label_cross_entropy(x, label, weight, "sigmoid")) for x in (good, bad)]
    assert softmax[1] - softmax[0] < 1e-4
    assert sigmoid[1] - sigmoid[0] > 0.02


@pytest.mark.parametrize("form", ["softmax", "sigmoid"])
def test_perfect_logits_cost_nothing_and_no_label_is_zero(form: str) -> None:
    one = tf.constant([[0.0, 1, 0]])
    assert float(multi_label_cross_entropy(60 * (2 * one - 1), one, tf.ones(1), form)) < 1e-6
    assert float(multi_label_cross_entropy(one, tf.zeros_like(one), tf.ones(1), form)) == 0


def test_unknown_form() -> None:
    with pytest.raises(ValueError, match="'softmax' or 'sigmoid', got 'focal'"):
        multi_label_cross_entropy(P, LABELS, WEIGHTS, "focal")
