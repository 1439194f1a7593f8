"""Interests that nobody declared, from what users rated highest in the first part of their history."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from intentrec_tf.schema import LABEL_SEPARATOR
from pipelines.datasets.base import RawData
from pipelines.validate import DataError


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
        ``user_id``, ``interest`` and ``timestamp``, as :class:`RawData` has them, the best interest of a user first.
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


def with_derived_interests(raw: RawData, rule: InterestRule) -> RawData:
    """A data set with derived interests, and a sentence among its sources that says they are.

    Args:
        raw: events sorted by user and time; ``schema.explicit_interests`` is ``rule.feature``.

    Raises:
        DataError: users declared interests themselves, there are no ratings, or nobody gets an interest.
    """
    schema = raw.schema
    if raw.interests is not None:
        raise DataError(
            f"users of '{schema.name}' declared {len(raw.interests):,} interests themselves; leave --derive-interests "
            "out, so that declared and derived ones do not mix."
        )
    if rule.rating not in raw.events or pd.to_numeric(raw.events[rule.rating], errors="coerce").isna().all():
        raise DataError(
            f"--derive-interests: the events of '{schema.name}' have no column '{rule.rating}' with numbers; only data "
            "with ratings can do without declared interests."
        )
    interests = derive_interests(raw.events, raw.items, rule)
    if interests.empty:
        raise DataError(
            f"--derive-interests: no user of '{schema.name}' has more than {rule.least} events and rates some "
            f"'{rule.feature}' above the others; leave the option out."
        )
    said = (
        f"Interests are derived, nobody declared them: up to {rule.most} labels of '{rule.feature}' rated highest "
        f"(means shrunk to the user's by {rule.prior:g} ratings) in the first {rule.share:.0%} of a history (at least "
        f"{rule.least} events), known after it; {interests['user_id'].nunique():,} of "
        f"{raw.events['user_id'].nunique():,} users have some."
    )
    return dataclasses.replace(raw, interests=interests, sources=(*raw.sources, said))
