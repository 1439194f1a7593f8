"""The interests of a history as K ways of attending to it."""

from __future__ import annotations

import tensorflow as tf

from intentrec_tf.layers.interest_reader import InterestReader


@tf.keras.utils.register_keras_serializable("intentrec_tf")
class InterestAttention(InterestReader):
    """``A = softmax_i(W2 tanh(W1 (e_i + p_i)))``, ``c_j = sum_i A_ij e_i`` (ComiRec-SA).

    Args:
        count: K.
        hidden_dim: rows of W1.
        max_positions: rows of ``p``, counted back from the newest event; older ones share the last row.

    Call arguments and returns: as of :class:`DifferentiableClustering`; ``weights`` is A, and all K interests exist as
    soon as there is a valid event.

    Source: Cen et al. 2020 (arXiv 2005.09347), section 3.2, self-attentive method.
    """

    def build(self, input_shape):
        dim = input_shape[-1]
        self.inner = self.add_weight(name="inner", shape=(dim, self.hidden_dim), initializer="glorot_uniform")
        self.outer = self.add_weight(name="outer", shape=(self.hidden_dim, self.count), initializer="glorot_uniform")
        super().build(input_shape)

    def call(self, events, valid):
        events, placed = self.place(events, valid)
        hidden = tf.tanh(placed @ tf.cast(self.inner, events.dtype))
        weights, slots = self.weigh(hidden @ tf.cast(self.outer, events.dtype), valid)
        interests = tf.matmul(tf.cast(weights, events.dtype), events, transpose_a=True)
        return {"interests": interests, "slots": slots, "weights": weights}
