"""From tidy frames to numbers: vocabularies, the catalogue's arrays, per-event columns."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from intentrec_tf.data_spec import DataSpec
from intentrec_tf.records import intent_column, record_columns
from intentrec_tf.schema import LABEL_SEPARATOR, CategoryIntent, DurationWeight, Feature, Schema
from intentrec_tf.vocabulary import Vocabulary
from pipelines.derive import IntentRules, TrainingNumbers, label_events, learn_intents
from pipelines.order_statistics import quantiles
from pipelines.partitions import Partitions, merge_counts
from pipelines.split import TRAIN, Split
from pipelines.validate import DataError


@dataclass(frozen=True)
class Encoder:
    """What preparation learnt from the training part; turns any partition's events into record columns.

    Attributes:
        spec: what a model is built from; its priors are not counted yet, see :meth:`with_priors`.
        rules: of the intents.
        catalogue: the schema's item columns, indexed by item id.
        longest: clip and mean of the logarithm of durations; None weighs every event 1.
    """

    spec: DataSpec
    rules: IntentRules
    catalogue: pd.DataFrame
    longest: tuple[float, float] | None

    def __call__(self, events: pd.DataFrame, parts: np.ndarray) -> dict[str, np.ndarray]:
        """One array [events] or [events, width] per record column.

        Args:
            events: a partition.
            parts: split of every event, int8 [events].
        """
        spec, schema = self.spec, self.spec.schema
        columns = {"item_id": _lookup(spec.items, events["item_id"])}
        columns["timestamp"] = events["timestamp"].to_numpy(np.int64)
        columns["split"] = parts.astype(np.int64)
        columns["weight"] = duration_weights(events, schema.duration_weight, self.longest)
        for feature in schema.event_features:
            vocabulary, width = spec.vocabularies.get(feature.name), spec.event_widths.get(feature.name)
            columns[feature.name] = encode_feature(feature, events[feature.name], vocabulary, width)
        for name, labels in label_events(events, self.catalogue, schema, self.rules).items():
            columns[intent_column(name)] = labels.astype(np.int64)
        return {name: columns[name] for name in record_columns(spec)}

    def count(self, columns: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Training events of each item row, and of each label of single-label intents, int64, by record column."""
        training = columns["split"] == TRAIN
        counts = {"item_id": np.bincount(columns["item_id"][training], minlength=self.spec.items.size)}
        for intent in self.spec.schema.single_label_intents:
            known = columns[intent_column(intent.name)][training]
            size = len(self.spec.intent_labels[intent.name])
            counts[intent_column(intent.name)] = np.bincount(known[known >= 0], minlength=size)
        return counts

    def with_priors(self, counts: dict[str, np.ndarray]) -> DataSpec:
        """The specification with its priors.

        Args:
            counts: sum of :meth:`count` over all partitions.
        """
        prior = counts["item_id"].astype(np.float32)
        prior[:2] = 0
        priors = {}
        for intent in self.spec.schema.intents:
            if isinstance(intent, CategoryIntent):
                sums = np.zeros(self.spec.vocabularies[intent.feature].size, np.float32)
                np.add.at(sums, self.spec.catalogue[intent.feature], prior[:, None])
                priors[intent.name] = sums[2:]
            else:
                priors[intent.name] = counts[intent_column(intent.name)].astype(np.float32)
        return dataclasses.replace(self.spec, item_prior=prior, intent_priors=priors)


