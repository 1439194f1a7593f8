"""SASRec: self-attention over the ids of the history."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from intentrec_tf.data_spec import DataSpec
from intentrec_tf.inputs import keras_inputs
from intentrec_tf.layers import AttentionMask, Dropout, RandomOOV, TimestampEmbedding
from intentrec_tf.models.config import ModelConfig
from intentrec_tf.models.next_item_model import NextItemModel
from intentrec_tf.models.parts import flat_heads, item_embedding, transformer


class SASRec(NextItemModel):
    """Item ids plus learned positions, causal Transformer blocks, tied output; no times, no features, no intents.

    Trained on every position with the full (or sampled) softmax and pre-norm blocks, which is what later studies found
    SASRec to need; the original's one negative per position is not offered.

    Args:
        spec: what the data set is.
        config: what the model is; intents and features of either are not used.

    Source: Kang and McAuley 2018.
    """

    flat_intents = False  # whether there are intent heads beside the item head

    def __init__(self, spec: DataSpec, config: ModelConfig, **kwargs: Any) -> None:
        inputs = keras_inputs(spec)

        # --- layers
        embedding = item_embedding(spec, config, metadata=False)
        positions = TimestampEmbedding(config.dim, "position", False, spec.schema.max_history, name="positions")
        encoder = transformer(config, config.item_blocks, "item_encoder")

        # --- functional graph
        x = embedding(RandomOOV(config.random_oov, name="random_oov")(inputs["item_id"]))
        x = tf.keras.layers.Add(name="placed")([x, positions(inputs["timestamp"], segment=inputs["segment"])])
        x = Dropout(config.dropout, name="input_dropout")(x)
        mask = AttentionMask(name="sequence_mask")(inputs["segment"], timestamp=inputs["timestamp"])
        state = encoder(x, mask=mask)
        outputs: dict[str, Any] = {"intents": {}, "probabilities": {}}
        if self.flat_intents:
            outputs = flat_heads(spec, config, state)

        name = kwargs.pop("name", config.variant.lower())
        super().__init__(spec, config, inputs, {**outputs, "state": state}, embedding, name=name, **kwargs)
        if outputs["intents"]:
            self.intent_model = tf.keras.Model(inputs, outputs, name="intent_model")
