"""The record of one user: what preparation writes and training parses, both from the schema.

A record is a ``tf.train.Example`` with flat lists over the user's events, oldest first: ``item_id`` and categorical
features as vocabulary rows, multi-label ones as rows padded to a fixed width, numbers as floats, the intents' labels
under ``intent/<name>``, the loss ``weight`` and the ``split`` (0 train, 1 validation, 2 test).
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from intentrec_tf.data_spec import DataSpec
from intentrec_tf.inputs import Columns


def intent_column(name: str) -> str:
    """Name under which a record holds the labels of an intent."""
    return f"intent/{name}"


def record_columns(spec: DataSpec) -> dict[str, tuple[tf.DType, int]]:
    """dtype and values per event of every column of a record, in a fixed order."""
    columns = {
        "item_id": (tf.int64, 1),
        "timestamp": (tf.int64, 1),
        "split": (tf.int64, 1),
        "weight": (tf.float32, 1),
    }
    for feature in spec.schema.event_features:
        width = spec.event_widths[feature.name] if feature.kind == "multi_label" else 1
        columns[feature.name] = (tf.float32 if feature.kind == "numeric" else tf.int64, width)
    for intent in spec.schema.single_label_intents:
        columns[intent_column(intent.name)] = (tf.int64, 1)
    return columns


def serialize_user(spec: DataSpec, user_id: str, columns: dict[str, np.ndarray]) -> bytes:
    """One user's record; every column is [events] or [events, width]."""
    features = {"user_id": tf.train.Feature(bytes_list=tf.train.BytesList(value=[user_id.encode()]))}
    for name, (dtype, _) in record_columns(spec).items():
        values = columns[name].ravel()
        if dtype == tf.float32:
            features[name] = tf.train.Feature(float_list=tf.train.FloatList(value=values))
        else:
            features[name] = tf.train.Feature(int64_list=tf.train.Int64List(value=values))
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def parse_user(spec: DataSpec, record: tf.Tensor) -> Columns:
    """Columns of one serialized user.

    Returns:
        ``user_id`` string scalar; each column [events] or [events, width]; labels, rows and splits int32,
        ``timestamp`` int64, numbers float32.
    """
    columns = record_columns(spec)
    parsing: dict = {name: tf.io.FixedLenSequenceFeature([], dtype, True) for name, (dtype, _) in columns.items()}
    parsing["user_id"] = tf.io.FixedLenFeature([], tf.string)
    parsed = tf.io.parse_single_example(record, parsing)
    for name, (dtype, width) in columns.items():
        if dtype == tf.int64 and name != "timestamp":
            parsed[name] = tf.cast(parsed[name], tf.int32)
        if name in spec.event_widths:
            parsed[name] = tf.reshape(parsed[name], [-1, width])
    return parsed
