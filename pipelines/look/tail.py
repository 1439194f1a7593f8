"""How much of a log is about few items."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pipelines.look.log import Log
from pipelines.look.numbers import share, spread
from pipelines.split import TEST

HEAD = 0.2
CURVE_POINTS, RANK_POINTS = 101, 60


def tail_of(log: Log) -> dict[str, Any]:
    """Popularity by training events: the head (the top 20% of the items met in training), the tail, the never met."""
    popularity = log.popularity
    order = np.argsort(-popularity, kind="stable")
    counts = popularity[order]
    counts = counts[counts > 0]
    met = len(counts)
    head = math.ceil(HEAD * met)
    targets = np.bincount(log.item[log.part == TEST], minlength=log.items)[order]
    total = int(targets.sum())
    ranks = np.unique(np.geomspace(1, met, RANK_POINTS).round().astype(np.int64))
    return {
        "head_share_of_items": HEAD,
        "items_in_training": met,
        "items_never_in_training": log.items - met,
        "share_never_in_training": share(log.items - met, log.items),
        "head_items": head,
        "head_share_of_catalogue": share(head, log.items),
        "head_share_of_events": share(counts[:head].sum(), counts.sum()),
        "gini": gini(counts),
        "gini_of_catalogue": gini(popularity),
        "events_per_item": spread(counts),
        "targets": {
            "count": total,
            "head": share(targets[:head].sum(), total),
            "tail": share(targets[head:met].sum(), total),
            "never_in_training": share(targets[met:].sum(), total),
            "outside_head": share(targets[head:].sum(), total),
        },
        "curve": {
            "items": np.linspace(0, 1, CURVE_POINTS).tolist(),
            "training": _curve(counts, counts.sum()),
            "test": _curve(targets[:met], total) if total else None,
        },
        "ranks": {"rank": ranks.tolist(), "events": counts[ranks - 1].tolist()},
    }


def gini(counts: np.ndarray) -> float:
    """Gini coefficient: 0 if all are equal, near 1 if one has everything."""
    n, total = len(counts), float(counts.sum())
    if total == 0:
        return 0.0
    ranked = np.sort(counts).astype(float)
    return max(0.0, float(2 * (np.arange(1, n + 1) @ ranked) / (n * total) - (n + 1) / n))


def _curve(counts: np.ndarray, total: float) -> list[float]:
    """Share of ``total`` in the first 0%, 1%, ... of the items."""
    reached = np.r_[0.0, np.cumsum(counts) / total]
    return np.interp(np.linspace(0, 1, CURVE_POINTS), np.linspace(0, 1, len(reached)), reached).tolist()
