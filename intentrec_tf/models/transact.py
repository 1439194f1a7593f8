"""TransAct: a short Transformer over actions, read out as its newest rows and its maximum."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from intentrec_tf.data_spec import DataSpec
from intentrec_tf.inputs import keras_inputs
from intentrec_tf.layers import AttentionMask, Dropout, HideRecent, RecentRows, SegmentPool, TransformerEncoder
from intentrec_tf.models.config import ModelConfig
from intentrec_tf.models.next_item_model import NextItemModel
from intentrec_tf.models.parts import event_features, flat_heads, item_embedding, tower

layers = tf.keras.layers
HEADS, FFN_DIM, NEWEST = 1, 32, 10


class TransAct(NextItemModel):
    """TransAct's user part, adapted to the next item and to intents as IntentRec's authors compared with it.

    Rows are the event's features (its action) beside its item vector with metadata, projected to ``dim``;
    ``item_blocks`` Transformer blocks of one head and FFN width 32, no positions, no times; the last 10 rows and a
    linear map of the running maximum, through an MLP; item head and one head per intent (if the schema has any) side
    by side.  In training a random window of up to ``hidden_window`` before the request is hidden, see
    :class:`HideRecent`; the request is made at ``next_timestamp`` if the schema has a request time, else at the event.

    Where most of a history happens within a day (MovieLens: ratings entered at once) such a window leaves most
    positions without any event in training; ``hidden_window=null`` is then the fairer baseline.

    What differs from the original: there is no candidate among the inputs, since all items are scored; every position
    of a sequence is a request, hence causal attention, and hidden events count for nothing instead of being masked as
    keys only; the newest 10 rows are those of visible events; blocks are pre-norm.

    Args:
        spec: what the data set is.
        config: what the model is; ``heads`` and times are not used.

    Source: Xia et al. 2023 (arXiv 2306.00248); IntentRec (arXiv 2408.05353), Table 1.
    """

    def __init__(self, spec: DataSpec, config: ModelConfig, **kwargs: Any) -> None:
        inputs = keras_inputs(spec)
        segment, timestamp = inputs["segment"], inputs["timestamp"]

        # --- layers
        embedding = item_embedding(spec, config)
        encoder = TransformerEncoder(
            config.item_blocks,
            HEADS,
            dropout=config.dropout,
            attention_dropout=config.attention_dropout,
            ffn_dim=FFN_DIM,
            name="item_encoder",
        )
        maximum = SegmentPool("max", name="maximum")
        newest = RecentRows(NEWEST, name="newest_rows")
        hide = HideRecent(config.hidden_window or 0, name="hide_recent")

        # --- functional graph
        x = layers.Dense(config.dim, name="rows")(event_features(spec, config, embedding, inputs))
        x = Dropout(config.dropout, name="input_dropout")(x)
        x = encoder(x, mask=AttentionMask(name="sequence_mask")(segment, timestamp=timestamp))
        pooled = layers.Dense(config.dim, name="pooled")(maximum(x, segment=segment))
        x = layers.Concatenate(name="read_out")([newest(x, segment=segment), pooled])
        state = tower(config, x, "user")
        state = hide(state, segment=segment, timestamp=timestamp, request=inputs.get("next_timestamp", timestamp))
        outputs = flat_heads(spec, config, state)

        super().__init__(
            spec, config, inputs, {**outputs, "state": state}, embedding, name=kwargs.pop("name", "transact"), **kwargs
        )
        if outputs["intents"]:
            self.intent_model = tf.keras.Model(inputs, outputs, name="intent_model")
