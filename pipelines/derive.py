"""Intent labels of every event, from the user's past and the event itself alone.

Each function takes the events frame sorted by user and time (stable) and returns one integer label per event; -1
means the event carries no label.  Labels of ``category`` intents are the item's own and are looked up in the graph.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
from pipelines.order_statistics import quantiles
from pipelines.partitions import POPULARITY, Partitions
from pipelines.split import TRAIN, Split

REPEAT_LABELS = ("discover", "continue", "return")
NOVELTY_LABELS = ("known", "new")
PHASE_LABELS = ("start", "continue")
FIXED_LABELS = {"repeat": REPEAT_LABELS, "category_novelty": NOVELTY_LABELS, "session_phase": PHASE_LABELS}


@dataclass(frozen=True)
class IntentRules:
    """What the training events say about intents, for all events.

    Attributes:
        labels: intent name -> label names in the order of their numbers.
        edges: rank-bucket intent -> float64 [labels - 1], upper edges of its buckets.
    """

    labels: dict[str, tuple[str, ...]]
    edges: dict[str, np.ndarray]


def learn_intents(
    partitions: Partitions, schema: Schema, split: Split, seen: Mapping[str, Iterable[str]]
) -> IntentRules:
    """Label names and bucket edges of every single-label intent.

    Args:
        seen: event column -> its values in the training events (all that ``column`` intents name).
    """
    labels: dict[str, tuple[str, ...]] = {}
    edges: dict[str, np.ndarray] = {}
    for intent in schema.single_label_intents:
        if isinstance(intent, ColumnIntent):
            labels[intent.name] = tuple(sorted(set(seen[intent.column]) - {""}))
        elif isinstance(intent, AgeBucketIntent | RankBucketIntent):
            labels[intent.name] = intent.labels
        else:
            labels[intent.name] = FIXED_LABELS[intent.derive]
        if isinstance(intent, RankBucketIntent):
            shares = np.arange(1, len(intent.labels)) / len(intent.labels)
            column = _ranked(intent)
            known = quantiles(
                partitions,
                TrainingNumbers(column, split),
                shares.tolist(),
                (column, *split.columns),
                "finding quantiles",
            )
            edges[intent.name] = known if len(known) else np.zeros(len(shares))
    return IntentRules(labels, edges)


class TrainingNumbers:
    """The known numbers of a column in the training events of a partition, float64 [any].

    Args:
        column: name of the column.
        split: tells the training events.
    """

    def __init__(self, column: str, split: Split) -> None:
        self.column, self.split = column, split
        self.columns = (column, *split.columns)

    def __call__(self, events: pd.DataFrame) -> np.ndarray:
        values = events[self.column].to_numpy(float)
        return values[(self.split(events) == TRAIN) & ~np.isnan(values)]


def label_events(
    events: pd.DataFrame, catalogue: pd.DataFrame, schema: Schema, rules: IntentRules
) -> dict[str, np.ndarray]:
    """Labels of every single-label intent: name -> int64 [events], -1 where there is none.

    Args:
        events: a partition.
        catalogue: the schema's item columns, indexed by item id.
        rules: what training taught.
    """
    columns: dict[str, np.ndarray] = {}
    for intent in schema.single_label_intents:
        if isinstance(intent, ColumnIntent):
            codes = pd.Categorical(events[intent.column], categories=rules.labels[intent.name]).codes
            columns[intent.name] = codes.astype(np.int64)
        elif isinstance(intent, RepeatIntent):
            columns[intent.name] = _repeat(events, intent.resume_gap)
        elif isinstance(intent, CategoryNoveltyIntent):
            columns[intent.name] = _category_novelty(events, catalogue[intent.feature])
        elif isinstance(intent, SessionPhaseIntent):
            columns[intent.name] = _session_phase(events, intent.gap)
        elif isinstance(intent, AgeBucketIntent):
            columns[intent.name] = _age_bucket(events, catalogue[intent.release], intent)
        elif isinstance(intent, RankBucketIntent):
            values = events[_ranked(intent)].to_numpy(float)
            bucket = np.searchsorted(rules.edges[intent.name], values, side="right")
            columns[intent.name] = np.where(np.isnan(values), -1, bucket)
    return columns


def needs_popularity(schema: Schema) -> bool:
    """Whether an intent asks for the popularity of items, which is counted over all users."""
    return any(_ranked(i) == POPULARITY for i in schema.single_label_intents if isinstance(i, RankBucketIntent))


def popularity(events: pd.DataFrame) -> np.ndarray:
    """Earlier events of each event's item, float64 [events]; simultaneous ones in the order of users and rows.

    Args:
        events: all events of the items in it, sorted as a partition is.
    """
    in_time = events.sort_values("timestamp", kind="stable")
    return in_time.groupby("item_id", sort=False).cumcount().reindex(events.index).to_numpy(float)


def previous_gap(events: pd.DataFrame, by: list[str]) -> np.ndarray:
    """Seconds since the previous event of the same group, float64; NaN at each group's first event."""
    return events.groupby(by, sort=False)["timestamp"].diff().to_numpy(float)


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


def _ranked(intent: RankBucketIntent) -> str:
    return POPULARITY if intent.column == "popularity" else intent.column
