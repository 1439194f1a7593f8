"""Pieces that several graphs are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import tensorflow as tf

from intentrec_tf.data_spec import DataSpec
from intentrec_tf.layers import Dropout, ItemEmbedding, LabelEmbedding, NumericScaling, RandomOOV, TransformerEncoder
from intentrec_tf.models.config import ModelConfig

layers = tf.keras.layers


class EmbeddingSizes(Protocol):
    """What a configuration says of embeddings."""

    @property
    def dim(self) -> int: ...
    @property
    def feature_dim(self) -> int: ...
    @property
    def random_oov(self) -> float: ...
    @property
    def id_dropout(self) -> float: ...


def item_embedding(spec: DataSpec, config: EmbeddingSizes, metadata: bool = True) -> ItemEmbedding:
    """The layer that embeds items, with their catalogue features or by id alone.

    Raises:
        ValueError: items are to do without their ids, and have no features.
    """
    if metadata and config.id_dropout and not spec.schema.item_features:
        raise ValueError(f"id_dropout needs item features, and schema '{spec.schema.name}' has none; set it to 0")
    features = []
    for f in spec.schema.item_features if metadata else ():
        minimum, maximum = spec.numeric_ranges.get(f.name, (0.0, 1.0))
        width = spec.catalogue[f.name].shape[1] if f.kind == "multi_label" else 1
        feature = {"name": f.name, "kind": f.kind, "size": spec.feature_size(f), "width": width}
        features.append({**feature, "minimum": minimum, "maximum": maximum})
    id_dropout = config.id_dropout if metadata else 0.0
    return ItemEmbedding(spec.items.size, config.dim, features, config.feature_dim, id_dropout, name="item_embedding")


def transformer(
    config: ModelConfig, blocks: int, name: str, causal: bool = True, distances: int = 0, gated: bool = False
) -> TransformerEncoder:
    """An encoder of the configured form; plain blocks, as the baselines' papers have them, unless asked otherwise."""
    sizes, rates = (blocks, config.heads, config.expansion), (config.dropout, config.attention_dropout)
    return TransformerEncoder(*sizes, *rates, causal=causal, distances=distances, gated=gated, name=name)


def event_features(spec: DataSpec, config: EmbeddingSizes, embedding: ItemEmbedding, inputs: dict) -> tf.Tensor:
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


def tower(config: ModelConfig, features: tf.Tensor, name: str) -> tf.Tensor:
    """MLP of one hidden layer (``expansion * dim``, ReLU, dropout), then Norm: float [batch, seq, dim]."""
    x = layers.Dense(config.expansion * config.dim, activation="relu", name=f"{name}_hidden")(features)
    x = layers.Dense(config.dim, name=f"{name}_out")(Dropout(config.dropout, name=f"{name}_dropout")(x))
    return layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm")(x)


def intent_names(spec: DataSpec, config: ModelConfig) -> list[str]:
    """The intents to predict, in alphabetical order.

    Raises:
        ValueError: there are none, or the configuration names one that the schema does not declare.
    """
    if not spec.schema.intents:
        raise ValueError(f"variant {config.variant} predicts intents, but schema '{spec.schema.name}' declares none")
    names = spec.schema.intent_names
    for name in config.intents or ():
        if name not in names:
            raise ValueError(f"model.intents names '{name}', but schema '{spec.schema.name}' has {', '.join(names)}")
    return sorted(names if config.intents is None else set(config.intents))


def intent_heads(spec: DataSpec, config: ModelConfig, prefix: str = "intent") -> Callable[[tf.Tensor], dict[str, Any]]:
    """One linear head per intent: state [batch, seq, dim] -> ``intents`` (logits) and ``probabilities`` by name.

    Softmax over the labels; independent sigmoids for a multi-label intent with that loss.  Calls share the heads.
    """
    several = {intent.name for intent in spec.schema.category_intents}
    heads, forms = {}, {}
    for name in intent_names(spec, config):
        form = config.multi_label_loss if name in several else "softmax"
        heads[name] = layers.Dense(len(spec.intent_labels[name]), name=f"{prefix}.{name}")
        forms[name] = layers.Activation(form, name=f"{prefix}_probability.{name}")

    def say(state: tf.Tensor) -> dict[str, Any]:
        logits = {name: head(state) for name, head in heads.items()}
        return {"intents": logits, "probabilities": {name: forms[name](x) for name, x in logits.items()}}

    return say


def flat_heads(spec: DataSpec, config: ModelConfig, state: tf.Tensor) -> dict[str, Any]:
    """:func:`intent_heads` where the schema has intents, else empty ``intents`` and ``probabilities``."""
    return intent_heads(spec, config)(state) if spec.schema.intents else {"intents": {}, "probabilities": {}}
