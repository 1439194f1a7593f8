"""Counting what candidate lists are worth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from intentrec_tf.metrics import candidate_rank, ndcg
from intentrec_tf.metrics.ranking import UNREACHABLE
from intentrec_tf.vocabulary import FIRST
from pipelines.look.tail import HEAD
from pipelines.segments import NAMES, segments

ALONE = ""  # the model that ranks by its item state, among the rankers


def tail_items(counts: np.ndarray) -> np.ndarray:
    """Which items are not among the fifth that training saw most, bool [V]; padding and OOV are neither."""
    order = np.argsort(-counts[FIRST:], kind="stable")
    tail = np.zeros(len(counts), bool)
    tail[FIRST + order[int(np.ceil(HEAD * len(order))) :]] = True
    return tail


class CandidateTally:
    """Adds up batches of merged candidate lists.

    Args:
        counts: list lengths to report, ascending, each a list of its own.
        tail: bool [V], see :func:`tail_items`.
        labels: int32 [V, width], categories of each item (0 = none); None without categories.
        slots: K, implicit interests.
    """

    def __init__(self, counts: Sequence[int], tail: np.ndarray, labels: np.ndarray | None, slots: int) -> None:
        self.counts = list(counts)
        self._tail = tail
        self._labels = labels
        self._slots = slots
        self._places: dict[int, list[np.ndarray]] = {count: [] for count in self.counts}
        self._targets: list[np.ndarray] = []
        self._past: list[np.ndarray] = []
        self._ranks: dict[tuple[str, int], list[np.ndarray]] = {}
        self._full: list[np.ndarray] = []
        self._events: list[np.ndarray] = []
        self._shared: dict[int, list[float]] = {count: [] for count in self.counts}
        self._seen = {count: np.zeros(len(tail), bool) for count in self.counts}
        self._entropy = dict.fromkeys(self.counts, 0.0)
        self._diversity: dict[int, list[np.ndarray]] = {count: [] for count in self.counts}
        self._distances: list[np.ndarray] = []
        self._explicit = {count: np.zeros(2) for count in self.counts}
        self._wins = np.zeros(slots)
        self._interests = 0

    def add(self, target: np.ndarray, past: np.ndarray, answer: dict[str, Any]) -> None:
        """One batch.

        Args:
            target: int32 [batch] item rows.
            past: int [batch], events before the question; they make a user new, casual or core.
            answer: ``lists``, by count what was found: ``rows`` and ``source`` int32 [batch, count], with a ranking
                model ``scores`` float32 of the same shape, with rankers ``rankers``, scores by name, and, where both
                sides are compared, ``sides``, rows of the lists that implicit interests and topics would make alone.
                ``mass`` float32 [batch, K], ``slot`` int32 [batch] (the implicit interest that scores the target
                highest) and ``distance`` float32 [batch] (mean of 1 - cosine over pairs of interests, NaN below two).
                With a ranking model ``full`` int32 [batch], the target's rank in the whole catalogue; optional is
                ``event`` int64 [batch], the target's place in the log.
        """
        self._targets.append(target)
        self._past.append(past)
        for count in self.counts:
            one = answer["lists"][count]
            rows, source = one["rows"], one["source"]
            hit = (rows == target[:, None]) & (target >= FIRST)[:, None]
            self._places[count].append(np.where(hit.any(1), hit.argmax(1), UNREACHABLE))
            self._add_lists(count, rows)
            self._explicit[count] += (source >= self._slots).sum(), (source >= 0).sum()
            systems = {ALONE: one["scores"]} if "scores" in one else {}
            for name, scores in {**systems, **one.get("rankers", {})}.items():
                ranks = candidate_rank(scores, rows, target).numpy()
                self._ranks.setdefault((name, count), []).append(ranks)
            if "sides" in one:
                self._shared[count] += _shared(*one["sides"])
        if "event" in answer:
            self._events.append(answer["event"])
        if "full" in answer:
            self._full.append(answer["full"])
        real = target >= FIRST
        self._wins += np.bincount(answer["slot"][real], minlength=self._slots)[: self._slots]
        self._interests += int((answer["mass"] > 0).sum())
        self._distances.append(answer["distance"])

    def _add_lists(self, count: int, rows: np.ndarray) -> None:
        self._seen[count][rows[rows >= FIRST]] = True
        if self._labels is not None:
            self._entropy[count] += float(_entropies(self._labels[rows]).sum())
            self._diversity[count].append(_diversities(self._labels[rows]))

    def places(self) -> tuple[dict[int, np.ndarray], np.ndarray]:
        """Of every target, in the order of the log: its place in each list, int [n] by count, from 1 on, 0 where it is
        not there, and whether it is of the tail, bool [n].  Needs ``event`` of every batch."""
        order = np.argsort(_joined(self._events), kind="stable")
        places = {count: _joined(found)[order] for count, found in self._places.items()}
        return (
            {count: np.where(found < count, found + 1, 0) for count, found in places.items()},
            self._tail[_joined(self._targets)[order]],
        )

    def result(self) -> dict[str, Any]:
        """Everything, JSON ready; shares of nothing are 0."""
        targets, past = _joined(self._targets), _joined(self._past)
        count = max(len(targets), 1)
        parts = {"all": np.ones(len(targets), bool), "tail": self._tail[targets]}
        parts |= {f"{name} users": segments(past) == number for number, name in enumerate(NAMES)}
        lists = {}
        for length in self.counts:
            within = _joined(self._places[length]) < length
            one: dict[str, Any] = {"recall": {name: _mean(within[part]) for name, part in parts.items()}}
            one["coverage"] = float(self._seen[length].sum() / max(len(self._tail) - FIRST, 1))
            if self._labels is not None:
                one["category_entropy"] = self._entropy[length] / count
                one["diversity"] = _known_mean(_joined(self._diversity[length]))
            one["explicit_share"] = float(self._explicit[length][0] / max(self._explicit[length][1], 1))
            if self._shared[length]:
                one["overlap"] = float(np.mean(self._shared[length]))
            found = {name: _ndcg(_joined(ranks)) for (name, number), ranks in self._ranks.items() if number == length}
            if ALONE in found:
                one["ndcg@10"] = found.pop(ALONE)
            if found:
                one["rankers"] = found
            lists[str(length)] = one
        shares = self._wins / max(self._wins.sum(), 1)
        used = shares[shares > 0]
        answer: dict[str, Any] = {
            "targets": len(targets),
            "targets_in": {name: int(part.sum()) for name, part in parts.items()},
            "candidates": lists,
            "interests": {
                "per_user": self._interests / count,
                "effective_number": float(np.exp(-(used * np.log(used)).sum())) if len(used) else 0.0,
                "never_used": float((shares == 0).mean()) if self._slots else 0.0,
                "distance": _known_mean(_joined(self._distances)),
            },
        }
        if self._full:
            answer["full_ndcg@10"] = _ndcg(_joined(self._full))
        return answer


def _shared(implicit: np.ndarray, explicit: np.ndarray) -> list[float]:
    """Of each list of topics [batch, N], unless it is empty, the share that the other list has too."""
    pairs = [(mine[mine >= FIRST], row) for row, mine in zip(implicit, explicit, strict=True)]
    return [float(np.isin(mine, row).mean()) for mine, row in pairs if len(mine)]


def _entropies(labels: np.ndarray) -> np.ndarray:
    """Entropy in nats of the labels [batch, N, width] in each list."""
    batch, size = len(labels), int(labels.max(initial=0)) + 1
    flat = labels.reshape(batch, -1)
    counts = np.zeros((batch, size))
    np.add.at(counts, (np.repeat(np.arange(batch), flat.shape[1]), flat.ravel()), 1.0)
    counts[:, 0] = 0  # no label
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    return -(shares * np.log(np.where(shares > 0, shares, 1.0))).sum(1)


def _diversities(labels: np.ndarray) -> np.ndarray:
    """Mean of 1 - cosine over the pairs of items of each list, from their labels [batch, N, width] as vectors of zeros
    and ones, float [batch]; items without a label do not count, below two there is NaN.

    With vectors of length 1 the sum of all cosines is the square of the sum of the vectors.
    """
    batch, size = len(labels), int(labels.max(initial=0)) + 1
    there = (labels > 0).sum(2)
    weights = np.where(labels > 0, 1 / np.sqrt(np.maximum(there, 1))[..., None], 0.0)
    sums = np.zeros((batch, size))
    flat = labels.reshape(batch, -1)
    np.add.at(sums, (np.repeat(np.arange(batch), flat.shape[1]), flat.ravel()), weights.ravel())
    items = (there > 0).sum(1).astype(float)
    pairs = items * (items - 1)
    return np.where(pairs > 0, 1 - ((sums**2).sum(1) - items) / np.maximum(pairs, 1), np.nan)


def _known_mean(values: np.ndarray) -> float | None:
    """Mean of what is a number; None of nothing."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else None


def _ndcg(ranks: np.ndarray) -> float:
    return float(tf.reduce_mean(ndcg(tf.constant(ranks, tf.int32), 10))) if len(ranks) else 0.0


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else 0.0


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)
