"""Temperature scaling: one number a head, fitted after training, that makes its scores mean what they say.

Guo et al., On Calibration of Modern Neural Networks (arXiv 1706.04599).  Logits divided by a temperature keep their
order, so no label's rank changes.
"""

from __future__ import annotations

import numpy as np

LOWEST, HIGHEST = 0.05, 20.0
_STEPS = 60


def head_targets(labels: np.ndarray, width: int, average: bool) -> np.ndarray:
    """What a head should have said: float [n, d].

    Args:
        labels: int [n], negative where there is none, or float [n, d] of zeros and ones.
        width: d.
        average: whether several true labels share a weight of 1, as in the loss of
            :func:`intentrec_tf.losses.multi_label_cross_entropy`.

    Returns:
        1 (or a share of it) at the true labels; all zeros without a label.
    """
    if labels.ndim == 1:
        known = labels[:, None] == np.arange(width)[None]
        return known.astype(np.float64)
    return labels / np.maximum(labels.sum(1, keepdims=True), 1.0) if average else labels.astype(np.float64)


def tempered(logits: np.ndarray, temperature: float, independent: bool) -> np.ndarray:
    """Probabilities float64 [n, d]: softmax of the divided logits, or their sigmoids where ``independent``."""
    scaled = logits.astype(np.float64) / temperature
    if independent:
        return np.exp(-np.logaddexp(0.0, -scaled))
    powers = np.exp(scaled - scaled.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def head_loss(logits: np.ndarray, targets: np.ndarray, temperature: float, independent: bool) -> float:
    """The head's own negative log-likelihood at a temperature, mean over the rows that have a label (nats).

    Softmax: ``- sum targets log p``.  Independent: binary cross-entropy, the mean over all labels.

    Args:
        logits, targets: float [n, d]; rows of zeros in ``targets`` are left out.
    """
    known = targets.sum(1) > 0
    scaled, targets = logits[known].astype(np.float64) / temperature, targets[known]
    if independent:
        return float((np.logaddexp(0.0, scaled) - targets * scaled).mean())
    top = scaled.max(1, keepdims=True)
    normaliser = np.log(np.exp(scaled - top).sum(1, keepdims=True)) + top
    return float((targets * (normaliser - scaled)).sum(1).mean())


def fit_temperature(logits: np.ndarray, targets: np.ndarray, independent: bool) -> float:
    """The temperature with the smallest :func:`head_loss`.

    The loss is convex in the inverse temperature, so its slope is followed to zero.

    Args:
        logits, targets: float [n, d], as of :func:`head_loss`.
        independent: likewise.

    Returns:
        Between ``LOWEST`` and ``HIGHEST``; 1 where no row has a label.
    """
    known = targets.sum(1) > 0
    if not known.any():
        return 1.0
    logits, targets = logits[known].astype(np.float64), targets[known]
    weight = 1.0 if independent else targets.sum(1, keepdims=True)

    def slope(temperature: float) -> float:
        """Of the loss over the inverse temperature."""
        return float((logits * (weight * tempered(logits, temperature, independent) - targets)).sum())

    low, high = LOWEST, HIGHEST
    for _ in range(_STEPS):
        middle = float(np.sqrt(low * high))
        # a positive slope: the inverse should be smaller, the temperature higher
        low, high = (middle, high) if slope(middle) > 0 else (low, middle)
    return float(np.sqrt(low * high))
