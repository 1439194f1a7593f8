"""How many categories users' training events cover: is one interest a user enough?"""

from __future__ import annotations

from typing import Any

import numpy as np

from intentrec_tf.schema import Feature, Schema
from pipelines.look.labels import Diversity, Labels, Touched
from pipelines.look.log import Log
from pipelines.look.numbers import distinct, mean, median, share, spread
from pipelines.segments import NAMES, segment_words, segments
from pipelines.validate import DataError

HISTOGRAM_BINS = 24


def interest_feature(schema: Schema, wanted: str | None = None) -> tuple[Feature, str] | None:
    """The item feature whose labels count as interests, and why it; None if there is none.

    Raises:
        DataError: the wanted feature has no labels or is unknown.
    """
    labelled = {feature.name: feature for feature in schema.item_features if feature.kind != "numeric"}
    if wanted is not None:
        if wanted not in labelled:
            known = f"choose one of {', '.join(labelled)}" if labelled else "the schema has none"
            raise DataError(f"--feature {wanted}: is no categorical or multi_label item feature; {known}.")
        return labelled[wanted], "as asked"
    if schema.explicit_interests in labelled:
        return labelled[schema.explicit_interests], "the schema's explicit_interests"
    for kind in ("multi_label", "categorical"):
        for feature in labelled.values():
            if feature.kind == kind:
                return feature, f"the first {kind.replace('_', '-')} item feature"
    return None


def interests_of(log: Log, labels: Labels, bounds: tuple[int, int], seed: int = 0) -> dict[str, Any]:
    """Distinct and effective numbers of categories in users' training events, by segment too.

    Beside each stands what the same users would have if the items were dealt out again among all events: then users
    differ in length only, not in taste.
    """
    user, item = log.user[log.training], log.item[log.training]
    touched = Touched.of(user, item, labels)
    dealt = np.random.default_rng(seed).permutation(item)
    own, other = Diversity.of(touched), Diversity.of(Touched.of(user, dealt, labels))
    edges = histogram_edges(np.r_[own.effective, other.effective])
    return {
        "labels": len(labels.names),
        "share_of_items_without": share((labels.widths == 0).sum(), log.items),
        "share_of_events_without": share((labels.widths[item] == 0).sum(), len(item)),
        "labels_per_event": mean(labels.widths[item][labels.widths[item] > 0]),
        "users": len(own.user),
        "users_without": log.users - len(own.user),
        "distinct": spread(own.distinct),
        "entropy": spread(own.entropy),
        "effective": spread(own.effective),
        "dealt_out": {"distinct": spread(other.distinct), "effective": spread(other.effective)},
        "histogram": {
            "edges": edges.tolist(),
            "users": np.histogram(own.effective, edges)[0].tolist(),
            "dealt_out": np.histogram(other.effective, edges)[0].tolist(),
        },
        "segments": _by_segment(log, own, other, bounds),
        "categories": _categories(log, touched, item, labels),
    }


def histogram_edges(values: np.ndarray) -> np.ndarray:
    """Edges around effective numbers, bins of one width in entropy; the last is at least twice the first."""
    low = np.floor(values.min(initial=np.inf)) if len(values) else 1.0
    return np.geomspace(low, max(1.001 * values.max(initial=1.0), 2 * low), HISTOGRAM_BINS + 1)


def _by_segment(log: Log, own: Diversity, other: Diversity, bounds: tuple[int, int]) -> list[dict[str, Any]]:
    lengths = log.training_lengths
    segment = segments(lengths, bounds)
    rows = []
    for number, (name, words) in enumerate(zip(NAMES, segment_words(bounds), strict=True)):
        members, inside = segment == number, segment[own.user] == number
        rows.append(
            {
                "segment": name,
                "says": words,
                "users": int(members.sum()),
                "share_of_users": share(members.sum(), log.users),
                "share_of_training_events": share(lengths[members].sum(), lengths.sum()),
                "measured": int(inside.sum()),
                "distinct": spread(own.distinct[inside]),
                "effective": spread(own.effective[inside]),
                "dealt_out_effective_median": median(other.effective[segment[other.user] == number]),
            }
        )
    return rows


def _categories(log: Log, touched: Touched, item: np.ndarray, labels: Labels) -> list[dict[str, Any]]:
    """Every label with its shares, the most frequent in training first; an item of n labels counts 1/n for each."""
    size = len(labels.names)
    events = np.bincount(touched.label, touched.weight, size)
    users = np.bincount(touched.label, minlength=size)
    place, label = labels.of_items(np.arange(log.items))
    items = np.bincount(label, 1.0 / labels.widths[place], size)
    readers = max(1, len(distinct(touched.user)))
    shares = [values / max(values.sum(), 1.0) for values in (events, items)]
    return [
        {
            "label": labels.names[code],
            "share_of_events": float(shares[0][code]),
            "share_of_items": float(shares[1][code]),
            "share_of_users": float(users[code] / readers),
        }
        for code in np.argsort(-events, kind="stable")
    ]
