"""What every user had done up to a moment, read from the records batch by batch."""

from __future__ import annotations

import tensorflow as tf

from intentrec_tf.inputs import Columns, assemble_inputs, following
from pipelines.input_fn import user_sequences
from pipelines.prepared import PreparedData


def histories_at(prepared: PreparedData, moment: int, batch: int = 256) -> tf.data.Dataset:
    """Every user with an event at or before a moment, in file order, asked at that moment.

    Args:
        prepared: the data; only one batch of users is in memory.
        moment: unix seconds; the request time of all.
        batch: users at once.

    Returns:
        Batches of ``user_id`` string [batch], ``events`` int32 [batch], how many of the newest events are read (at most
        L), and ``inputs``, the model's, [batch, seq], left-padded, seq being the longest history of the batch.
    """
    spec = prepared.spec
    names = ["item_id", "timestamp", *(feature.name for feature in spec.schema.event_features)]

    def newest_first(user: Columns) -> Columns:
        known = user["timestamp"] <= moment
        kept = {name: user[name][known][-spec.schema.max_history :][::-1] for name in names}
        return {"user_id": user["user_id"], "events": tf.shape(kept["item_id"])[0], "history": kept}

    def asked(users: Columns) -> Columns:
        history = {name: tf.reverse(column, [1]) for name, column in users["history"].items()}
        width = tf.shape(history["item_id"])[1]
        segment = tf.cast(tf.range(width)[None] >= width - users["events"][:, None], tf.int32)
        request = tf.fill(tf.shape(users["events"]), tf.constant(moment, tf.int64))
        after = following(history["timestamp"], segment, request)
        inputs = assemble_inputs(spec, history, segment, after)
        return {"user_id": users["user_id"], "events": users["events"], "inputs": inputs}

    users = user_sequences(prepared).map(newest_first, num_parallel_calls=2).filter(lambda user: user["events"] > 0)
    return users.padded_batch(batch).map(asked, num_parallel_calls=2).prefetch(2)
