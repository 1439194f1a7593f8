"""An A/B test on the simulated service, and shared pages beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from pipelines.abtest.interleaved import Interleaved
from pipelines.abtest.service import Policy, Service
from pipelines.abtest.statistics import METRICS, compare, holm, interleaving
from pipelines.abtest.visit import Visitor
from pipelines.look.numbers import plain
from pipelines.progress import track


def arm(user: str, salt: str) -> int:
    """0 (A) or 1 (B), by a hash of the user, as a live system assigns them."""
    return hashlib.sha256(f"{salt}:{user}".encode()).digest()[0] % 2


def abtest(
    service: Service, policies: Sequence[Policy], days: int = 28, paired: bool = False, salt: str = "abtest"
) -> dict[str, Any]:
    """Let people live with A or B and compare what became of them.

    Args:
        service: with its people.
        policies: A and B.
        days: length of the experiment.
        paired: everybody lives once with A and once with B, which only a simulation can do; else users are assigned by
            hash.
        salt: of the hash.

    Returns:
        ``metrics`` by name (see :func:`~pipelines.abtest.statistics.compare`, with ``adjusted_p`` after Holm) and
        ``daily`` hours watched a user, by model.
    """
    people = [service.visitors() for _ in policies]
    if not paired:
        people = [[one for one in group if arm(one.name, salt) == side] for side, group in enumerate(people)]
    daily: list[list[float]] = [[], []]
    for day in track(range(days), "living", days):
        for side, (group, policy) in enumerate(zip(people, policies, strict=True)):
            before = sum(one.totals.get("watched", 0.0) for one in group)
            service.run(group, policy, [day])
            watched = sum(one.totals.get("watched", 0.0) for one in group) - before
            daily[side].append(watched / 3600 / max(len(group), 1))
    values = [_values(group, days) for group in people]
    found = {name: compare(values[0][name], values[1][name], paired) for name in METRICS}
    for name, adjusted in zip(found, holm([one["p"] for one in found.values()]), strict=True):
        found[name]["adjusted_p"] = adjusted
    return plain({"users": [len(group) for group in people], "metrics": found, "daily": daily})


def share_pages(service: Service, policies: Sequence[Policy], days: int = 28) -> dict[str, Any]:
    """Show everybody pages that A and B fill in turns (team draft), and count whose titles are opened."""
    people = service.visitors()
    shared = Interleaved(policies, service.seed)
    for day in track(range(days), "living with both", days):
        service.run(people, shared, [day])
    return plain(interleaving(np.array([one.wins for one in people]).reshape(-1, 2)))


def _values(people: Sequence[Visitor], days: int) -> dict[str, np.ndarray]:
    """Each metric, a value a user; NaN without a page or session to count."""

    def ratio(above: str, below: str, scale: float = 1.0) -> np.ndarray:
        pairs = [(one.totals.get(above, 0.0), one.totals.get(below, 0.0)) for one in people]
        return np.array([scale * part / whole if whole else np.nan for part, whole in pairs])

    return {
        "watch": np.array([one.totals.get("watched", 0.0) / 3600 / days for one in people]),
        "click": ratio("clicks", "pages"),
        "save": ratio("saves", "sessions"),
        "length": ratio("spent", "sessions", 1 / 60),
        "return": np.array([float(one.last_day >= days - max(1, days // 3)) for one in people]),
        "diversity": ratio("diversity", "pages"),
    }
