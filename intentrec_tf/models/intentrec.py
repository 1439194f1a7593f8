"""IntentRec: intents first, then items."""

from __future__ import annotations

import tensorflow as tf

from intentrec_tf.data_spec import DataSpec
from intentrec_tf.inputs import keras_inputs
from intentrec_tf.layers import (
    AttentionMask,
    IntentAggregation,
    ItemEmbedding,
    ItemHead,
    LabelEmbedding,
    NumericScaling,
    RandomOOV,
    TimestampEmbedding,
    TransformerEncoder,
)
from intentrec_tf.losses import multi_label_cross_entropy, weighted_cross_entropy
from intentrec_tf.models.config import ModelConfig
from intentrec_tf.vocabulary import FIRST

layers = tf.keras.layers


class IntentRec(tf.keras.Model):
    """The graph of IntentRec (arXiv 2408.05353), variants V0 to V3, as one functional Keras model.

    Called on the inputs of :func:`intentrec_tf.inputs.keras_inputs` ([batch, seq]) it returns a dictionary:

    * ``state`` float [batch, seq, dim], what the item head scores;
    * ``intents`` {name: logits [batch, seq, d_i]} of the next event's intents, and ``probabilities`` of the same shapes
      (softmax; sigmoid for a multi-label intent with ``multi_label_loss="sigmoid"``);
    * ``attention`` [batch, seq, M], the importance of each intent in alphabetical order, and ``embedding`` Z
      [batch, seq, intent_dim].

    V0 has no intents, V1 neither attention nor Z.

    ``model.intent_model`` is the part up to Z alone; it shares the weights and, in V2 and V3, holds nothing of the item
    encoder (V1 has but one encoder).

    Training batches are ``(inputs, targets)`` with ``targets["item"]`` int32 [batch, seq] (next item, 0 = none),
    ``targets["weight"]`` float [batch, seq] and one int32 [batch, seq] per single-label intent (-1 = none).

    Args:
        spec: what the data set is.
        config: what the model is.
    """

    def __init__(self, spec: DataSpec, config: ModelConfig, **kwargs):
        if config.variant != "V0" and not spec.schema.intents:
            raise ValueError(
                f"variant {config.variant} predicts intents, but schema '{spec.schema.name}' declares none"
            )
        inputs = keras_inputs(spec)
        hierarchical = config.variant in ("V2", "V3")

        # --- layers (a dot in a name: no feature or intent can have it, so names never clash)
        item_embedding = _item_embedding(spec, config)
        sequence_mask = AttentionMask(name="sequence_mask")
        time = TimestampEmbedding(
            config.dim, config.time_encoding, spec.schema.request_time, spec.schema.max_history, name="time"
        )
        names = sorted(spec.schema.intent_names) if config.variant != "V0" else []
        heads = {name: layers.Dense(len(spec.intent_labels[name]), name=f"intent.{name}") for name in names}
        aggregation = IntentAggregation(config.intent_dim, name="intent_aggregation")

        # --- functional graph
        mask = sequence_mask(inputs["segment"], timestamp=inputs["timestamp"])
        times = time(inputs["timestamp"], segment=inputs["segment"], next_timestamp=inputs.get("next_timestamp"))
        features = _event_features(spec, config, item_embedding, inputs)  # F_k
        if config.variant == "V3":
            recent = AttentionMask(spec.schema.short_term_window, name="short_term_mask")
            short_mask = recent(inputs["segment"], timestamp=inputs["timestamp"])
            short = _encode(features, times, short_mask, config, config.short_term_blocks, "short_term")  # S_k
            features = layers.Concatenate(name="features")([features, short])
        outputs: dict = {"intents": {}, "probabilities": {}}
        if hierarchical:
            encoded = _encode(features, times, mask, config, config.intent_blocks, "intent")  # E_k
            outputs["intents"] = {name: head(encoded) for name, head in heads.items()}
            outputs["probabilities"] = _probabilities(outputs["intents"], spec, config)
            outputs["embedding"], outputs["attention"] = aggregation([outputs["probabilities"][n] for n in names])
            features = layers.Concatenate(name="features_and_intent")([features, outputs["embedding"]])
        state = _encode(features, times, mask, config, config.item_blocks, "item")
        if config.variant == "V1":
            outputs["intents"] = {name: head(state) for name, head in heads.items()}
            outputs["probabilities"] = _probabilities(outputs["intents"], spec, config)

        super().__init__(
            inputs=inputs, outputs={**outputs, "state": state}, name=kwargs.pop("name", "intentrec"), **kwargs
        )

        # --- config and parts
        self.spec = spec
        self.config = config
        self.hierarchical = hierarchical
        self.item_embedding = item_embedding
        self.item_head = ItemHead(
            spec.items.size, config.dim, config.tied, config.similarity, config.temperature, name="item_head"
        )
        self.item_head.build(state.shape)
        self.item_embedding.set_catalogue(spec.catalogue)
        self.intent_model: tf.keras.Model | None = (
            tf.keras.Model(inputs, outputs, name="intent_model") if names else None
        )
        self._label_matrices = {
            intent.name: tf.constant(spec.item_label_matrix(intent)) for intent in spec.schema.category_intents
        }
        self._means = {
            name: tf.keras.metrics.Mean(name=name) for name in ("loss", "item_loss", *(f"{n}_loss" for n in names))
        }

    def item_logits(self, state: tf.Tensor) -> tf.Tensor:
        """Logits of all items, float32 [..., V], for states [..., dim]; padding and OOV are at -1e9."""
        vectors = self.item_embedding.item_vectors() if self.config.tied else None
        return self.item_head(state, item_vectors=vectors)

    def intent_labels(self, name: str, targets: dict[str, tf.Tensor]) -> tf.Tensor:
        """True labels of one intent: int32 [...], or float [..., d_i] for a category intent (from the target item)."""
        if name in self._label_matrices:
            return tf.gather(self._label_matrices[name], targets["item"])
        return targets[name]

    def losses_of(self, outputs: dict, targets: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Eq 3 for the item and each intent, and their total of Eq 4 under ``loss``; scalars."""
        weight = targets["weight"]
        item_target = tf.where(targets["item"] >= FIRST, targets["item"], -1)
        parts = {"item_loss": weighted_cross_entropy(self.item_logits(outputs["state"]), item_target, weight)}
        total = parts["item_loss"]
        for name, logits in outputs["intents"].items():
            labels = self.intent_labels(name, targets)
            if name in self._label_matrices:
                form, average = self.config.multi_label_loss, self.config.average_labels
                loss = multi_label_cross_entropy(logits, labels, weight, form, average)
            else:
                loss = weighted_cross_entropy(logits, labels, weight)
            parts[f"{name}_loss"] = loss
            total += self.config.weight_of(name) * loss
        return {"loss": total, **parts}

    def train_step(self, data):
        inputs, targets = data
        with tf.GradientTape() as tape:
            parts = self.losses_of(self(inputs, training=True), targets)
        self.optimizer.minimize(parts["loss"], self.trainable_variables, tape=tape)
        return self._record(parts)

    def test_step(self, data):
        inputs, targets = data
        parts = self.losses_of(self(inputs, training=False), targets)
        return self._record(parts)

    def _record(self, parts: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        for name, value in parts.items():
            self._means[name].update_state(value)
        return {name: self._means[name].result() for name in parts}

    @property
    def metrics(self):
        return list(self._means.values())


def exclude(scores: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Scores [batch, V] with the items of ``rows`` int32 [batch, any] at ``-inf`` (row 0 is harmless)."""
    batch = tf.broadcast_to(tf.range(tf.shape(rows)[0])[:, None], tf.shape(rows))
    hits = tf.scatter_nd(tf.stack([batch, rows], axis=-1), tf.ones_like(rows), tf.shape(scores))
    return tf.where(hits > 0, -float("inf"), scores)


def _probabilities(logits: dict[str, tf.Tensor], spec: DataSpec, config: ModelConfig) -> dict[str, tf.Tensor]:
    """p_i of every intent: softmax over its labels; independent sigmoids for a multi-label one trained that way."""
    several = {intent.name for intent in spec.schema.category_intents}
    forms = {name: config.multi_label_loss if name in several else "softmax" for name in logits}
    return {name: layers.Activation(forms[name], name=f"probability.{name}")(x) for name, x in logits.items()}


def _item_embedding(spec: DataSpec, config: ModelConfig) -> ItemEmbedding:
    features = []
    for f in spec.schema.item_features:
        minimum, maximum = spec.numeric_ranges.get(f.name, (0.0, 1.0))
        width = spec.catalogue[f.name].shape[1] if f.kind == "multi_label" else 1
        feature = {"name": f.name, "kind": f.kind, "size": spec.feature_size(f), "width": width}
        features.append({**feature, "minimum": minimum, "maximum": maximum})
    return ItemEmbedding(spec.items.size, config.dim, features, config.feature_dim, name="item_embedding")


def _event_features(spec: DataSpec, config: ModelConfig, item_embedding: ItemEmbedding, inputs: dict) -> tf.Tensor:
    """F_k: item vector and event features side by side."""
    parts = [item_embedding(RandomOOV(config.random_oov, name="random_oov")(inputs["item_id"]))]
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
    x = layers.Dropout(config.dropout, name=f"{name}_input_dropout")(layers.Add(name=f"{name}_timed")([x, times]))
    encoder = TransformerEncoder(blocks, config.heads, config.expansion, config.dropout, name=f"{name}_encoder")
    return encoder(x, mask=mask)
