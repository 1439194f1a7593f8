"""The repeat head of a model: its part of the graph and of the loss."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from intentrec_tf.data_spec import DataSpec
from intentrec_tf.layers import AttentionMask, EventDistance, ItemEmbedding, ItemRecency, RepeatHead
from intentrec_tf.masking import NEVER
from intentrec_tf.models.config import ModelConfig

UNABLE = ("BERT4Rec", "TransAct")  # no state of every event's past; some events hidden in training


def repeats(spec: DataSpec, config: ModelConfig) -> bool:
    """Whether a model has a repeat head: as configured, else IntentRec where seen items may be recommended.

    Raises:
        ValueError: it is asked for in a variant that cannot have it.
    """
    if config.repeat and config.variant in UNABLE:
        raise ValueError(f"model.repeat: {config.variant} cannot have a repeat head; leave it out")
    if config.repeat is None:
        return config.variant in ("V0", "V1", "V2", "V3") and not spec.schema.exclude_seen
    return config.repeat


def repeat_outputs(
    config: ModelConfig, inputs: dict[str, Any], outputs: dict[str, Any], embedding: ItemEmbedding
) -> dict[str, tf.Tensor]:
    """Outputs of :class:`RepeatHead` over a model's state, and Z where there is one."""
    segment, timestamp = inputs["segment"], inputs["timestamp"]
    mask = AttentionMask(name="repeat_mask")(segment, timestamp=timestamp)
    distances = EventDistance(name="repeat_distance")(timestamp, request_time=inputs.get("next_timestamp"))
    state = outputs["state"]
    if "embedding" in outputs:
        state = tf.keras.layers.Concatenate(name="state_and_intent")([state, outputs["embedding"]])
    items = embedding(inputs["item_id"])
    if config.repeat_recency:
        distances += ItemRecency(name="repeat_recency")(inputs["item_id"], mask=mask)
    return RepeatHead(config.dim, len(distances), config.repeat_recency, name="repeat_head")(
        state, items=items, item_id=inputs["item_id"], segment=segment, mask=mask, distances=distances
    )


def repeat_mixture(repeat: dict[str, tf.Tensor], targets: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """``(log(1 - r), log(r * probability of pointing at the target))``, float32 [batch, seq] each.

    Args:
        repeat: outputs of :class:`RepeatHead`.
        targets: int32 [batch, seq] true next items.
    """
    same = repeat["item_id"][:, None, :] == targets[:, :, None]
    pointer = repeat["pointer"]
    hit = tf.reduce_logsumexp(tf.where(same, pointer, NEVER), axis=-1) - tf.reduce_logsumexp(pointer, axis=-1)
    return tf.math.log_sigmoid(-repeat["share"]), tf.math.log_sigmoid(repeat["share"]) + hit
