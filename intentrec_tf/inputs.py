"""The inputs of every model, built from the schema, once, for training and for serving."""

from __future__ import annotations

import tensorflow as tf

from intentrec_tf.data_spec import DataSpec

Columns = dict[str, tf.Tensor]


def keras_inputs(spec: DataSpec) -> dict[str, tf.keras.layers.Input]:
    """Symbolic inputs, all [batch, seq] (a multi-label event feature: [batch, seq, width]).

    ``segment`` int32 (0 = padding, else one number per user in the row), ``item_id`` int32 rows, ``timestamp`` int64
    unix seconds, ``next_timestamp`` int64 (with ``schema.request_time``), and one per event feature.  Layer names start
    with ``input.``, which no feature's or layer's name can.
    """
    layers = tf.keras.layers
    inputs = {
        "segment": layers.Input([None], dtype="int32", name="input.segment"),
        "item_id": layers.Input([None], dtype="int32", name="input.item_id"),
        "timestamp": layers.Input([None], dtype="int64", name="input.timestamp"),
    }
    if spec.schema.request_time:
        inputs["next_timestamp"] = layers.Input([None], dtype="int64", name="input.next_timestamp")
    for feature in spec.schema.event_features:
        dtype = "float32" if feature.kind == "numeric" else "int32"
        shape = [None, spec.event_widths[feature.name]] if feature.kind == "multi_label" else [None]
        inputs[feature.name] = layers.Input(shape, dtype=dtype, name=f"input.{feature.name}")
    return inputs


def assemble_inputs(spec: DataSpec, events: Columns, segment: tf.Tensor, next_timestamp: tf.Tensor) -> Columns:
    """Model inputs from looked-up event columns; training and serving both end here.

    Args:
        events: ``item_id`` int32, ``timestamp`` int64 and the event features, each [batch, seq(, width)].
        segment: int32 [batch, seq].
        next_timestamp: int64 [batch, seq], time of the following event, at the last one the request time.

    Returns:
        The dictionary :func:`keras_inputs` describes; padding positions hold zeros whatever came in.
    """
    real = segment > 0
    inputs = {"segment": segment}
    columns = {**events, "next_timestamp": next_timestamp}
    names = ["item_id", "timestamp", *(["next_timestamp"] if spec.schema.request_time else [])]
    for name in (*names, *(f.name for f in spec.schema.event_features)):
        column = columns[name]
        mask = real if column.shape.rank == 2 else real[..., None]
        inputs[name] = tf.where(mask, column, tf.zeros_like(column))
    return inputs


def following(timestamp: tf.Tensor, segment: tf.Tensor, request_time: tf.Tensor) -> tf.Tensor:
    """Time of the next event of the same user; for the last one ``request_time``.

    Args:
        timestamp: int64 [batch, seq].  segment: int32 [batch, seq].  request_time: int64 [batch].

    Returns:
        int64 [batch, seq].
    """
    after = tf.concat([segment[:, 1:], tf.zeros_like(segment[:, :1])], axis=1)
    shifted = tf.concat([timestamp[:, 1:], timestamp[:, :1]], axis=1)
    return tf.where(segment == after, shifted, request_time[:, None])
