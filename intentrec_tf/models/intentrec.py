"""IntentRec: intents first, then items."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from intentrec_tf.data_spec import DataSpec
from intentrec_tf.inputs import keras_inputs
from intentrec_tf.layers import (
    AttentionMask,
    Dropout,
    EventDistance,
    IntentAggregation,
    TimestampEmbedding,
)
from intentrec_tf.models.config import ModelConfig
from intentrec_tf.models.next_item_model import NextItemModel
from intentrec_tf.models.parts import event_features, intent_heads, intent_names, item_embedding, transformer

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
        features = event_features(spec, config, embedding, inputs)  # F_k
        near: list[tf.Tensor] = []
        if config.distances:
            near = EventDistance(name="distance")(inputs["timestamp"], request_time=inputs.get("next_timestamp"))
        if config.variant == "V3":
            recent = AttentionMask(config.short_term_window or spec.schema.short_term_window, name="short_term_mask")
            short_mask = recent(inputs["segment"], timestamp=inputs["timestamp"])
            short = _encode(features, times, short_mask, near, config, config.short_term_blocks, "short_term")  # S_k
            features = layers.Concatenate(name="features")([features, short])
        outputs: dict[str, Any] = {"intents": {}, "probabilities": {}}
        if config.variant in ("V2", "V3"):
            encoded = _encode(features, times, mask, near, config, config.intent_blocks, "intent")  # E_k
            outputs = intent_heads(spec, config, encoded)
            predicted = [outputs["probabilities"][name] for name in intent_names(spec, config)]
            outputs["embedding"], outputs["attention"] = aggregation(predicted)
            features = layers.Concatenate(name="features_and_intent")([features, outputs["embedding"]])
        state = _encode(features, times, mask, near, config, config.item_blocks, "item")
        if config.variant == "V1":
            outputs = intent_heads(spec, config, state)
        everything = {**outputs, "state": state}
        if config.variant in ("V2", "V3") and config.auxiliary:
            everything["auxiliary"] = intent_heads(spec, config, state, "auxiliary")["intents"]

        super().__init__(spec, config, inputs, everything, embedding, name=kwargs.pop("name", "intentrec"), **kwargs)
        self.hierarchical = config.variant in ("V2", "V3")
        if config.variant != "V0":
            self.intent_model = tf.keras.Model(inputs, outputs, name="intent_model")


def _encode(features, times, mask, near, config: ModelConfig, blocks: int, name: str) -> tf.Tensor:
    """``Encoder(Norm(FC(features)) + time)`` with dropout before the encoder, float [batch, seq, dim].

    ``near``: distances that attention may prefer, see :class:`EventDistance`.
    """
    x = layers.Dense(config.dim, name=f"{name}_input")(features)
    x = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_input_norm")(x)
    x = Dropout(config.dropout, name=f"{name}_input_dropout")(layers.Add(name=f"{name}_timed")([x, times]))
    encoder = transformer(config, blocks, f"{name}_encoder", distances=len(near), gated=config.gated)
    return encoder(x, mask=mask, distances=near)
