"""Pieces that several graphs are made of."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from intentrec_tf.data_spec import DataSpec
from intentrec_tf.layers import ItemEmbedding, TransformerEncoder
from intentrec_tf.models.config import ModelConfig

layers = tf.keras.layers


def item_embedding(spec: DataSpec, config: ModelConfig, metadata: bool = True) -> ItemEmbedding:
    """The layer that embeds items, with their catalogue features or by id alone."""
    features = []
    for f in spec.schema.item_features if metadata else ():
        minimum, maximum = spec.numeric_ranges.get(f.name, (0.0, 1.0))
        width = spec.catalogue[f.name].shape[1] if f.kind == "multi_label" else 1
        feature = {"name": f.name, "kind": f.kind, "size": spec.feature_size(f), "width": width}
        features.append({**feature, "minimum": minimum, "maximum": maximum})
    return ItemEmbedding(spec.items.size, config.dim, features, config.feature_dim, name="item_embedding")


def transformer(config: ModelConfig, blocks: int, name: str, causal: bool = True) -> TransformerEncoder:
    """An encoder of the configured form."""
    rates = (config.dropout, config.attention_dropout)
    return TransformerEncoder(blocks, config.heads, config.expansion, *rates, causal=causal, name=name)


def intent_names(spec: DataSpec, config: ModelConfig) -> list[str]:
    """Intents of the schema in alphabetical order.

    Raises:
        ValueError: there are none.
    """
    if not spec.schema.intents:
        raise ValueError(f"variant {config.variant} predicts intents, but schema '{spec.schema.name}' declares none")
    return sorted(spec.schema.intent_names)


def intent_heads(spec: DataSpec, config: ModelConfig, state: tf.Tensor) -> dict[str, Any]:
    """One linear head per intent over a state [batch, seq, dim]: ``intents`` (logits) and ``probabilities`` by name.

    Softmax over the labels; independent sigmoids for a multi-label intent with that loss.
    """
    several = {intent.name for intent in spec.schema.category_intents}
    logits, probabilities = {}, {}
    for name in intent_names(spec, config):
        form = config.multi_label_loss if name in several else "softmax"
        logits[name] = layers.Dense(len(spec.intent_labels[name]), name=f"intent.{name}")(state)
        probabilities[name] = layers.Activation(form, name=f"probability.{name}")(logits[name])
    return {"intents": logits, "probabilities": probabilities}
