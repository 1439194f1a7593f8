"""The interests of a history as K ways of attending to it."""

from __future__ import annotations

import tensorflow as tf

from intentrec_tf.masking import NEVER


@tf.keras.utils.register_keras_serializable("intentrec_tf")
class InterestAttention(tf.keras.layers.Layer):
    """``A = softmax_i(W2 tanh(W1 (e_i + p_i)))``, ``c_j = sum_i A_ij e_i`` (ComiRec-SA).

    Args:
        count: K.
        hidden_dim: rows of W1.
        max_positions: rows of ``p``, counted back from the newest event; older ones share the last row.

    Call arguments and returns: as of :class:`DifferentiableClustering`; ``weights`` is A, and all K interests exist as
    soon as there is a valid event.

    Source: Cen et al. 2020 (arXiv 2005.09347), section 3.2, self-attentive method.
    """

    def __init__(self, count: int, hidden_dim: int = 256, max_positions: int = 200, **kwargs):
        super().__init__(**kwargs)
        self.count = count
        self.hidden_dim = hidden_dim
        self.max_positions = max_positions

    def build(self, input_shape):
        dim = input_shape[-1]
        self.inner = self.add_weight(name="inner", shape=(dim, self.hidden_dim), initializer="glorot_uniform")
        self.outer = self.add_weight(name="outer", shape=(self.hidden_dim, self.count), initializer="glorot_uniform")
        normal = tf.keras.initializers.RandomNormal(0, 0.02)
        self.positions = self.add_weight(name="positions", shape=(self.max_positions, dim), initializer=normal)
        super().build(input_shape)

    def call(self, events, valid):
        events = tf.where(valid[..., None], events, tf.zeros_like(events))
        back = tf.minimum(tf.range(tf.shape(valid)[1] - 1, -1, -1), self.max_positions - 1)
        placed = events + tf.cast(tf.gather(self.positions, back), events.dtype)
        hidden = tf.tanh(placed @ tf.cast(self.inner, events.dtype))
        logits = tf.cast(hidden @ tf.cast(self.outer, events.dtype), tf.float32)
        allowed = valid[:, :, None]
        weights = tf.where(allowed, tf.nn.softmax(tf.where(allowed, logits, NEVER), axis=1), 0.0)
        interests = tf.matmul(tf.cast(weights, events.dtype), events, transpose_a=True)
        slots = tf.repeat(tf.reduce_any(valid, axis=1)[:, None], self.count, axis=1)
        return {"interests": interests, "slots": slots, "weights": weights}

    def get_config(self):
        config = {"count": self.count, "hidden_dim": self.hidden_dim, "max_positions": self.max_positions}
        return {**super().get_config(), **config}
