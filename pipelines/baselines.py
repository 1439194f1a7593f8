"""Scores without a model, to stand beside the model's."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from intentrec_tf.inputs import Columns
from intentrec_tf.metrics.ranking import ScoreChunk
from pipelines.prepared import PreparedData
from pipelines.split import TRAIN

Scorer = Callable[[Columns], ScoreChunk]
RECENT_SHARE = 0.1


def popularity(prepared: PreparedData) -> Scorer:
    """Training events per item."""
    return _constant(prepared.spec.item_prior)


def recent_popularity(prepared: PreparedData) -> Scorer:
    """Events per item among the newest tenth of the training events, all training events breaking ties."""
    events, vocabulary = prepared.events, prepared.spec.items
    training = events[events["split"] == TRAIN]
    newest = training[training["timestamp"] >= training["timestamp"].quantile(1 - RECENT_SHARE)]
    counts = np.bincount(vocabulary.lookup(newest["item_id"].tolist()), minlength=vocabulary.size)
    return _constant(counts + _share(prepared.spec.item_prior))


def most_recent(prepared: PreparedData) -> Scorer:
    """The user's own items, newest first, then the popular ones.  Means nothing where seen items are excluded."""
    prior = tf.constant(_share(prepared.spec.item_prior), tf.float32)

    def score(inputs: Columns) -> ScoreChunk:
        items = inputs["item_id"]
        batch, length = tf.shape(items)[0], tf.shape(items)[1]
        users = tf.broadcast_to(tf.range(batch)[:, None], tf.shape(items))
        places = tf.broadcast_to(tf.cast(tf.range(length)[None] + 1, tf.float32), tf.shape(items))

        def chunk(start: tf.Tensor, stop: tf.Tensor) -> tf.Tensor:
            scores = tf.tile(prior[None, start:stop], [batch, 1])
            inside = (items >= start) & (items < stop)
            index = tf.stack([users, tf.where(inside, items - start, 0)], axis=-1)
            return tf.tensor_scatter_nd_max(scores, index, tf.where(inside, places, 0.0))

        return chunk

    return score


def content_popularity(prepared: PreparedData) -> Scorer:
    """How popular the items are that an item shares its labels with: a popularity of items that nobody has met yet.

    Each label's training events per trained item that has it, over those of all items; the logarithm's mean over the
    labels of a feature, summed over the features.  Equal scores are told apart by chance, with a fixed seed.
    """
    spec = prepared.spec
    trained = spec.item_prior > 0
    usual = spec.item_prior.sum() / max(trained.sum(), 1)
    scores = np.zeros(spec.items.size)
    for feature in spec.schema.item_features:
        if feature.kind == "numeric":
            continue
        labels = spec.catalogue[feature.name].reshape(spec.items.size, -1)
        events, items = np.zeros((2, spec.feature_size(feature)))
        np.add.at(events, labels[trained], spec.item_prior[trained, None])
        np.add.at(items, labels[trained], 1)
        gain = np.where(items > 0, np.log(np.maximum(events, 1) / np.maximum(items, 1) / usual), 0.0)
        there = labels > 0
        scores += (gain[labels] * there).sum(axis=1) / np.maximum(there.sum(axis=1), 1)
    chance = np.random.default_rng(0).random(len(scores))
    return _constant(np.lexsort((chance, scores)).argsort())  # places, so that float32 keeps all apart


def baselines(prepared: PreparedData) -> dict[str, Scorer]:
    """The baselines that make sense for the data, by name."""
    chosen = {"popularity": popularity(prepared), "recent popularity": recent_popularity(prepared)}
    if not prepared.spec.schema.exclude_seen:
        chosen["most recent items"] = most_recent(prepared)
    return chosen


def _share(counts: np.ndarray) -> np.ndarray:
    return counts / (counts.sum() + 1)


def _constant(values: np.ndarray) -> Scorer:
    row = tf.constant(values[None], tf.float32)
    return lambda inputs: lambda start, stop: tf.tile(row[:, start:stop], [tf.shape(inputs["item_id"])[0], 1])
