"""Intent metrics against scikit-learn, and by hand where it has no such thing."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn import metrics as oracle

from intentrec_tf.metrics import intent_hits, intent_metrics


@pytest.fixture
def single() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    probabilities = rng.dirichlet(np.ones(4), 200)
    return probabilities, rng.integers(0, 4, 200)


def test_against_scikit_learn(single: tuple[np.ndarray, np.ndarray]) -> None:
    probabilities, labels = single
    found = intent_metrics(probabilities, labels)
    best = probabilities.argmax(1)
    assert found["accuracy"] == pytest.approx(oracle.accuracy_score(labels, best))
    assert found["macro_f1"] == pytest.approx(oracle.f1_score(labels, best, average="macro"))
    assert found["log_loss"] == pytest.approx(oracle.log_loss(labels, probabilities), rel=1e-9)
    assert found["majority_accuracy"] == pytest.approx(np.bincount(labels).max() / 200)
    assert found["count"] == 200


def test_macro_f1_is_over_labels_that_occur() -> None:
    rng = np.random.default_rng(2)
    probabilities, labels = rng.dirichlet(np.ones(4), 50), rng.integers(0, 2, 50)
    expected = oracle.f1_score(labels, probabilities.argmax(1), average="macro", labels=[0, 1])
    assert intent_metrics(probabilities, labels)["macro_f1"] == pytest.approx(expected)


def test_one_hot_labels_are_the_same_question(single: tuple[np.ndarray, np.ndarray]) -> None:
    probabilities, labels = single
    several = intent_metrics(probabilities, np.eye(4, dtype=np.float32)[labels])
    assert several.pop("ndcg") == pytest.approx(oracle.ndcg_score(np.eye(4)[labels], probabilities))
    assert several == pytest.approx(intent_metrics(probabilities, labels))


def test_label_ndcg_against_scikit_learn() -> None:
    rng = np.random.default_rng(3)
    probabilities, truth = rng.dirichlet(np.ones(6), 80), (rng.random((80, 6)) < 0.4).astype(np.float32)
    truth[:, 0] = np.maximum(truth[:, 0], truth.sum(1) == 0)
    assert intent_metrics(probabilities, truth)["ndcg"] == pytest.approx(oracle.ndcg_score(truth, probabilities))


def test_multi_label_by_hand() -> None:
    probabilities = np.array([[0.5, 0.25, 0.25], [0.2, 0.2, 0.6]])
    truth = np.array([[0.0, 1, 1], [1, 0, 1]])
    found = intent_metrics(probabilities, truth)
    assert found["accuracy"] == 0.5
    # -(log 1/4 + log 1/4) / 2 = log 4, and -(log 0.2 + log 0.6) / 2
    assert found["log_loss"] == pytest.approx((math.log(4) - math.log(0.12) / 2) / 2)
    assert found["majority_accuracy"] == 1.0  # label 2 is true of both


def test_calibration_error_by_hand() -> None:
    # 4 guesses of 0.7 with 2 right: |0.5 - 0.7|; 4 of 0.9 all right: |1 - 0.9|; each bin holds half of the rows
    probabilities = np.array([[0.7, 0.3]] * 4 + [[0.9, 0.1]] * 4)
    labels = np.array([0, 0, 1, 1, 0, 0, 0, 0])
    assert intent_metrics(probabilities, labels)["ece"] == pytest.approx(0.5 * 0.2 + 0.5 * 0.1)


def test_certain_and_wrong_stays_finite() -> None:
    found = intent_metrics(np.array([[1.0, 0.0]]), np.array([1]))
    assert found["log_loss"] == pytest.approx(-math.log(1e-12))


@pytest.mark.parametrize("labels", [np.array([-1, -1]), np.zeros((2, 3)), np.zeros(0, int)])
def test_nothing_labelled(labels: np.ndarray) -> None:
    assert intent_metrics(np.full((len(labels), 3), 1 / 3), labels) == {"count": 0.0}


def test_unlabelled_rows_are_left_out(single: tuple[np.ndarray, np.ndarray]) -> None:
    probabilities, labels = single
    more = np.concatenate([probabilities, probabilities[:5]]), np.concatenate([labels, np.full(5, -1)])
    assert intent_metrics(*more) == intent_metrics(probabilities, labels)


def test_hits_by_hand() -> None:
    probabilities = np.array([[0.6, 0.3, 0.1], [0.1, 0.2, 0.7], [0.2, 0.5, 0.3], [0.4, 0.4, 0.2]])
    found = intent_hits(probabilities, np.array([0, 1, -1, 0]))  # of equals the first label is taken
    assert found.tolist() == [1, 0, -1, 1]
    assert found.dtype == np.int8
    truth = np.array([[1.0, 0, 1], [1, 1, 0], [0, 0, 0], [0, 1, 0]])
    assert intent_hits(probabilities, truth).tolist() == [1, 0, -1, 0]


@pytest.mark.parametrize("labels", [np.zeros(0, int), np.zeros((0, 3), np.float32)])
def test_hits_of_nothing(labels: np.ndarray) -> None:
    assert intent_hits(np.zeros((0, 3)), labels).shape == (0,)


def test_accuracy_is_the_share_of_hits(single: tuple[np.ndarray, np.ndarray]) -> None:
    probabilities, labels = single[0], np.where(np.arange(200) % 7 == 0, -1, single[1])
    hits = intent_hits(probabilities, labels)
    assert (hits < 0).sum() == (labels < 0).sum()
    assert intent_metrics(probabilities, labels)["accuracy"] == pytest.approx(hits[hits >= 0].mean())
