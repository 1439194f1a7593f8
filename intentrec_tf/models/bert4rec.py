"""BERT4Rec: fill in the masked items of a history, seen from both sides."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from intentrec_tf.data_spec import DataSpec
from intentrec_tf.inputs import keras_inputs
from intentrec_tf.layers import (
    AppendQuestion,
    AttentionMask,
    Dropout,
    MaskedItems,
    TimestampEmbedding,
)
from intentrec_tf.models.config import ModelConfig
from intentrec_tf.models.next_item_model import NextItemModel
from intentrec_tf.models.parts import item_embedding, transformer

layers = tf.keras.layers


class BERT4Rec(NextItemModel):
    """Item ids, some replaced by a mask vector, learned positions, bidirectional Transformer blocks, tied output.

    Training masks a share ``config.mask_share`` of each sequence at random and predicts what was there.  The question
    "what comes next" is a masked place after the newest event (a history of L events loses its oldest one to it), so
    ``state`` is [batch, min(seq + 1, L), dim] and answers that question at the *last* place only, where histories end.

    Args:
        spec: what the data set is.
        config: what the model is; intents and features of either are not used.

    Source: Sun et al. 2019; trained with the softmax over all items as in Petrov and Macdonald 2022.
    """

    def __init__(self, spec: DataSpec, config: ModelConfig, **kwargs: Any) -> None:
        # --- layers
        embedding = item_embedding(spec, config, metadata=False)
        masked_items = MaskedItems(name="masked_items")
        positions = TimestampEmbedding(config.dim, "position", False, spec.schema.max_history, name="positions")
        encoder = transformer(config, config.item_blocks, "item_encoder", causal=False)

        # --- functional graph of the network: items and which of them are hidden -> states
        item = layers.Input([None], dtype="int32", name="network.item_id")
        hidden = layers.Input([None], dtype="bool", name="network.hidden")
        segment = layers.Input([None], dtype="int32", name="network.segment")
        x = masked_items(embedding(item), hidden=hidden)
        x = layers.Add(name="placed")([x, positions(tf.zeros_like(segment), segment=segment)])
        x = Dropout(config.dropout, name="input_dropout")(x)
        mask = AttentionMask(causal=False, name="sequence_mask")(segment, timestamp=tf.zeros_like(segment))
        network = tf.keras.Model(
            {"item_id": item, "hidden": hidden, "segment": segment}, encoder(x, mask=mask), name="network"
        )

        # --- functional graph of the question
        inputs = keras_inputs(spec)
        question = AppendQuestion(spec.schema.max_history, name="append_question")
        asked = question(inputs["item_id"], segment=inputs["segment"])
        outputs = {"intents": {}, "probabilities": {}, "state": network(asked)}

        super().__init__(spec, config, inputs, outputs, embedding, name=kwargs.pop("name", "bert4rec"), **kwargs)
        self.network = network
        self.masked_items = masked_items

    def step_losses(self, inputs: dict, targets: dict, training: bool) -> dict[str, tf.Tensor]:
        """Loss at masked places of the sequences that the targets form; masks are drawn anew each time."""
        items = targets["item"]
        hidden = self.masked_items.choose(inputs["segment"], self.config.mask_share)
        asked = {"item_id": items, "hidden": hidden, "segment": inputs["segment"]}
        state = self.network(asked, training=training)
        loss = self.item_loss(state, items, tf.where(hidden, targets["weight"], 0.0))
        return {"loss": loss, "item_loss": loss}
