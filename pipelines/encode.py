"""From tidy frames to numbers: vocabularies, the catalogue's arrays, per-event columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from intentrec_tf.data_spec import DataSpec
from intentrec_tf.records import intent_column, record_columns
from intentrec_tf.schema import LABEL_SEPARATOR, CategoryIntent, DurationWeight, Feature, Schema
from intentrec_tf.vocabulary import Vocabulary
from pipelines.derive import DerivedIntents, derive_intents
from pipelines.split import TRAIN
from pipelines.validate import DataError


@dataclass(frozen=True)
class EncodedData:
    """What is written: the specification, and one array per record column aligned with ``events``."""

    spec: DataSpec
    events: pd.DataFrame
    columns: dict[str, np.ndarray]


def encode(events: pd.DataFrame, items: pd.DataFrame, schema: Schema, parts: np.ndarray) -> EncodedData:
    """Encode sorted events; everything that is learnt is learnt from the training part.

    Args:
        events: canonical events sorted by user and time, index 0..n-1.
        items: canonical items.
        parts: split of every event, int8 [n].

    Raises:
        DataError: the training events leave an intent without two labels.
    """
    training = parts == TRAIN
    derived = derive_intents(events, items, schema, training)
    item_vocabulary = build_vocabulary(events["item_id"][training], schema.min_item_count)
    if schema.min_item_count == 0:
        others = items["item_id"][~items["item_id"].isin(item_vocabulary.tokens)]
        item_vocabulary = Vocabulary([*item_vocabulary.tokens, *others])
    catalogue_rows = items.set_index("item_id").reindex(item_vocabulary.tokens)
    vocabularies: dict[str, Vocabulary] = {}
    ranges: dict[str, tuple[float, float]] = {}
    catalogue: dict[str, np.ndarray] = {}
    columns: dict[str, np.ndarray] = {}
    widths: dict[str, int] = {}
    for feature in schema.item_features:
        column = catalogue_rows[feature.name]
        learn_feature(feature, column, vocabularies, ranges)
        values = encode_feature(feature, column, vocabularies.get(feature.name))
        head = np.full((2, *values.shape[1:]), np.nan if feature.kind == "numeric" else 0)
        catalogue[feature.name] = np.concatenate([head, values]).astype(values.dtype)
    for feature in schema.event_features:
        learn_feature(feature, events[feature.name][training], vocabularies, ranges)
        columns[feature.name] = encode_feature(feature, events[feature.name], vocabularies.get(feature.name))
        if feature.kind == "multi_label":
            widths[feature.name] = columns[feature.name].shape[1]
    columns["item_id"] = item_vocabulary.lookup(events["item_id"].tolist())
    columns["timestamp"] = events["timestamp"].to_numpy(np.int64)
    columns["split"] = parts.astype(np.int64)
    columns["weight"] = duration_weights(events, schema.duration_weight, training)
    for name, labels in derived.columns.items():
        columns[intent_column(name)] = labels.astype(np.int64)
    spec = _specification(schema, item_vocabulary, vocabularies, catalogue, ranges, widths, derived, columns, training)
    return EncodedData(spec, events, {name: columns[name] for name in record_columns(spec)})


def build_vocabulary(values: pd.Series, min_count: int) -> Vocabulary:
    """Tokens by falling count (ties by name), those with at least ``min_count`` occurrences, ``""`` left out."""
    counts = values[values != ""].value_counts(sort=False)
    counts = counts[counts >= min_count].sort_index().sort_values(ascending=False, kind="stable")
    return Vocabulary(counts.index.tolist())


def learn_feature(
    feature: Feature,
    column: pd.Series,
    vocabularies: dict[str, Vocabulary],
    ranges: dict[str, tuple[float, float]],
) -> None:
    """Learn a feature's vocabulary or range from training values and put it into the given dictionaries."""
    if feature.kind == "numeric":
        known = column.to_numpy(float)
        known = known[~np.isnan(known)]
        ranges[feature.name] = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
        return
    values = column.fillna("")
    if feature.kind == "multi_label":
        values = values.str.split(LABEL_SEPARATOR, regex=False).explode()
    vocabularies[feature.name] = build_vocabulary(values, feature.min_count)


def encode_feature(feature: Feature, column: pd.Series, vocabulary: Vocabulary | None) -> np.ndarray:
    """Rows int32 [n], label rows int32 [n, width] padded with 0, or numbers float32 [n]."""
    if feature.kind == "numeric":
        return column.to_numpy(np.float32)
    assert vocabulary is not None
    values = column.fillna("")
    if feature.kind == "categorical":
        return vocabulary.lookup(values.tolist()).astype(np.int32)
    names, codes = np.unique(values.to_numpy(str), return_inverse=True)
    rows = [np.unique(vocabulary.lookup([label for label in name.split(LABEL_SEPARATOR) if label])) for name in names]
    width = max(1, max(map(len, rows), default=1))
    table = np.zeros((len(rows), width), np.int32)
    for i, row in enumerate(rows):
        table[i, : len(row)] = row
    return table[codes]


def duration_weights(events: pd.DataFrame, config: DurationWeight | None, training: np.ndarray) -> np.ndarray:
    """d_k of Eq 3, float32 [n]: ``log1p(duration)`` clipped at a training quantile, training mean 1.

    A missing duration weighs 1, a negative one counts as 0 s.
    """
    if config is None:
        return np.ones(len(events), np.float32)
    log = np.log1p(np.maximum(events[config.column].to_numpy(float), 0))
    known = log[training & ~np.isnan(log)]
    log = np.minimum(log, np.quantile(known, config.clip_quantile)) if len(known) else np.ones(len(events))
    mean = log[training & ~np.isnan(log)].mean() if len(known) else 1.0
    weights = log / mean if mean > 0 else np.ones(len(events))
    return np.where(np.isnan(weights), 1.0, weights).astype(np.float32)


def _specification(
    schema: Schema,
    items: Vocabulary,
    vocabularies: dict[str, Vocabulary],
    catalogue: dict[str, np.ndarray],
    ranges: dict[str, tuple[float, float]],
    widths: dict[str, int],
    derived: DerivedIntents,
    columns: dict[str, np.ndarray],
    training: np.ndarray,
) -> DataSpec:
    labels, priors = dict(derived.labels), {}
    prior = np.bincount(columns["item_id"][training], minlength=items.size).astype(np.float32)
    prior[:2] = 0
    for intent in schema.intents:
        if isinstance(intent, CategoryIntent):
            vocabulary = vocabularies[intent.feature]
            labels[intent.name] = vocabulary.tokens
            counts = np.zeros(vocabulary.size, np.float32)
            np.add.at(counts, catalogue[intent.feature], prior[:, None])
            priors[intent.name] = counts[2:]
        else:
            known = columns[intent_column(intent.name)][training]
            priors[intent.name] = np.bincount(known[known >= 0], minlength=len(labels[intent.name])).astype(np.float32)
    try:
        return DataSpec(schema, items, vocabularies, catalogue, labels, ranges, widths, prior, priors)
    except ValueError as error:
        raise DataError(f"schema '{schema.name}': {error}") from None
