"""How far apart two events of a history are."""

import tensorflow as tf


@tf.keras.utils.register_keras_serializable("intentrec_tf")
class EventDistance(tf.keras.layers.Layer):
    """``log(1 + k - i)`` in events and ``log(1 + T_k - T_i)`` in seconds, for attention to prefer what is near.

    With a request time, ``T_k`` is the moment of the question, when the next event happens.

    Call arguments: ``timestamp`` int64 [batch, seq], ``request_time`` int64 [batch, seq] or None.
    Returns: a list of two, float32 [1, seq, seq] and [batch, seq, seq]; 0 where ``i > k``.
    """

    def call(self, timestamp, request_time=None):
        index = tf.range(tf.shape(timestamp)[1])
        events = index[None, :, None] - index[None, None, :]
        asked = timestamp if request_time is None else request_time
        seconds = asked[:, :, None] - timestamp[:, None, :]
        return [tf.math.log1p(tf.cast(tf.maximum(d, tf.zeros_like(d)), tf.float32)) for d in (events, seconds)]
