"""Softmax over sampled candidates."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intentrec_tf.losses import sampled_listwise_loss
from intentrec_tf.masking import NEVER


def _loss(scores: list[list[float]], expected: list[list[float]] | None = None, weights: list[float] | None = None):
    logs = tf.zeros([len(scores), len(scores[0])]) if expected is None else tf.math.log(tf.constant(expected))
    return float(sampled_listwise_loss(tf.constant(scores), logs, tf.constant(weights or [1.0] * len(scores))))


def test_by_hand() -> None:
    # -log(e^1 / (e^1 + e^0 + e^2)), and with the second drawn half the time, the third twice: e^0 * 2 + e^2 / 2
    assert _loss([[1.0, 0.0, 2.0]]) == pytest.approx(np.log(np.e + 1 + np.e**2) - 1, rel=1e-5)
    assert _loss([[1.0, 0.0, 2.0]], [[1.0, 0.5, 2.0]]) == pytest.approx(np.log(np.e + 2 + np.e**2 / 2) - 1, rel=1e-5)


def test_everything_drawn_is_the_full_softmax_and_what_is_left_out_counts_nothing() -> None:
    full = -float(tf.nn.log_softmax([1.0, 0.0, 2.0])[0])
    assert _loss([[1.0, 0.0, NEVER, 2.0]]) == pytest.approx(full, rel=1e-5)
    assert _loss([[1.0, NEVER, NEVER]]) == 0


def test_weights() -> None:
    scores = [[1.0, 0.0], [3.0, 5.0], [float("nan"), 0.0]]
    one, two = _loss(scores[:1]), _loss(scores[1:2])
    assert _loss(scores, weights=[1.0, 3.0, 0.0]) == pytest.approx((one + 3 * two) / 4, rel=1e-5)
    assert _loss(scores, weights=[0.0, 0.0, 0.0]) == 0
