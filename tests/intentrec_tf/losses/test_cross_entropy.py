"""One label per position, weighted."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intentrec_tf.losses import weighted_cross_entropy
from intentrec_tf.losses.cross_entropy import weighted_mean

LOG = tf.math.log(tf.constant([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8], [0.2, 0.4, 0.4]]))


def test_by_hand() -> None:
    # weights 3 and 1: (3 * log 4 + log 1.25) / 4; the third position has no label and takes no part
    found = weighted_cross_entropy(LOG, tf.constant([1, 2, -1]), tf.constant([3.0, 1, 100]))
    assert float(found) == pytest.approx((3 * np.log(4) + np.log(1.25)) / 4, rel=1e-6)


def test_constant_logits_cost_the_log_of_the_number_of_labels() -> None:
    found = weighted_cross_entropy(tf.ones([2, 7]), tf.constant([0, 6]), tf.constant([0.5, 2]))
    assert float(found) == pytest.approx(np.log(7), rel=1e-6)


def test_perfect_logits_cost_nothing() -> None:
    found = weighted_cross_entropy(50 * tf.eye(4), tf.range(4), tf.ones(4))
    assert float(found) < 1e-6


def test_no_label_at_all_is_zero() -> None:
    assert float(weighted_cross_entropy(LOG, tf.constant([-1, -1, -1]), tf.ones(3))) == 0
    assert float(weighted_cross_entropy(LOG, tf.constant([0, 1, 2]), tf.zeros(3))) == 0


def test_weight_zero_hides_even_nan() -> None:
    logits = tf.tensor_scatter_nd_update(LOG, [[2]], [[np.nan, np.inf, -np.inf]])
    found = weighted_cross_entropy(logits, tf.constant([1, 2, 0]), tf.constant([3.0, 1, 0]))
    assert float(found) == pytest.approx((3 * np.log(4) + np.log(1.25)) / 4, rel=1e-6)


def test_half_precision_logits_are_summed_in_float32() -> None:
    found = weighted_cross_entropy(tf.cast(LOG, tf.bfloat16), tf.constant([1, 2, 0]), tf.ones(3))
    assert found.dtype == tf.float32


def test_weighted_mean() -> None:
    assert float(weighted_mean(tf.constant([1.0, 5, np.nan]), tf.constant([1.0, 3, 0]))) == 4
