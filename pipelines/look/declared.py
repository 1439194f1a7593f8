"""Declared interests beside behaviour: how much of each lies in the other?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pipelines.look.labels import Labels, Touched
from pipelines.look.log import Log
from pipelines.look.numbers import among, binned, distinct, mean, share, spread, tenths
from pipelines.segments import NAMES, segments

SHIFTS, ENOUGH = 20, 2_000  # other users' declarations are tried up to 20 times, or on about 2,000 users in all
COUNTS = [0, 1, 2, 3, 4, 5, 6]
DIRECTIONS = ("declared_seen", "events_declared", "labels_declared")


@dataclass(frozen=True)
class Cover:
    """The two directions for users who declared something and have an event.

    Attributes:
        declared_seen: share of a user's declared labels that the user's events touch, float64 [users].
        events_declared: share of the user's events that touch a declared label, float64 [users].
        labels_declared: share of the labels the user's events touch that are declared; users whose events touch no
            label at all are absent.
    """

    declared_seen: np.ndarray
    events_declared: np.ndarray
    labels_declared: np.ndarray


def declared_of(log: Log, labels: Labels, interests: pd.DataFrame, bounds: tuple[int, int], seed: int = 0) -> dict:
    """Compare declarations with all events of their users, before and after.

    Args:
        log: the events.
        labels: of the items; they know every declared label.
        interests: ``user_id``, ``interest`` and maybe ``timestamp``.
        bounds: of the segments.
        seed: of who is given whose declarations.
    """
    declared = _declarations(log, labels, interests)
    user, label = declared["user"].to_numpy(), declared["label"].to_numpy()
    here = user >= 0
    per_user = np.bincount(declared.loc[here, "user"], minlength=log.users)
    people = np.flatnonzero(per_user)
    user, label = user[here], label[here]
    lengths = np.bincount(log.user, minlength=log.users)
    events = np.flatnonzero(per_user[log.user] > 0)
    behaviour = _Behaviour(log.user[events], log.item[events], labels, people)
    own = behaviour.cover(user, label)
    others = _others(behaviour, user, label, people, seed)
    found: dict[str, Any] = {
        "users_declaring": int(interests["user_id"].nunique()),
        "users_declaring_with_events": len(people),
        "share_of_users": share(len(people), log.users),
        "declarations": len(declared),
        "labels_declared_by_anyone": int(declared["label"].nunique()),
        "declared_per_user": spread(per_user[people]),
        "users_by_declarations": dict(zip(_count_names(), binned(per_user, COUNTS), strict=True)),
        "share_declared_by_first_event": _early(log, declared[here]),
    }
    for name in DIRECTIONS:
        values, other = getattr(own, name), getattr(others, name) if others else None
        found[name] = {
            "spread": spread(values),
            "none": share((values == 0).sum(), len(values)),
            "all": share((values == 1).sum(), len(values)),
            "tenths": tenths(values),
            "of_another_user": None if other is None else {"mean": mean(other), "tenths": tenths(other)},
        }
    found["segments"] = _by_segment(log, people, per_user, own, bounds)
    found["labels"] = _by_label(log, labels, user, label, lengths)
    return found


class _Behaviour:
    """Events of the users who declared something, ready to be compared with declarations."""

    def __init__(self, user: np.ndarray, item: np.ndarray, labels: Labels, people: np.ndarray) -> None:
        self.people, self.size = people, max(1, len(labels.names))
        pair = pd.Series(user * max(1, len(labels.widths)) + item).value_counts(sort=False)
        self._user, self._item = np.divmod(pair.index.to_numpy(np.int64), max(1, len(labels.widths)))
        self._count = pair.to_numpy(np.int64)
        self._place, label = labels.of_items(self._item)
        self._key = self._user[self._place] * self.size + label
        self._touched = distinct(self._key)

    def cover(self, user: np.ndarray, label: np.ndarray) -> Cover:
        """Compare with declarations: a user and label each, every user of ``people`` with one at least."""
        key = user * self.size + label
        many = int(self.people.max(initial=0)) + 1
        declared = np.bincount(user, minlength=many)
        seen = np.bincount(user, among(key, self._touched), many)
        hit = np.zeros(len(self._user), bool)
        hit[self._place[among(self._key, key)]] = True
        events = np.bincount(self._user, self._count, many)
        inside = np.bincount(self._user, self._count * hit, many)
        labels = np.bincount(self._touched // self.size, minlength=many)
        labelled = self.people[labels[self.people] > 0]
        return Cover(
            seen[self.people] / declared[self.people],
            inside[self.people] / events[self.people],
            seen[labelled] / labels[labelled],
        )


def _declarations(log: Log, labels: Labels, interests: pd.DataFrame) -> pd.DataFrame:
    """Codes of ``user`` (-1 without events) and ``label``, none twice, with the earliest ``timestamp`` if known."""
    codes = pd.Index(labels.names).get_indexer(pd.Index(interests["interest"]))
    user = log.user_ids.get_indexer(pd.Index(interests["user_id"]))
    frame = pd.DataFrame({"name": interests["user_id"], "user": user.astype(np.int64), "label": codes.astype(np.int64)})
    if "timestamp" in interests:
        frame["timestamp"] = interests["timestamp"]
        frame = frame.sort_values("timestamp", kind="stable")
    return frame.drop_duplicates(["name", "label"]).sort_index().reset_index(drop=True)


def _others(behaviour: _Behaviour, user: np.ndarray, label: np.ndarray, people: np.ndarray, seed: int) -> Cover | None:
    """What users would cover of the declarations of somebody else; None if nobody else declared anything."""
    many = len(people)
    if many < 2:
        return None
    order = np.random.default_rng(seed).permutation(people)
    place = np.zeros(int(people.max()) + 1, np.int64)
    place[order] = np.arange(many)
    shifts = range(1, 1 + min(many - 1, SHIFTS, max(1, ENOUGH // many)))
    covers = [behaviour.cover(order[(place[user] + shift) % many], label) for shift in shifts]
    return Cover(*(np.concatenate([getattr(cover, name) for cover in covers]) for name in DIRECTIONS))


def _early(log: Log, declared: pd.DataFrame) -> float | None:
    """Share of declarations made no later than the user's first event; None if times are unknown."""
    if "timestamp" not in declared:
        return None
    first = np.full(log.users, np.iinfo(np.int64).max)
    np.minimum.at(first, log.user, log.time)
    early = declared["timestamp"].to_numpy() <= first[declared["user"].to_numpy()]
    return share(early.sum(), len(early))


