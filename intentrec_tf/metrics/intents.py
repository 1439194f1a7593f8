"""How well predicted intents match what the user then did."""

from __future__ import annotations

import numpy as np


def intent_metrics(probabilities: np.ndarray, labels: np.ndarray, bins: int = 10) -> dict[str, float]:
    """Accuracy, macro-F1, log-loss and calibration of one intent, beside the majority class.

    Args:
        probabilities: float [n, d], rows sum to 1.
        labels: int [n] (one true label) or float [n, d] of zeros and ones (several).  Rows without a label (negative,
            or all zeros) are left out.
        bins: equal-width confidence bins of the expected calibration error.

    Returns:
        ``accuracy`` (multi-label: the best label is a true one), ``macro_f1`` (over labels that occur), ``log_loss``
        (nats; multi-label: mean over true labels), ``ece``, ``majority_accuracy``, ``count``; multi-label also
        ``ndcg`` of the ranked labels.  All NaN-free; an intent without labelled rows gives ``{"count": 0}``.
    """
    multi = labels.ndim == 2
    hits = intent_hits(probabilities, labels)
    kept = hits >= 0
    probabilities, labels = probabilities[kept], labels[kept]
    count = len(labels)
    if count == 0:
        return {"count": 0.0}
    truth = labels.astype(bool) if multi else np.eye(probabilities.shape[1], dtype=bool)[labels]
    best, correct = probabilities.argmax(1), hits[kept] == 1
    log_p = np.log(np.clip(probabilities, 1e-12, 1.0))
    result = {
        "accuracy": float(correct.mean()),
        "macro_f1": _macro_f1(best, truth),
        "log_loss": float(-((log_p * truth).sum(1) / truth.sum(1)).mean()),
        "ece": _calibration_error(probabilities.max(1), correct, bins),
        "majority_accuracy": float(np.max(truth.mean(0))),
        "count": float(count),
    }
    if multi:
        result["ndcg"] = _label_ndcg(probabilities, truth)
    return result


def intent_hits(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Whether the most probable label is (among) the true one(s): int8 [n], 1 or 0; -1 for a row without a label.

    Arguments as of :func:`intent_metrics`.
    """
    best, rows = probabilities.argmax(1), np.arange(len(labels))
    if labels.ndim == 2:
        return np.where(labels.sum(1) > 0, labels[rows, best] > 0, -1).astype(np.int8)
    return np.where(labels >= 0, labels == best, -1).astype(np.int8)


def _macro_f1(best: np.ndarray, truth: np.ndarray) -> float:
    scores = []
    for label in np.flatnonzero(truth.any(0)):
        predicted = best == label
        hits = (predicted & truth[:, label]).sum()
        # A true label that was not the best guess counts as missed only when the guess was wrong altogether.
        missed = (truth[:, label] & ~predicted & ~truth[np.arange(len(best)), best]).sum()
        scores.append(2 * hits / max(2 * hits + (predicted & ~truth[:, label]).sum() + missed, 1))
    return float(np.mean(scores))


def _calibration_error(confidence: np.ndarray, correct: np.ndarray, bins: int) -> float:
    bucket = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = np.bincount(bucket, weights=confidence, minlength=bins) - np.bincount(
        bucket, weights=correct, minlength=bins
    )
    return float(np.abs(gaps).sum() / len(confidence))


def _label_ndcg(probabilities: np.ndarray, truth: np.ndarray) -> float:
    discounts = 1.0 / np.log2(np.arange(truth.shape[1]) + 2)
    ranked = np.take_along_axis(truth, np.argsort(-probabilities, axis=1, kind="stable"), axis=1)
    ideal = np.cumsum(discounts)[truth.sum(1) - 1]
    return float(((ranked * discounts).sum(1) / ideal).mean())
