"""IntentRec: intents first, then items."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import tensorflow as tf

from intentrec_tf.data_spec import DataSpec
from intentrec_tf.inputs import keras_inputs
from intentrec_tf.layers import (
    AttentionMask,
    Dropout,
    EventDistance,
    HistoryMean,
    IntentAggregation,
    TimestampEmbedding,
)
from intentrec_tf.models.config import ModelConfig
from intentrec_tf.models.next_item_model import NextItemModel
from intentrec_tf.models.parts import event_features, intent_heads, item_embedding, transformer

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
            short = _Encoder(config, config.short_term_blocks, "short_term")(features, times, short_mask, near)  # S_k
            features = layers.Concatenate(name="features")([features, short])
        outputs: dict[str, Any] = {"intents": {}, "probabilities": {}}
        item_features = features
        if config.variant in ("V2", "V3"):
            intent_encoder, heads = _Encoder(config, config.intent_blocks, "intent"), intent_heads(spec, config)

            def intents(newest_only: bool = False) -> dict[str, Any]:
                said = heads(intent_encoder(features, times, mask, near, newest_only))  # of E_k
                said["embedding"], said["attention"] = aggregation(list(said["probabilities"].values()))
                return said

            outputs = intents()
            item_features = layers.Concatenate(name="features_and_intent")([features, outputs["embedding"]])
        item_encoder = _Encoder(config, config.item_blocks, "item")
        encoded = item_encoder(item_features, times, mask, near)
        if config.variant == "V1":
            heads = intent_heads(spec, config)
            outputs = heads(encoded)
        history_mean = HistoryMean(config.dim, len(near), name="history_mean") if config.history_mean else None

        def scored(state: tf.Tensor) -> tf.Tensor:
            if history_mean is None:
                return state
            items = embedding(inputs["item_id"])
            return history_mean(state, items=items, item_id=inputs["item_id"], mask=mask, distances=near)

        everything = {**outputs, "state": scored(encoded)}
        if config.variant in ("V2", "V3") and config.auxiliary:
            everything["auxiliary"] = intent_heads(spec, config, "auxiliary")(encoded)["intents"]

        def newest() -> dict[str, Any]:
            alone = item_encoder(item_features, times, mask, near, newest_only=True)
            return {**(heads(alone) if config.variant == "V1" else outputs), "state": scored(alone)}

        kwargs = {"name": "intentrec", "has_query": config.history_mean, **kwargs}
        super().__init__(spec, config, inputs, everything, embedding, **kwargs)
        self.hierarchical = config.variant in ("V2", "V3")
        if config.variant != "V0":
            self.intent_model = tf.keras.Model(inputs, outputs, name="intent_model")
        # functions, not models: Keras looks through all attributes for layers to save, and these share all of theirs
        self._newest_model = cache(lambda: tf.keras.Model(self.input, newest(), name="newest_model"))
        said = partial(intents, newest_only=True) if self.hierarchical else newest
        self._newest_intent_model = cache(lambda: self._intents_of(said()))

    def newest_model(self) -> tf.keras.Model:
        # a repeat head reads the states of all places
        return self if "repeat" in self.output else self._newest_model()

    def newest_intent_model(self) -> tf.keras.Model | None:
        return None if self.intent_model is None else self._newest_intent_model()

    def _intents_of(self, said: dict[str, Any]) -> tf.keras.Model:
        assert self.intent_model is not None
        outputs = {name: said[name] for name in self.intent_model.output}
        return tf.keras.Model(self.input, outputs, name="newest_intent_model")


class _Encoder:
    """``Encoder(Norm(FC(features)) + time)`` with dropout before the encoder, float [batch, seq, dim].

    Calls share their layers.  ``near``: distances that attention may prefer, see :class:`EventDistance`;
    ``newest_only`` gives the last place alone, [batch, 1, dim].
    """

    def __init__(self, config: ModelConfig, blocks: int, name: str) -> None:
        self._dense = layers.Dense(config.dim, name=f"{name}_input")
        self._norm = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_input_norm")
        self._add = layers.Add(name=f"{name}_timed")
        self._dropout = Dropout(config.dropout, name=f"{name}_input_dropout")
        distances = 2 if config.distances else 0
        self._encoder = transformer(config, blocks, f"{name}_encoder", distances=distances, gated=config.gated)

    def __call__(self, features, times, mask, near: list[tf.Tensor], newest_only: bool = False) -> tf.Tensor:
        x = self._dropout(self._add([self._norm(self._dense(features)), times]))
        return self._encoder(x, mask=mask, distances=near, newest_only=newest_only)