def _by_segment(
    log: Log, people: np.ndarray, per_user: np.ndarray, own: Cover, bounds: tuple[int, int]
) -> list[dict[str, Any]]:
    segment = segments(log.training_lengths, bounds)
    rows = []
    for number, name in enumerate(NAMES):
        inside = segment[people] == number
        rows.append(
            {
                "segment": name,
                "users": int((segment == number).sum()),
                "declaring": int(inside.sum()),
                "share_declaring": share(inside.sum(), (segment == number).sum()),
                "declared_per_user": mean(per_user[people[inside]]),
                "declared_seen": mean(own.declared_seen[inside]),
                "events_declared": mean(own.events_declared[inside]),
            }
        )
    return rows


def _by_label(
    log: Log, labels: Labels, user: np.ndarray, label: np.ndarray, lengths: np.ndarray
) -> list[dict[str, Any]]:
    """Every declared label, the most declared first: share of events with it, of who declared it and of all others."""
    size = max(1, len(labels.names))
    touched = Touched.of(log.user, log.item, labels)
    declared = among(touched.user * size + touched.label, user * size + label)
    people = np.bincount(label, minlength=size)
    seen = np.bincount(touched.label[declared], minlength=size)
    inside = np.bincount(touched.label[declared], touched.events[declared], size)
    outside = np.bincount(touched.label[~declared], touched.events[~declared], size)
    total = np.bincount(label, lengths[user], size)
    return [
        {
            "label": labels.names[code],
            "users": int(people[code]),
            "share_who_touch_it": share(seen[code], people[code]),
            "share_of_their_events": share(inside[code], total[code]),
            "share_of_others_events": share(outside[code], log.events - total[code]),
        }
        for code in np.argsort(-people, kind="stable")
        if people[code]
    ]


def _count_names() -> list[str]:
    return [*(str(count) for count in COUNTS[:-1]), f"{COUNTS[-1]} or more"]
