"""Measures of a log against the training part: unknown words, mixes, numbers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from intentrec_tf.data_spec import DataSpec
from intentrec_tf.records import intent_column
from intentrec_tf.schema import LABEL_SEPARATOR, CategoryIntent, ColumnIntent, Feature, Schema
from pipelines.derive import label_events, learn_intents, needs_popularity, popularity, previous_gap
from pipelines.drift.measures import MIN_DAYS, NONE, Measure, mix, numbers, rise
from pipelines.drift.new_log import NewLog
from pipelines.partitions import POPULARITY, MemoryPartitions
from pipelines.prepared import PreparedData
from pipelines.split import TRAIN

DAY = 86_400
TENTHS = [
    "most popular tenth",
    *(f"{n}{'rd' if n == 3 else 'nd' if n == 2 else 'th'} tenth" for n in range(2, 10)),
    "rarest tenth",
]


def log_measures(prepared: PreparedData, log: NewLog) -> Iterator[Measure]:
    """Every measure that needs no model, the unknown first."""
    spec, own = prepared.spec, prepared.events
    training, new = own[own["split"] == TRAIN], log.events[log.new]
    yield _unknown_items(spec, training, new)
    columns = list(_columns(prepared, log, training, new))
    for feature, where, values, newer in columns:
        if feature.kind != "numeric":
            yield _unknown_labels(spec, feature, where, values, newer)
    yield _item_popularity(spec, training, new)
    yield from _intents(prepared, log, training, new)
    told = {i.column for i in spec.schema.intents if isinstance(i, ColumnIntent)}
    told |= {i.feature for i in spec.schema.intents if isinstance(i, CategoryIntent)}
    for feature, where, values, newer in columns:
        if feature.kind != "numeric" and feature.name not in told:  # the intent has the same labels
            tokens = spec.vocabularies[feature.name].tokens
            yield mix(_name(feature, where), "feature", *_mix(feature.kind, tokens, values, newer))
    for feature, where, values, newer in columns:
        if feature.kind == "numeric":
            yield numbers(_name(feature, where), "number", values.to_numpy(float), newer.to_numpy(float))
    declared = {feature.name for feature in spec.schema.event_features}
    for column in spec.schema.event_columns():
        if column not in declared:
            yield numbers(column, "number", training[column].to_numpy(float), new[column].to_numpy(float))
    yield from _rhythm(spec, own, log)


def _unknown_items(spec: DataSpec, training: pd.DataFrame, new: pd.DataFrame) -> Measure:
    known = set(spec.items.tokens)
    counts = [(int((~part["item_id"].isin(known)).sum()), len(part)) for part in (training, new)]
    return rise("unknown items", counts[0], counts[1])


def _unknown_labels(spec: DataSpec, feature: Feature, where: str, training: pd.Series, new: pd.Series) -> Measure:
    tokens = spec.vocabularies[feature.name].tokens
    counts = [label_counts(part, feature.kind, tokens) for part in (training, new)]
    pairs = [(int(found[-2]), int(found[:-1].sum())) for found in counts]
    return rise(f"unknown labels: {_name(feature, where)}", pairs[0], pairs[1])


def _item_popularity(spec: DataSpec, training: pd.DataFrame, new: pd.DataFrame) -> Measure:
    """Tenths of the training events, the items with the most first: how much of the new events each tenth has."""
    prior = spec.item_prior[2:]
    before = np.cumsum(prior) - prior / 2  # tokens are in the order of their counts
    tenth = np.minimum(9, (10 * before / max(prior.sum(), 1)).astype(int))
    counts = []
    for part in (training, new):
        rows = np.asarray(spec.items.lookup(part["item_id"].tolist()))
        counts.append(np.bincount(tenth[rows[rows >= 2] - 2], minlength=10))
    return mix("item popularity", "feature", TENTHS, *counts)


def _intents(prepared: PreparedData, log: NewLog, training: pd.DataFrame, new: pd.DataFrame) -> Iterator[Measure]:
    """The mix of every intent; what the past must say is derived over the run's events and the new ones together."""
    spec, schema = prepared.spec, prepared.schema
    derived = _derived(log, schema)
    for intent in schema.intents:
        labels = spec.intent_labels[intent.name]
        if isinstance(intent, CategoryIntent):
            old = _of_items(prepared.items, intent.feature, training)
            newer = _of_items(log.items, intent.feature, new)
            found = _mix("multi_label", labels, old, newer)
        elif isinstance(intent, ColumnIntent):
            found = _mix("categorical", labels, training[intent.column], new[intent.column])
        else:
            codes = derived[intent.name][log.new]
            counted = np.bincount(np.where(codes < 0, len(labels), codes), minlength=len(labels) + 1)
            before = label_counts(training[intent_column(intent.name)], "categorical", labels)
            found = [*labels, NONE], np.delete(before, -2), counted
        yield mix(intent.name, "intent", *found)


