"""Interests that nobody declared, from what users rated highest in the first part of their history."""

from __future__ import annotations

import dataclasses
from functools import partial

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from intentrec_tf.schema import LABEL_SEPARATOR
from pipelines.sources import Source
from pipelines.validate import DataError

_NONE: dict[str, pd.Series] = {
    "user_id": pd.Series(dtype="str"),
    "interest": pd.Series(dtype="str"),
    "timestamp": pd.Series(dtype="int64"),
}


class InterestRule(BaseModel):
    """How to derive interests.

    Attributes:
        feature: categorical or multi-label item feature whose labels count as interests.
        rating: event column with numbers; the higher, the better liked.
        share: of a user's events that make the first part.
        least: events of the first part at least; users without an event after it get no interest.
        most: interests of a user at most.
        prior: ratings at the user's mean that every label starts with, so that one high rating is no interest.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    feature: str
    rating: str = "rating"
    share: float = Field(0.2, gt=0, lt=1)
    least: int = Field(5, ge=1)
    most: int = Field(3, ge=1)
    prior: float = Field(5.0, ge=0)


def derive_interests(events: pd.DataFrame, items: pd.DataFrame, rule: InterestRule) -> pd.DataFrame:
    """Interests of every user: the labels rated highest in the first part of the history.

    A label's score is ``(sum of its ratings + prior * m) / (their number + prior)`` with m the user's mean over the
    first part; a user's interests are the best labels above m.  They are known from one second after the first
    part's last event, so that no question at or before that moment, whose answer may have been used, sees them.

    Args:
        events: canonical events sorted by user and time.
        items: canonical items.
        rule: how.

    Returns:
        ``user_id``, ``interest`` and ``timestamp``, as :class:`pipelines.datasets.base.RawData` has them, the best
        interest of a user first.
    """
    user = pd.factorize(events["user_id"])[0]
    size = np.bincount(user)
    part = np.maximum(rule.least, np.ceil(rule.share * size)).astype(np.int64)
    place = np.arange(len(user)) - np.repeat(size.cumsum() - size, size)
    frame = pd.DataFrame(
        {
            "user": user,
            "user_id": events["user_id"].to_numpy(),
            "item_id": events["item_id"].to_numpy(),
            "rating": pd.to_numeric(events[rule.rating], errors="coerce").to_numpy(float),
            "timestamp": events["timestamp"].to_numpy(),
        }
    )[(place < part[user]) & (size > part)[user]]
    known_from = frame.groupby("user")["timestamp"].max() + 1
    names = frame.groupby("user")["user_id"].first()
    frame = frame[frame["rating"].notna()]
    mean = frame.groupby("user")["rating"].mean()
    labels = items.set_index("item_id")[rule.feature].str.split(LABEL_SEPARATOR, regex=False)
    each = frame.assign(label=frame["item_id"].map(labels)).explode("label")
    each = each[each["label"].notna() & (each["label"] != "")]
    scores = each.groupby(["user", "label"])["rating"].agg(["sum", "size"]).reset_index()
    own = scores["user"].map(mean)
    scores["gain"] = (scores["sum"] - scores["size"] * own) / (scores["size"] + rule.prior)  # score - m
    best = scores[scores["gain"] > 1e-9].sort_values(
        ["user", "gain", "size", "label"], ascending=[True, False, False, True], kind="stable"
    )
    best = best.groupby("user").head(rule.most)
    return pd.DataFrame(
        {
            "user_id": best["user"].map(names).astype("str"),
            "interest": best["label"].astype("str"),
            "timestamp": best["user"].map(known_from).astype("int64"),
        }
    ).reset_index(drop=True)


def with_derived_interests(source: Source, rule: InterestRule) -> Source:
    """A log with derived interests, and a sentence among its sources that says they are.

    Args:
        source: whose ``schema.explicit_interests`` is ``rule.feature``.

    Raises:
        DataError: users declared interests themselves, there are no ratings, or nobody gets an interest.
    """
    schema = source.schema
    if source.interests is not None:
        raise DataError(
            f"users of '{schema.name}' declared {len(source.interests):,} interests themselves; leave "
            "--derive-interests out, so that declared and derived ones do not mix."
        )
    found = list(source.partitions.each(partial(_of_partition, source.items, rule), "deriving interests"))
    if not any(rated for _, _, rated in found):
        raise DataError(
            f"--derive-interests: the events of '{schema.name}' have no column '{rule.rating}' with numbers; only data "
            "with ratings can do without declared interests."
        )
    interests = pd.concat([frame for frame, _, _ in found], ignore_index=True)
    if interests.empty:
        raise DataError(
            f"--derive-interests: no user of '{schema.name}' has more than {rule.least} events and rates some "
            f"'{rule.feature}' above the others; leave the option out."
        )
    said = (
        f"Interests are derived, nobody declared them: up to {rule.most} labels of '{rule.feature}' rated highest "
        f"(means shrunk to the user's by {rule.prior:g} ratings) in the first {rule.share:.0%} of a history (at least "
        f"{rule.least} events), known after it; {interests['user_id'].nunique():,} of "
        f"{sum(users for _, users, _ in found):,} users have some."
    )
    return dataclasses.replace(source, interests=interests, sources=(*source.sources, said))


def _of_partition(
    items: pd.DataFrame, rule: InterestRule, number: int, events: pd.DataFrame
) -> tuple[pd.DataFrame, int, bool]:
    """Interests of a partition's users, their number, and whether there are ratings."""
    rated = rule.rating in events and bool(pd.to_numeric(events[rule.rating], errors="coerce").notna().any())
    interests = derive_interests(events, items, rule) if rated else pd.DataFrame(_NONE)
    return interests, int(events["user_id"].nunique()), rated
