"""Intent labels of every event, from the user's past and the event itself alone.

Each function takes the events frame sorted by user and time (stable) and returns one integer label per event; -1
means the event carries no label.  Labels of ``category`` intents are the item's own and are looked up in the graph.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from intentrec_tf.schema import (
    LABEL_SEPARATOR,
    AgeBucketIntent,
    CategoryNoveltyIntent,
    ColumnIntent,
    RankBucketIntent,
    RepeatIntent,
    Schema,
    SessionPhaseIntent,
)

REPEAT_LABELS = ("discover", "continue", "return")
NOVELTY_LABELS = ("known", "new")
PHASE_LABELS = ("start", "continue")


@dataclass(frozen=True)
class DerivedIntents:
    """Labels of the single-label intents.

    Attributes:
        labels: intent name -> label names in the order of their numbers.
        columns: intent name -> int64 [events], -1 where there is no label.
    """

    labels: dict[str, tuple[str, ...]]
    columns: dict[str, np.ndarray]


def derive_intents(events: pd.DataFrame, items: pd.DataFrame, schema: Schema, training: np.ndarray) -> DerivedIntents:
    """Derive every single-label intent the schema declares.

    Args:
        events: ``user_id, item_id, timestamp`` and the schema's event columns, sorted by user and time.
        items: ``item_id`` and the schema's item columns.
        schema: the declaration.
        training: bool [events]; label sets and quantiles are learnt from these rows only.
    """
    catalogue = items.set_index("item_id")
    labels: dict[str, tuple[str, ...]] = {}
    columns: dict[str, np.ndarray] = {}
    for intent in schema.single_label_intents:
        if isinstance(intent, ColumnIntent):
            labels[intent.name], columns[intent.name] = _column(events[intent.column], training)
        elif isinstance(intent, RepeatIntent):
            labels[intent.name], columns[intent.name] = REPEAT_LABELS, _repeat(events, intent.resume_gap)
        elif isinstance(intent, CategoryNoveltyIntent):
            labels[intent.name] = NOVELTY_LABELS
            columns[intent.name] = _category_novelty(events, catalogue[intent.feature])
        elif isinstance(intent, SessionPhaseIntent):
            labels[intent.name], columns[intent.name] = PHASE_LABELS, _session_phase(events, intent.gap)
        elif isinstance(intent, AgeBucketIntent):
            labels[intent.name] = intent.labels
            columns[intent.name] = _age_bucket(events, catalogue[intent.release], intent)
        elif isinstance(intent, RankBucketIntent):
            labels[intent.name] = intent.labels
            columns[intent.name] = _rank_bucket(events, intent, training)
    return DerivedIntents(labels, columns)


def previous_gap(events: pd.DataFrame, by: list[str]) -> np.ndarray:
    """Seconds since the previous event of the same group, float64; NaN at each group's first event."""
    return events.groupby(by, sort=False)["timestamp"].diff().to_numpy(float)


def _column(values: pd.Series, training: np.ndarray) -> tuple[tuple[str, ...], np.ndarray]:
    names = tuple(sorted(set(values[training]) - {""}))
    return names, pd.Categorical(values, categories=names).codes.astype(np.int64)


def _repeat(events: pd.DataFrame, resume_gap: int) -> np.ndarray:
    gap = previous_gap(events, ["user_id", "item_id"])
    return np.where(np.isnan(gap), 0, np.where(gap <= resume_gap, 1, 2))


def _session_phase(events: pd.DataFrame, gap: int) -> np.ndarray:
    since = previous_gap(events, ["user_id"])
    return np.where(np.isnan(since) | (since > gap), 0, 1)


def _category_novelty(events: pd.DataFrame, feature: pd.Series) -> np.ndarray:
    """1 where an item brings a label the user's earlier events never had, 0 where all are known."""
    names = feature.reindex(events["item_id"]).fillna("")
    long = pd.DataFrame({"user": events["user_id"].to_numpy(), "label": names.str.split(LABEL_SEPARATOR).to_numpy()})
    long = long.explode("label")
    long = long[long["label"] != ""]
    event = long.index.to_numpy()
    first = ~long.reset_index(drop=True).duplicated(["user", "label"]).to_numpy()
    result = np.full(len(events), -1, np.int64)
    result[event] = 0
    # A label repeated within one item is never "first" twice, so this marks exactly the events that bring a new one.
    result[event[first]] = 1
    return result


def _age_bucket(events: pd.DataFrame, release: pd.Series, intent: AgeBucketIntent) -> np.ndarray:
    age = events["timestamp"].to_numpy(float) - release.reindex(events["item_id"]).to_numpy(float)
    return np.where(np.isnan(age), -1, np.searchsorted(np.asarray(intent.edges, float), age, side="right"))


def _rank_bucket(events: pd.DataFrame, intent: RankBucketIntent, training: np.ndarray) -> np.ndarray:
    if intent.column == "popularity":
        in_time = events.sort_values("timestamp", kind="stable")
        values = in_time.groupby("item_id", sort=False).cumcount().reindex(events.index).to_numpy(float)
    else:
        values = events[intent.column].to_numpy(float)
    known = values[training & ~np.isnan(values)]
    shares = np.arange(1, len(intent.labels)) / len(intent.labels)
    edges = np.quantile(known, shares) if len(known) else np.zeros(len(shares))
    return np.where(np.isnan(values), -1, np.searchsorted(edges, values, side="right"))