def learn(partitions: Partitions, items: pd.DataFrame, schema: Schema, split: Split) -> Encoder:
    """Learn vocabularies, ranges, labels and weights, all from the training part.

    Args:
        partitions: canonical events, with :data:`~pipelines.partitions.POPULARITY` where an intent needs it.
        items: canonical items.
        schema: the declaration.
        split: tells the training events.

    Raises:
        DataError: no training event, or the training events leave an intent without two labels.
    """
    counts, ranges = _learn_values(partitions, schema.event_features, split)
    if not len(counts["item_id"]):
        raise DataError(
            "no event is left for training: there are too few, or too many share one timestamp; check it or split "
            "otherwise."
        )
    vocabulary = vocabulary_of(counts["item_id"], schema.min_item_count)
    if schema.min_item_count == 0:
        others = items["item_id"][~items["item_id"].isin(vocabulary.tokens)]
        vocabulary = Vocabulary([*vocabulary.tokens, *others])
    rows = items.set_index("item_id").reindex(vocabulary.tokens)
    vocabularies: dict[str, Vocabulary] = {}
    catalogue: dict[str, np.ndarray] = {}
    for feature in schema.item_features:
        column = rows[feature.name]
        if feature.kind == "numeric":
            ranges[feature.name] = _range(column) or (0.0, 1.0)
        else:
            vocabularies[feature.name] = vocabulary_of(value_counts(feature, column), feature.min_count)
        values = encode_feature(feature, column, vocabularies.get(feature.name))
        head = np.full((2, *values.shape[1:]), np.nan if feature.kind == "numeric" else 0)
        catalogue[feature.name] = np.concatenate([head, values]).astype(values.dtype)
    for feature in schema.event_features:
        if feature.kind != "numeric":
            vocabularies[feature.name] = vocabulary_of(counts[feature.name], feature.min_count)
    rules = learn_intents(partitions, schema, split, {name: column.index for name, column in counts.items()})
    labels = dict(rules.labels)
    for intent in schema.category_intents:
        labels[intent.name] = vocabularies[intent.feature].tokens
    widths = _widths(partitions, schema.event_features, vocabularies)
    try:
        spec = DataSpec(schema, vocabulary, vocabularies, catalogue, labels, ranges, widths)
    except ValueError as error:
        raise DataError(f"schema '{schema.name}': {error}") from None
    longest = _longest(partitions, schema.duration_weight, split) if schema.duration_weight else None
    return Encoder(spec, rules, items.set_index("item_id")[list(schema.item_columns())], longest)


def vocabulary_of(counts: pd.Series, min_count: int) -> Vocabulary:
    """Tokens by falling count (ties by name), those with at least ``min_count`` occurrences.

    Args:
        counts: occurrences, indexed by token.
    """
    counts = counts[counts >= min_count].sort_index().sort_values(ascending=False, kind="stable")
    return Vocabulary(counts.index.tolist())


def value_counts(feature: Feature, column: pd.Series) -> pd.Series:
    """How often each value (of a multi-label feature: each label) occurs, ``""`` left out."""
    values = column.fillna("")
    if feature.kind == "multi_label":
        values = values.str.split(LABEL_SEPARATOR, regex=False).explode()
    return values[values != ""].value_counts(sort=False)


def encode_feature(
    feature: Feature, column: pd.Series, vocabulary: Vocabulary | None, width: int | None = None
) -> np.ndarray:
    """Rows int32 [n], label rows int32 [n, width] padded with 0, or numbers float32 [n].

    Args:
        width: the most labels a value has; None looks for it in ``column``.
    """
    if feature.kind == "numeric":
        return column.to_numpy(np.float32)
    assert vocabulary is not None
    values = column.fillna("")
    if feature.kind == "categorical":
        return _lookup(vocabulary, values).astype(np.int32)
    names, codes = np.unique(values.to_numpy(str), return_inverse=True)
    rows = [np.unique(vocabulary.lookup([label for label in name.split(LABEL_SEPARATOR) if label])) for name in names]
    width = width or max(1, max(map(len, rows), default=1))
    table = np.zeros((len(rows), width), np.int32)
    for i, row in enumerate(rows):
        table[i, : len(row)] = row
    return table[codes]


def _lookup(vocabulary: Vocabulary, values: pd.Series) -> np.ndarray:
    """Row of every value, int64 [n]; each distinct one is looked up once."""
    codes, distinct = pd.factorize(values)
    return vocabulary.lookup(distinct.tolist())[codes]


def duration_weights(
    events: pd.DataFrame, config: DurationWeight | None, longest: tuple[float, float] | None
) -> np.ndarray:
    """d_k of Eq 3, float32 [n]: ``log1p(duration)`` clipped at a training quantile, training mean 1.

    A missing duration weighs 1, a negative one counts as 0 s.

    Args:
        longest: the clip and the training mean; None (no training event has a duration) weighs every event 1.
    """
    if config is None or longest is None or longest[1] <= 0:
        return np.ones(len(events), np.float32)
    weights = np.minimum(_log_duration(events[config.column].to_numpy(float)), longest[0]) / longest[1]
    return np.where(np.isnan(weights), 1.0, weights).astype(np.float32)


def _log_duration(seconds: np.ndarray) -> np.ndarray:
    return np.log1p(np.maximum(seconds, 0))


