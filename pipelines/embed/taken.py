"""Which items users took in a span of time."""

from __future__ import annotations

import numpy as np

from pipelines.prepared import PreparedData


def taken(prepared: PreparedData, users: np.ndarray, after: int, until: int) -> list[np.ndarray]:
    """Item rows each user took in ``after < time <= until``, each once and the unknown one (1) among them.

    Args:
        users: ids.
    """
    events = prepared.events
    inside = events[(events["timestamp"] > after) & (events["timestamp"] <= until)]
    rows = prepared.spec.items.lookup(inside["item_id"].tolist())
    place = {user: i for i, user in enumerate(users)}
    owner = inside["user_id"].map(place)
    known = owner.notna().to_numpy()
    found: list[list[int]] = [[] for _ in users]
    for user, row in zip(owner[known].astype(int), rows[known], strict=True):
        found[user].append(row)
    return [np.unique(np.array(one, np.int64)) for one in found]
