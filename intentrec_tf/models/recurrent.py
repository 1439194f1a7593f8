"""GRU and LSTM over the ids of the history, with flat intent heads."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from intentrec_tf.data_spec import DataSpec
from intentrec_tf.inputs import keras_inputs
from intentrec_tf.layers import Dropout, RandomOOV, SegmentRNN
from intentrec_tf.models.config import ModelConfig
from intentrec_tf.models.next_item_model import NextItemModel
from intentrec_tf.models.parts import flat_heads, item_embedding


class Recurrent(NextItemModel):
    """Item ids through ``item_blocks`` recurrent layers; item head and one head per intent side by side.

    IntentRec's baselines "GRU" and "LSTM" (arXiv 2408.05353, Table 1); without intents in the schema this is GRU4Rec
    with a full softmax.

    Args:
        spec: what the data set is.
        config: what the model is; ``config.variant`` is GRU or LSTM.

    Source: Hidasi et al. 2016.
    """

    def __init__(self, spec: DataSpec, config: ModelConfig, **kwargs: Any) -> None:
        inputs = keras_inputs(spec)

        # --- layers
        embedding = item_embedding(spec, config, metadata=False)
        stack = [SegmentRNN(config.dim, config.variant, name=f"rnn_{i}") for i in range(config.item_blocks)]
        norm = tf.keras.layers.LayerNormalization(epsilon=1e-6, name="last_norm")

        # --- functional graph
        x = embedding(RandomOOV(config.random_oov, name="random_oov")(inputs["item_id"]))
        for i, rnn in enumerate(stack):
            x = rnn(Dropout(config.dropout, name=f"dropout_{i}")(x), segment=inputs["segment"])
        state = norm(x)
        outputs = flat_heads(spec, config, state)

        super().__init__(
            spec, config, inputs, {**outputs, "state": state}, embedding, name=kwargs.pop("name", "recurrent"), **kwargs
        )
        if outputs["intents"]:
            self.intent_model = tf.keras.Model(inputs, outputs, name="intent_model")
