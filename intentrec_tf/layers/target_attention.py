"""What of a history has to do with a candidate."""

from __future__ import annotations

import tensorflow as tf


@tf.keras.utils.register_keras_serializable("intentrec_tf")
class TargetAttention(tf.keras.layers.Layer):
    """``p_c = sum_i a_ci e_i`` over the valid events, with ``a_ci = w . relu(U e_i + V c + P (e_i * c) + b)``.

    The weights are not normalised, so a history that is full of what the candidate is gives a longer vector.  The
    products of all events and candidates are one matrix product for each of the hidden units, so nothing of shape
    [batch, C, seq, dim] is ever made.

    Args:
        hidden_dim: rows of U, V and P.

    Call arguments: ``inputs`` float [batch, C, dim], candidates; ``events`` float [batch, seq, dim]; ``valid`` bool
        [batch, seq].
    Returns: float [batch, C, dim]; zeros for a user without valid events.

    Source: DIN (Zhou et al. 2018, arXiv 1706.06978), section 4.3: local activation without softmax.  There the unit
    sees both vectors and their outer product and is activated by PReLU or Dice; here by ReLU, with the product by
    element.
    """

    def __init__(self, hidden_dim: int = 16, **kwargs):
        super().__init__(**kwargs)
        self.hidden_dim = hidden_dim

    def build(self, input_shape):
        shape = (input_shape[-1], self.hidden_dim)
        self.event_kernel = self.add_weight(name="event_kernel", shape=shape, initializer="glorot_uniform")
        self.candidate_kernel = self.add_weight(name="candidate_kernel", shape=shape, initializer="glorot_uniform")
        self.product_kernel = self.add_weight(name="product_kernel", shape=shape, initializer="glorot_uniform")
        self.bias = self.add_weight(name="bias", shape=(self.hidden_dim,), initializer="zeros")
        normal = tf.keras.initializers.RandomNormal(0, 0.1)
        self.last = self.add_weight(name="last", shape=(self.hidden_dim,), initializer=normal)
        super().build(input_shape)

    def call(self, inputs, events, valid):
        events = tf.cast(tf.where(valid[..., None], events, tf.zeros_like(events)), inputs.dtype)
        batch, seq, dim = tf.shape(events)[0], tf.shape(events)[1], inputs.shape[-1]
        weighted = events[:, :, None] * tf.transpose(self.product_kernel)  # [batch, seq, hidden, dim]
        hidden = tf.matmul(tf.reshape(weighted, [batch, -1, dim]), inputs, transpose_b=True)
        hidden = tf.reshape(hidden, [batch, seq, self.hidden_dim, -1])
        hidden += (events @ self.event_kernel + self.bias)[..., None]
        hidden += tf.transpose(inputs @ self.candidate_kernel, [0, 2, 1])[:, None]
        weights = tf.einsum("bshc,h->bcs", tf.nn.relu(hidden), self.last)
        return weights @ events  # events that are not valid are zeros

    def get_config(self):
        return {**super().get_config(), "hidden_dim": self.hidden_dim}