class _LogDurations:
    """Logarithms of the known durations of a partition's training events."""

    def __init__(self, column: str, split: Split) -> None:
        self.known = TrainingNumbers(column, split)

    def __call__(self, events: pd.DataFrame) -> np.ndarray:
        return _log_duration(self.known(events))


class _Sum:
    """Sum and number of a partition's values, each at most ``clip``."""

    def __init__(self, values: _LogDurations, clip: float) -> None:
        self.values, self.clip = values, clip

    def __call__(self, number: int, events: pd.DataFrame) -> tuple[float, int]:
        values = np.minimum(self.values(events), self.clip)
        return float(values.sum()), len(values)


def _longest(partitions: Partitions, config: DurationWeight, split: Split) -> tuple[float, float] | None:
    """Clip and mean of the logarithm of the training events' durations."""
    values, columns = _LogDurations(config.column, split), (config.column, *split.columns)
    clip = quantiles(partitions, values, [config.clip_quantile], columns, "finding long durations")
    if not len(clip):
        return None
    sums, counts = zip(*partitions.each(_Sum(values, clip[0]), "adding durations", columns), strict=True)
    return float(clip[0]), math.fsum(sums) / sum(counts)


class _Seen:
    """What a partition's training events hold: counts of values, ranges of numbers.

    Args:
        features: event features.
        split: tells the training events.
    """

    def __init__(self, features: Sequence[Feature], split: Split) -> None:
        self.features, self.split = features, split
        self.columns = tuple(dict.fromkeys(["item_id", *(f.name for f in features), *split.columns]))

    def __call__(
        self, number: int, events: pd.DataFrame
    ) -> tuple[dict[str, pd.Series], dict[str, tuple[float, float] | None]]:
        training = events[self.split(events) == TRAIN]
        counts = {"item_id": training["item_id"].value_counts(sort=False)}
        ranges = {}
        for feature in self.features:
            if feature.kind == "numeric":
                ranges[feature.name] = _range(training[feature.name])
            else:
                counts[feature.name] = value_counts(feature, training[feature.name])
        return counts, ranges


def _learn_values(
    partitions: Partitions, features: Sequence[Feature], split: Split
) -> tuple[dict[str, pd.Series], dict[str, tuple[float, float]]]:
    """Counts of the training events' items and labels, and ranges of their numbers, over all partitions."""
    seen = _Seen(features, split)
    counts: dict[str, pd.Series] = {}
    known: dict[str, list[tuple[float, float]]] = {f.name: [] for f in features if f.kind == "numeric"}
    for found, ranges in partitions.each(seen, "counting values", seen.columns):
        counts = {name: merge_counts(counts.get(name), part) for name, part in found.items()}
        for name, low_high in ranges.items():
            known[name] += [low_high] if low_high else []
    joined = {name: (min(lows), max(highs)) for name, (lows, highs) in _columns(known).items()}
    return counts, {**dict.fromkeys(known, (0.0, 1.0)), **joined}


def _columns(pairs: dict[str, list[tuple[float, float]]]) -> dict[str, tuple[list[float], list[float]]]:
    return {name: ([low for low, _ in both], [high for _, high in both]) for name, both in pairs.items() if both}


def _range(column: pd.Series) -> tuple[float, float] | None:
    known = column.to_numpy(float)
    known = known[~np.isnan(known)]
    return (float(known.min()), float(known.max())) if len(known) else None


class _Widest:
    """The most rows that a value of each multi-label feature has in a partition."""

    def __init__(self, features: dict[str, Vocabulary]) -> None:
        self.features = features

    def __call__(self, number: int, events: pd.DataFrame) -> dict[str, int]:
        widest = {}
        for name, vocabulary in self.features.items():
            texts = events[name].fillna("").unique()
            rows = (vocabulary.lookup([label for label in text.split(LABEL_SEPARATOR) if label]) for text in texts)
            widest[name] = max((len(np.unique(row)) for row in rows), default=1)
        return widest


def _widths(partitions: Partitions, features: Sequence[Feature], vocabularies: dict[str, Vocabulary]) -> dict[str, int]:
    """Rows kept of each multi-label event feature, at least 1."""
    wanted = {feature.name: vocabularies[feature.name] for feature in features if feature.kind == "multi_label"}
    if not wanted:
        return {}
    found = list(partitions.each(_Widest(wanted), "finding the widest values", tuple(wanted)))
    return {name: max(1, *(part[name] for part in found)) for name in wanted}
