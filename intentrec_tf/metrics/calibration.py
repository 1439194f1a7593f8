"""Whether predicted probabilities come true as often as they say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BINS = 15


@dataclass(frozen=True, eq=False)
class Reliability:
    """Predictions in bins of equal size, least confident first.

    Attributes:
        confidence: mean predicted probability, float [bins].
        outcome: mean of what happened, float [bins].
        count: predictions, int [bins]; they differ by one at most.
    """

    confidence: np.ndarray
    outcome: np.ndarray
    count: np.ndarray

    @property
    def error(self) -> float:
        """Expected calibration error: the mean distance of outcome and confidence, bins weighted by their counts."""
        return float((np.abs(self.outcome - self.confidence) * self.count).sum() / self.count.sum())


def reliability(confidence: np.ndarray, outcome: np.ndarray, bins: int = BINS) -> Reliability:
    """Sort predictions by confidence (ties in the given order) and cut them into bins of equal size.

    Args:
        confidence: float [n], predicted probabilities.
        outcome: float [n], 1 where it came true, 0 where not, or a share.
        bins: fewer where there are fewer predictions.

    Raises:
        ValueError: no prediction at all.
    """
    if not len(confidence):
        raise ValueError("there is no prediction to bin")
    order = np.argsort(confidence, kind="stable")
    parts = np.array_split(order, min(bins, len(order)))
    return Reliability(
        np.array([confidence[part].mean(dtype=float) for part in parts]),
        np.array([outcome[part].mean(dtype=float) for part in parts]),
        np.array([len(part) for part in parts]),
    )


def top_label(probabilities: np.ndarray, labels: np.ndarray, independent: bool) -> tuple[np.ndarray, np.ndarray]:
    """Confidence and outcome of the most probable label, for :func:`reliability`; rows without a label are left out.

    Args:
        probabilities: float [n, d].
        labels: int [n], negative where there is none, or float [n, d] of zeros and ones.
        independent: whether labels are scored each by itself.

    Returns:
        ``confidence`` float [m], and ``outcome`` float [m]: 1 if the label is a true one, else 0.  Where several labels
        may be true and one softmax scores them, its loss asks for shares: a true label counts one over their number.
    """
    if labels.ndim == 1:
        known = labels >= 0
        probabilities, labels = probabilities[known], labels[known]
        best = probabilities.argmax(1)
        return probabilities.max(1), (best == labels).astype(float)
    known = labels.sum(1) > 0
    probabilities, labels = probabilities[known], labels[known]
    hit = labels[np.arange(len(labels)), probabilities.argmax(1)]
    return probabilities.max(1), (hit if independent else hit / labels.sum(1)).astype(float)
