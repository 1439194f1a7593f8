"""Pieces that all rankers are made of."""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from intentrec_tf.data_spec import DataSpec
from intentrec_tf.inputs import keras_inputs
from intentrec_tf.layers import Dropout, EventAge, ItemEmbedding, TimestampEmbedding, UserSummary
from intentrec_tf.masking import NEVER
from intentrec_tf.models.config import ModelConfig
from intentrec_tf.models.parts import event_features
from intentrec_tf.ranking.config import RankingConfig
from intentrec_tf.vocabulary import FIRST

layers = tf.keras.layers


class Sides(NamedTuple):
    """What a ranker compares.

    Attributes:
        candidates: float [batch, C, dim], item vectors.
        items: float [batch, seq, dim], item vectors of the newest events.
        events: float [batch, seq, dim], the same events with their features and times.
        valid: bool [batch, seq].
        user: float [batch, any]: the events as a whole, the moment of the question, and what the IntentRec model says.
    """

    candidates: tf.Tensor
    items: tf.Tensor
    events: tf.Tensor
    valid: tf.Tensor
    user: tf.Tensor


def ranking_inputs(spec: DataSpec, config: RankingConfig, base: ModelConfig) -> dict[str, Any]:
    """Symbolic inputs: those of :func:`intentrec_tf.inputs.keras_inputs`, a user a row, newest event last;
    ``candidate`` int32 [batch, C]; and of the IntentRec model ``intent`` float32 [batch, intent_dim], ``state`` float32
    [batch, dim] and ``score`` float32 [batch, C], as far as the configuration asks for them."""
    inputs = keras_inputs(spec)
    inputs["candidate"] = layers.Input([None], dtype="int32", name="input.candidate")
    if config.intent:
        inputs["intent"] = layers.Input([base.intent_dim], name="input.intent")
    if config.state:
        inputs["state"] = layers.Input([base.dim], name="input.state")
        inputs["score"] = layers.Input([None], name="input.score")
    return inputs


def sides(
    spec: DataSpec, config: RankingConfig, base: ModelConfig, embedding: ItemEmbedding, inputs: dict[str, Any]
) -> Sides:
    """The part of the graph that is the same in all rankers."""
    given = ("candidate", "intent", "state", "score")
    history = {name: x[:, -config.history :] for name, x in inputs.items() if name not in given}
    segment, timestamp, request = history["segment"], history["timestamp"], history.get("next_timestamp")
    events = layers.Dense(base.dim, name="event")(event_features(spec, base, embedding, history))
    events = layers.LayerNormalization(epsilon=1e-6, name="event_norm")(events)
    time = TimestampEmbedding(base.dim, "timestamp", spec.schema.request_time, name="time")
    times = time(timestamp, segment=segment, next_timestamp=request)
    age = EventAge(name="age")(timestamp, segment=segment, next_timestamp=request)
    user = [UserSummary(name="user")(events, times=times, segment=segment, age=age)]
    user += [inputs[name] for name in ("intent", "state") if name in inputs]
    return Sides(
        candidates=embedding(inputs["candidate"]),
        items=embedding(history["item_id"]),
        events=layers.Add(name="timed")([events, times, layers.Dense(base.dim, name="aged")(age[..., None])]),
        valid=segment > 0,
        user=layers.Concatenate(name="user_features")(user) if len(user) > 1 else user[0],
    )


def beside(user: tf.Tensor, candidates: tf.Tensor) -> tf.Tensor:
    """``user`` float [batch, d] once for each of ``candidates`` [batch, C, any]: float [batch, C, d]."""
    return tf.repeat(user[:, None], tf.shape(candidates)[1], axis=1)


def verdict(config: RankingConfig, features: tf.Tensor, inputs: dict[str, Any]) -> tf.Tensor:
    """Scores float32 [batch, C] from what is known of user and candidate [batch, C, any]; -1e9 for what is no item.

    One hidden layer.  Beside a first ``score`` the last layer starts with zeros, so the ranker starts with that score.
    """
    x = layers.Dense(config.hidden_dim, activation="gelu", name="hidden")(features)
    x = Dropout(config.dropout, name="drop")(x)
    first = "zeros" if "score" in inputs else "glorot_uniform"
    score = layers.Dense(1, kernel_initializer=first, dtype="float32", name="last")(x)[..., 0]
    if "score" in inputs:
        score = layers.Add(name="added", dtype="float32")([score, inputs["score"]])
    return tf.where(inputs["candidate"] >= FIRST, score, NEVER)