class _RunSplit:
    """The split as the run had it."""

    columns: tuple[str, ...] = ("split",)

    def __call__(self, events: pd.DataFrame) -> np.ndarray:
        return events["split"].to_numpy(np.int8)


def _derived(log: NewLog, schema: Schema) -> dict[str, np.ndarray]:
    """Labels of every single-label intent over old and new events together, by the rules of the training events."""
    popular = {POPULARITY: popularity(log.events)} if needs_popularity(schema) else {}
    partitions = MemoryPartitions(log.events.assign(**popular))
    seen = {name: log.events.loc[log.training, name].unique() for name in schema.event_columns()}
    rules = learn_intents(partitions, schema, _RunSplit(), seen)
    return label_events(partitions.events, log.items.set_index("item_id"), schema, rules)


def _columns(
    prepared: PreparedData, log: NewLog, training: pd.DataFrame, new: pd.DataFrame
) -> Iterator[tuple[Feature, str, pd.Series, pd.Series]]:
    """Every declared feature with its values at the events of training and at the new ones."""
    for feature in prepared.schema.event_features:
        yield feature, "event", training[feature.name], new[feature.name]
    for feature in prepared.schema.item_features:
        old, newer = _of_items(prepared.items, feature.name, training), _of_items(log.items, feature.name, new)
        yield feature, "item", old, newer


def _of_items(items: pd.DataFrame, column: str, events: pd.DataFrame) -> pd.Series:
    return items.set_index("item_id")[column].reindex(events["item_id"])


def _name(feature: Feature, where: str) -> str:
    return feature.name if where == "event" else f"item {feature.name}"


def _mix(
    kind: str, tokens: tuple[str, ...], training: pd.Series, new: pd.Series
) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Counts of the known labels and of none; unknown ones have a measure of their own."""
    counts = [np.delete(label_counts(part, kind, tokens), -2) for part in (training, new)]
    return [*tokens, NONE], counts[0], counts[1]


def label_counts(values: pd.Series, kind: str, tokens: tuple[str, ...]) -> np.ndarray:
    """How often each label occurs, int64 [labels + 2]; the last but one counts other labels, the last empty values.

    Args:
        values: texts; of a ``multi_label`` column labels joined by ``|``.
        kind: ``categorical`` or ``multi_label``.
        tokens: the labels.
    """
    texts = values.fillna("").value_counts()
    if kind == "multi_label":
        texts.index = texts.index.str.split(LABEL_SEPARATOR, regex=False)
        texts = texts.rename_axis("label").reset_index().explode("label").groupby("label")["count"].sum()
    place = {token: i for i, token in enumerate(tokens)}
    found = np.zeros(len(tokens) + 2, np.int64)
    rows = [place.get(text, len(tokens) if text else len(tokens) + 1) for text in texts.index]
    np.add.at(found, rows, texts.to_numpy(np.int64))
    return found


def _rhythm(spec: DataSpec, own: pd.DataFrame, log: NewLog) -> Iterator[Measure]:
    """Gaps, history lengths and events per day."""
    known = (own["split"] == TRAIN).to_numpy()
    gaps = previous_gap(own, ["user_id"])[known], previous_gap(log.events, ["user_id"])[log.new]
    yield numbers("time since previous event", "number", *gaps, unit="seconds")
    lengths = [
        np.minimum(frame.groupby("user_id", sort=False).cumcount().to_numpy()[chosen], spec.schema.max_history)
        for frame, chosen in ((own, known), (log.events, log.new))
    ]
    yield numbers("history length", "number", *lengths)
    before, after = own["timestamp"].to_numpy()[known], log.events["timestamp"].to_numpy()[log.new]
    yield numbers("events per day", "number", per_day(before), per_day(after)) | {"min_sample": MIN_DAYS}


def per_day(times: np.ndarray) -> np.ndarray:
    """Events in every 24 hours from the first event on, int64 [whole days]; the last, unfinished day is left out."""
    if len(times) == 0:
        return np.zeros(0, np.int64)
    day = (times - times.min()) // DAY
    return np.bincount(day)[:-1]
