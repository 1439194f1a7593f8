"""The interests of a history as learned tokens that read it."""

from __future__ import annotations

import math

import tensorflow as tf

from intentrec_tf.layers.interest_reader import InterestReader

layers = tf.keras.layers


@tf.keras.utils.register_keras_serializable("intentrec_tf")
class InterestTokens(InterestReader):
    """K learned tokens attend to the events: ``c_j = t_j + W_o sum_i softmax_i(q_j . k_i) v_i``, then an MLP.

    One pre-norm cross-attention block with a single head.

    Args:
        count: K.
        hidden_dim: of the MLP.
        max_positions: rows of the position table, counted back from the newest event; older ones share the last row.

    Call arguments and returns: as of :class:`DifferentiableClustering`; ``weights`` are the attention weights, and all
    K interests exist as soon as there is a valid event.

    Source: the "interest tokens" that Fan et al. 2025 (arXiv 2506.23060) compare with; they give no form, this is ours.
    """

    def build(self, input_shape):
        dim = input_shape[-1]
        self.tokens = self.add_weight(name="tokens", shape=(self.count, dim), initializer="glorot_uniform")
        self.norms = [layers.LayerNormalization(epsilon=1e-6, name=name) for name in ("events_norm", "hidden_norm")]
        self.key_value = layers.Dense(2 * dim, use_bias=False, name="key_value")
        self.query = layers.Dense(dim, use_bias=False, name="query")
        self.out = layers.Dense(dim, name="out")
        self.hidden = layers.Dense(self.hidden_dim, activation="gelu", name="hidden")
        self.last = layers.Dense(dim, name="last")
        for layer in (*self.norms, self.key_value, self.query, self.out, self.hidden):
            layer.build([None, None, dim])
        self.last.build([None, None, self.hidden_dim])
        super().build(input_shape)

    def call(self, events, valid):
        events, placed = self.place(events, valid)
        key, value = tf.split(self.key_value(self.norms[0](placed)), 2, axis=-1)
        query = self.query(tf.cast(self.tokens, events.dtype)[None])
        logits = tf.matmul(key, query, transpose_b=True) / math.sqrt(events.shape[-1])
        weights, slots = self.weigh(logits, valid)
        read = self.out(tf.matmul(tf.cast(weights, value.dtype), value, transpose_a=True))
        tokens = tf.cast(self.tokens, read.dtype)[None] + read
        interests = tokens + self.last(self.hidden(self.norms[1](tokens)))
        return {"interests": tf.where(slots[..., None], interests, 0), "slots": slots, "weights": weights}
