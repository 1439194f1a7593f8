"""IntentRec: intents first, then items."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from intentrec_tf.data_spec import DataSpec
from intentrec_tf.inputs import keras_inputs
from intentrec_tf.layers import (
    AttentionMask,
    Dropout,
    IntentAggregation,
    ItemEmbedding,
    LabelEmbedding,
    NumericScaling,
    RandomOOV,
    TimestampEmbedding,
)
from intentrec_tf.models.config import ModelConfig
from intentrec_tf.models.next_item_model import NextItemModel
from intentrec_tf.models.parts import intent_heads, intent_names, item_embedding, transformer

layers = tf.keras.layers


class IntentRec(NextItemModel):
    """The graph of IntentRec (arXiv 2408.05353), variants V0 to V3, as one functional Keras model.

    Outputs, beside those of :class:`NextItemModel`, for V2 and V3: ``attention`` [batch, seq, M], the importance of
    each intent in alphabetical order, and ``embedding`` Z [batch, seq, intent_dim].  V0 has no intents.

    ``model.intent_model`` is the part up to Z alone; in V2 and V3 it holds nothing of the item encoder (V1 has but one
    encoder).

    Args:
        spec: what the data set is.
        config: what the model is; ``config.variant`` is V0, V1, V2 or V3.
    """

    def __init__(self, spec: DataSpec, config: ModelConfig, **kwargs: Any) -> None:
        inputs = keras_inputs(spec)

        # --- layers (a dot in a name: no feature or intent can have it, so names never clash)
        embedding = item_embedding(spec, config)
        sequence_mask = AttentionMask(name="sequence_mask")
        time = TimestampEmbedding(
            config.dim, config.time_encoding, spec.schema.request_time, spec.schema.max_history, name="time"
        )
        aggregation = IntentAggregation(config.intent_dim, name="intent_aggregation")

        # --- functional graph
        mask = sequence_mask(inputs["segment"], timestamp=inputs["timestamp"])
        times = time(inputs["timestamp"], segment=inputs["segment"], next_timestamp=inputs.get("next_timestamp"))
        features = _event_features(spec, config, embedding, inputs)  # F_k
        if config.variant == "V3":
            recent = AttentionMask(spec.schema.short_term_window, name="short_term_mask")
            short_mask = recent(inputs["segment"], timestamp=inputs["timestamp"])
            short = _encode(features, times, short_mask, config, config.short_term_blocks, "short_term")  # S_k
            features = layers.Concatenate(name="features")([features, short])
        outputs: dict[str, Any] = {"intents": {}, "probabilities": {}}
        if config.variant in ("V2", "V3"):
            encoded = _encode(features, times, mask, config, config.intent_blocks, "intent")  # E_k
            outputs = intent_heads(spec, config, encoded)
            predicted = [outputs["probabilities"][name] for name in intent_names(spec, config)]
            outputs["embedding"], outputs["attention"] = aggregation(predicted)
            features = layers.Concatenate(name="features_and_intent")([features, outputs["embedding"]])
        state = _encode(features, times, mask, config, config.item_blocks, "item")
        if config.variant == "V1":
            outputs = intent_heads(spec, config, state)

        super().__init__(
            spec, config, inputs, {**outputs, "state": state}, embedding, name=kwargs.pop("name", "intentrec"), **kwargs
        )
        self.hierarchical = config.variant in ("V2", "V3")
        if config.variant != "V0":
            self.intent_model = tf.keras.Model(inputs, outputs, name="intent_model")


def _event_features(spec: DataSpec, config: ModelConfig, embedding: ItemEmbedding, inputs: dict) -> tf.Tensor:
    """F_k: item vector and event features side by side."""
    parts = [embedding(RandomOOV(config.random_oov, name="random_oov")(inputs["item_id"]))]
    for f in spec.schema.event_features:
        if f.kind == "numeric":
            layer = NumericScaling(*spec.numeric_ranges[f.name], name=f"event.{f.name}")
        else:
            multi = f.kind == "multi_label"
            layer = LabelEmbedding(spec.feature_size(f), config.feature_dim, multi, name=f"event.{f.name}")
        parts.append(layer(inputs[f.name]))
    return layers.Concatenate(name="event_features")(parts) if len(parts) > 1 else parts[0]


def _encode(features, times, mask, config: ModelConfig, blocks: int, name: str) -> tf.Tensor:
    """``Encoder(Norm(FC(features)) + time)`` with dropout before the encoder, float [batch, seq, dim]."""
    x = layers.Dense(config.dim, name=f"{name}_input")(features)
    x = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_input_norm")(x)
    x = Dropout(config.dropout, name=f"{name}_input_dropout")(layers.Add(name=f"{name}_timed")([x, times]))
    return transformer(config, blocks, f"{name}_encoder")(x, mask=mask)
