"""The user's side: from a history, and topics, to the user's queries."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from intentrec_tf.data_spec import DataSpec
from intentrec_tf.layers import (
    AttentionMask,
    DifferentiableClustering,
    DynamicRouting,
    EventAge,
    EventDistance,
    InterestAttention,
    InterestCrossing,
    InterestTokens,
    ItemEmbedding,
    ItemTower,
    LabelEmbedding,
    MemberPooling,
    TimestampEmbedding,
    TransformerEncoder,
    UserSummary,
)
from intentrec_tf.models.parts import event_features
from intentrec_tf.retrieval.config import RetrievalConfig
from intentrec_tf.vocabulary import FIRST

layers = tf.keras.layers


def user_tower(
    spec: DataSpec, config: RetrievalConfig, embedding: ItemEmbedding, item_tower: ItemTower, inputs: dict
) -> dict[str, Any]:
    """The functional graph.

    Args:
        spec: what the data set is.
        config: what the model is.
        embedding: of the history's items.
        item_tower: of the items that are searched, for ``config.members``.
        inputs: of :func:`intentrec_tf.inputs.keras_inputs`, a user a row, newest event last; for ``conditional`` also
            ``topic`` int32 [batch, K], rows of the topics' vocabulary (0 = none).

    Returns:
        ``queries`` float32 [batch, K, dim] of length 1, ``slots`` bool [batch, K] (which of them count), ``mass``
        float32 [batch, K], how much of the history each stands for (of ``whole_user`` the first one for all of it).
        Whoever has no slot, for want of events, gets the first one all the same: the user as a whole.
    """
    inputs = {name: x if name == "topic" else x[:, -config.history :] for name, x in inputs.items()}
    segment, timestamp, request = inputs["segment"], inputs["timestamp"], inputs.get("next_timestamp")
    features = event_features(spec, config, embedding, inputs)
    events = layers.Dense(config.hidden_dim, activation="gelu", name="event_hidden")(features)
    events = layers.Dense(config.dim, name="event")(events)
    time = TimestampEmbedding(config.dim, "timestamp", spec.schema.request_time, name="time")
    times = time(timestamp, segment=segment, next_timestamp=request)
    age = EventAge(name="age")(timestamp, segment=segment, next_timestamp=request)
    user = UserSummary(name="user")(events, times=times, segment=segment, age=age)
    if config.blocks:
        user = layers.Concatenate(name="user_and_state")([user, _newest_state(config, inputs, events, times)])
    crossing = InterestCrossing(config.dim, config.hidden_dim, config.crosses, config.dropout, name="crossing")
    valid = _valid(spec, config, inputs)
    members = item_tower(embedding(inputs["item_id"])) if config.members else None
    pooling = MemberPooling(config.hidden_dim // 4, name="start")
    attention = {}
    if config.member_attention:
        attention = {"keys": _attention_keys(inputs, events, times, age), "user": user}

    def start(weights: tf.Tensor) -> tf.Tensor | None:
        return None if members is None else pooling(members, weights=weights, **attention)

    if config.interests == "single":
        one = tf.ones_like(segment[:, -1], tf.float32)[:, None]
        queries = crossing(user, start=start(tf.cast(valid, tf.float32)[..., None]))
        return {"queries": queries, "slots": one > 0, "mass": one}
    if config.interests == "conditional":
        slots, size = inputs["topic"] > 0, _topics(spec)
        topics = LabelEmbedding(size, config.dim, name="topic")(inputs["topic"])
        queries = crossing(user, interests=topics, start=start(_with_topic(spec, inputs, valid)))
        return {"queries": queries, "slots": slots, "mass": tf.cast(slots, tf.float32)}
    found = _interests(config)(events, valid=valid)
    interests, slots, weights = found["interests"], found["slots"], found["weights"]
    if config.whole_user:
        everything = tf.cast(valid, weights.dtype)[..., None]
        interests = tf.pad(interests, [[0, 0], [1, 0], [0, 0]])
        slots = tf.pad(slots, [[0, 0], [1, 0]], constant_values=True)
        weights = tf.concat([everything, weights], axis=-1)
    queries = crossing(user, interests=interests, weights=weights, age=age, start=start(weights))
    first = tf.range(config.count) == 0
    slots |= first & ~tf.reduce_any(slots, axis=1, keepdims=True)
    return {"queries": queries, "slots": slots, "mass": tf.reduce_sum(weights, axis=1)}


def _attention_keys(inputs: dict, events: tf.Tensor, times: tf.Tensor, age: tf.Tensor) -> tf.Tensor:
    """What each event was, when, and how far back it lies, float [batch, seq, d]; see :class:`MemberPooling`."""
    back = tf.range(tf.shape(inputs["segment"])[1], 0, -1)  # 1 at the newest event
    back = tf.where(inputs["segment"] > 0, tf.math.log1p(tf.cast(back, tf.float32))[None], 0.0)
    return layers.Concatenate(name="keys")([events, times, age[..., None], back[..., None]])


def _newest_state(config: RetrievalConfig, inputs: dict, events: tf.Tensor, times: tf.Tensor) -> tf.Tensor:
    """What a causal encoder says at the newest event, float [batch, dim]; zeros where there is none."""
    mask = AttentionMask(name="mask")(inputs["segment"], timestamp=inputs["timestamp"])
    near = EventDistance(name="distance")(inputs["timestamp"], request_time=inputs.get("next_timestamp"))
    timed = layers.Add(name="timed")([layers.LayerNormalization(epsilon=1e-6, name="event_norm")(events), times])
    encoder = TransformerEncoder(
        config.blocks, config.heads, dropout=config.dropout, distances=len(near), gated=True, name="user_encoder"
    )
    state = encoder(timed, mask=mask, distances=near, newest_only=True)[:, 0]
    return state * tf.cast(inputs["segment"][:, -1:] > 0, state.dtype)


def _topics(spec: DataSpec) -> int:
    """Rows of the topics' vocabulary.

    Raises:
        ValueError: the schema has no topics that users declare.
    """
    name = spec.schema.explicit_interests
    if name is None:
        raise ValueError(f"interests 'conditional' need explicit_interests, which schema '{spec.schema.name}' has not")
    return spec.vocabularies[name].size


def _with_topic(spec: DataSpec, inputs: dict, valid: tf.Tensor) -> tf.Tensor:
    """Which events are of items that have a topic, float32 [batch, seq, K] of zeros and ones."""
    name = spec.schema.explicit_interests
    assert name is not None
    labels = tf.gather(tf.constant(spec.catalogue[name].reshape(spec.items.size, -1)), inputs["item_id"])
    has = tf.reduce_any(labels[:, :, None, :] == inputs["topic"][:, None, :, None], axis=-1)
    return tf.cast(has & valid[..., None] & (inputs["topic"] > 0)[:, None], tf.float32)


def _interests(config: RetrievalConfig) -> tf.keras.layers.Layer:
    if config.interests == "dcm":
        return DifferentiableClustering(
            config.found_interests,
            config.iterations,
            config.farthest_start,
            config.single_assignment,
            config.sharpness,
            name="interests",
        )
    if config.interests == "mind":
        return DynamicRouting(config.found_interests, config.iterations, name="interests")
    kind = InterestAttention if config.interests == "comirec" else InterestTokens
    return kind(config.found_interests, 2 * config.hidden_dim, config.history, name="interests")


def _valid(spec: DataSpec, config: RetrievalConfig, inputs: dict) -> tf.Tensor:
    """Which events say what the user is interested in, bool [batch, seq].

    Raises:
        ValueError: ``config.ignored`` names a feature or label that there is not.
    """
    valid = (inputs["segment"] > 0) & (inputs["item_id"] >= FIRST)
    kinds = {feature.name: feature.kind for feature in spec.schema.event_features}
    for name, labels in config.ignored.items():
        if kinds.get(name) != "categorical":
            raise ValueError(f"ignored names '{name}', which is no categorical event feature")
        for label in labels:
            if label not in spec.vocabularies[name].tokens:
                raise ValueError(f"ignored names '{label}', which '{name}' never is in training")
            valid &= inputs[name] != int(spec.vocabularies[name].lookup([label])[0])
    return valid
