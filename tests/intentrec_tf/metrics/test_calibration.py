"""Reliability by hand, and what calibrated and overconfident predictions look like."""

from __future__ import annotations

import numpy as np
import pytest

from intentrec_tf.metrics.calibration import reliability, top_label


def test_bins_of_equal_size_by_hand() -> None:
    confidence = np.array([0.9, 0.1, 0.6, 0.2, 0.8])
    outcome = np.array([1.0, 0.0, 0.0, 1.0, 1.0])
    found = reliability(confidence, outcome, bins=2)  # sorted .1 .2 .6 | .8 .9
    np.testing.assert_allclose(found.confidence, [0.3, 0.85])
    np.testing.assert_allclose(found.outcome, [1 / 3, 1.0])
    assert found.count.tolist() == [3, 2]
    assert found.error == pytest.approx((3 * (1 / 3 - 0.3) + 2 * 0.15) / 5)


def test_fewer_predictions_than_bins_and_none() -> None:
    assert reliability(np.array([0.5, 0.7]), np.array([0.0, 1.0])).count.tolist() == [1, 1]
    with pytest.raises(ValueError, match="no prediction"):
        reliability(np.zeros(0), np.zeros(0))


def test_what_comes_true_as_often_as_said_has_a_small_error() -> None:
    rng = np.random.default_rng(0)
    chance = rng.uniform(0.3, 1.0, 30_000)
    happened = rng.random(30_000) < chance
    assert reliability(chance, happened).error < 0.02
    assert reliability(np.sqrt(chance), happened).error > 0.1


def test_the_top_label_of_one_true_label() -> None:
    probabilities = np.array([[0.7, 0.3], [0.4, 0.6], [0.9, 0.1]])
    confidence, outcome = top_label(probabilities, np.array([0, 0, -1]), independent=False)
    assert (confidence.tolist(), outcome.tolist()) == ([0.7, 0.6], [1.0, 0.0])


@pytest.mark.parametrize(("independent", "expected"), [(False, [0.5, 0.0]), (True, [1.0, 0.0])])
def test_the_top_label_of_several(independent: bool, expected: list[float]) -> None:
    probabilities = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]])
    labels = np.array([[1.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]])
    confidence, outcome = top_label(probabilities, labels, independent)
    assert (confidence.tolist(), outcome.tolist()) == ([0.7, 0.8], expected)
