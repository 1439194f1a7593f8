"""Scores of predictions on downstream tasks, by slice of users."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.metrics import roc_auc_score

from pipelines.look.numbers import plain
from pipelines.reproduce.significance import paired_p_value

ROUNDS = 200
INTERVAL = (2.5, 97.5)


class Scores:
    """Gathers what each representation predicts and scores it.

    Args:
        labels: bool [users who came back, labels].
        returns: bool [users].
        slices: bool [users] by name.
    """

    def __init__(self, labels: np.ndarray, returns: np.ndarray, slices: dict[str, np.ndarray]) -> None:
        self.labels, self.returns, self.slices = labels, returns, slices
        self.predicted: dict[str, tuple[np.ndarray, np.ndarray]] = {}

    def add(self, kind: str, labels: np.ndarray, returns: np.ndarray) -> None:
        """Keep a representation's probabilities, float [users who came back, labels] and [users]."""
        self.predicted[kind] = labels, returns

    def users(self) -> dict[str, int]:
        """Number of users, and of those who came back, by slice."""
        counts = {name: int(inside.sum()) for name, inside in self.slices.items()}
        return counts | {f"{name} who came back": int((i & self.returns).sum()) for name, i in self.slices.items()}

    def results(self, gains: dict[str, np.ndarray]) -> dict[str, dict[str, Any]]:
        """Every score by slice and representation; None where it is not defined.

        ``labels_auc`` ranks all pairs of user and label, ``labels_auc_within`` users within a label (mean over labels),
        ``labels_accuracy`` is at a probability of .5.

        Args:
            gains: NDCG of the neighbours' lists, [users] by representation.
        """
        found: dict[str, dict[str, Any]] = {}
        for name, inside in self.slices.items():
            back = inside[self.returns]
            truth = self.labels[back]
            found[name] = {}
            for kind, (labels, returns) in self.predicted.items():
                said, known = labels[back], gains[kind][inside]
                known = known[~np.isnan(known)]
                within = [auc(truth[:, label], said[:, label]) for label in range(truth.shape[1])]
                defined = [value for value in within if value is not None]
                found[name][kind] = {
                    "labels_auc": auc(truth, said),
                    "labels_auc_within": float(np.mean(defined)) if defined else None,
                    "labels_accuracy": float(((said > 0.5) == truth).mean()) if truth.size else None,
                    "returns_auc": auc(self.returns[inside], returns[inside]),
                    "neighbours_ndcg@50": float(known.mean()) if len(known) else None,
                }
        return plain(found)

    def against(self, base: str, gains: dict[str, np.ndarray], seed: int = 0) -> dict[str, dict[str, Any]]:
        """Differences to one representation: 95% intervals over users (bootstrap) and a paired test of the lists.

        Args:
            base: whose scores are taken off.
            gains: see :meth:`results`.
            seed: of the draws.
        """
        found: dict[str, dict[str, Any]] = {}
        for name, inside in self.slices.items():
            back = np.flatnonzero(inside[self.returns])
            found[name] = {}
            for kind in self.predicted:
                if kind == base:
                    continue
                rng = np.random.default_rng(seed)
                mine, others = self.predicted[kind][0], self.predicted[base][0]
                gaps = []
                for _ in range(ROUNDS if len(back) else 0):
                    drawn = rng.choice(back, len(back))
                    pair = auc(self.labels[drawn], mine[drawn]), auc(self.labels[drawn], others[drawn])
                    if pair[0] is not None and pair[1] is not None:
                        gaps.append(pair[0] - pair[1])
                luck = paired_p_value(gains[kind][inside], gains[base][inside], np.arange(inside.sum()))
                found[name][kind] = {
                    "labels_auc_interval": [float(v) for v in np.percentile(gaps, INTERVAL)] if gaps else None,
                    "neighbours_p": None if np.isnan(luck) else luck,
                }
        return plain(found)


def auc(truth: np.ndarray, scores: np.ndarray) -> float | None:
    """Area under the ROC curve over all entries; None if all are of one class."""
    truth = truth.ravel()
    if truth.all() or not truth.any():
        return None
    return float(roc_auc_score(truth, scores.ravel()))
