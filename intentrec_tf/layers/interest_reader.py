"""What the layers share that read a history in K ways at once."""

from __future__ import annotations

import tensorflow as tf

from intentrec_tf.masking import masked_softmax


class InterestReader(tf.keras.layers.Layer):
    """Positions counted back from the newest event, and weights of K readings over the valid events.

    Args:
        count: K.
        hidden_dim: of the subclass's hidden layer.
        max_positions: rows of the position table; older events share the last row.
    """

    def __init__(self, count: int, hidden_dim: int = 256, max_positions: int = 200, **kwargs):
        super().__init__(**kwargs)
        self.count = count
        self.hidden_dim = hidden_dim
        self.max_positions = max_positions

    def build(self, input_shape):
        normal = tf.keras.initializers.RandomNormal(0, 0.02)
        shape = (self.max_positions, input_shape[-1])
        self.positions = self.add_weight(name="positions", shape=shape, initializer=normal)
        super().build(input_shape)

    def place(self, events: tf.Tensor, valid: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The events [batch, seq, dim] with zeros where not valid, without and with their positions."""
        events = tf.where(valid[..., None], events, tf.zeros_like(events))
        back = tf.minimum(tf.range(tf.shape(valid)[1] - 1, -1, -1), self.max_positions - 1)
        return events, events + tf.cast(tf.gather(self.positions, back), events.dtype)

    def weigh(self, logits: tf.Tensor, valid: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Softmax over the valid events, float32 [batch, seq, K] (zeros without any), and the slots, bool [batch, K]:
        all K as soon as there is a valid event."""
        weights = masked_softmax(tf.cast(logits, tf.float32), valid[:, :, None], axis=1)
        return weights, tf.repeat(tf.reduce_any(valid, axis=1)[:, None], self.count, axis=1)

    def get_config(self):
        config = {"count": self.count, "hidden_dim": self.hidden_dim, "max_positions": self.max_positions}
        return {**super().get_config(), **config}
