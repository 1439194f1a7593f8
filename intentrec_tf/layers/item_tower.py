"""The item's side of two towers."""

from __future__ import annotations

import tensorflow as tf

layers = tf.keras.layers


@tf.keras.utils.register_keras_serializable("intentrec_tf")
class ItemTower(tf.keras.layers.Layer):
    """``psi(i) = normalise(v_i + W2 GELU(W1 v_i))``: vectors of length 1.

    Args:
        hidden_dim: rows of W1.

    Call argument: item vectors, float [..., dim].  Returns: float32 [..., dim].
    """

    def __init__(self, hidden_dim: int = 128, **kwargs):
        super().__init__(**kwargs)
        self.hidden_dim = hidden_dim

    def build(self, input_shape):
        self.hidden = layers.Dense(self.hidden_dim, activation="gelu", name="hidden")
        self.hidden.build(input_shape)
        self.last = layers.Dense(input_shape[-1], name="last")
        self.last.build([None, self.hidden_dim])
        super().build(input_shape)

    def call(self, vectors):
        moved = tf.cast(vectors, tf.float32) + tf.cast(self.last(self.hidden(vectors)), tf.float32)
        return tf.math.l2_normalize(moved, axis=-1, epsilon=1e-9)

    def get_config(self):
        return {**super().get_config(), "hidden_dim": self.hidden_dim}
