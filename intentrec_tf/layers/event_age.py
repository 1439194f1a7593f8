"""How long ago events were when the question is asked."""

from __future__ import annotations

import tensorflow as tf

SCALE = 16.0


@tf.keras.utils.register_keras_serializable("intentrec_tf")
class EventAge(tf.keras.layers.Layer):
    """``log(1 + seconds between the event and the request) / 16``: about 1 for three months; 0 at padding.

    The request is made at the last place's ``next_timestamp``, without one at the newest event.

    Call arguments: ``timestamp`` int64 [batch, seq] unix seconds, a user a row, newest event last; ``segment`` int32
        [batch, seq]; ``next_timestamp`` int64 [batch, seq] or None.
    Returns: float32 [batch, seq].
    """

    def call(self, timestamp, segment, next_timestamp=None):
        request = (timestamp if next_timestamp is None else next_timestamp)[:, -1:]
        seconds = tf.cast(tf.maximum(request - timestamp, tf.zeros_like(timestamp)), tf.float32)
        return tf.where(segment > 0, tf.math.log1p(seconds) / SCALE, 0.0)
