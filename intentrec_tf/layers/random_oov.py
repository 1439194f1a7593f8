"""Give the out-of-vocabulary row something to learn from."""

from __future__ import annotations

import tensorflow as tf

from intentrec_tf.layers.random_layer import RandomLayer
from intentrec_tf.vocabulary import FIRST, OOV


@tf.keras.utils.register_keras_serializable("intentrec_tf")
class RandomOOV(RandomLayer):
    """In training, replace each known id by the OOV row with probability ``rate``; identity otherwise.

    Without it a catalogue whose every item was seen in training leaves the OOV row at its random start.

    Args:
        rate: probability in [0, 1).
        seed: see :class:`RandomLayer`.

    Call argument: int32 [...] rows.  Returns: the same shape and dtype.
    """

    def __init__(self, rate: float = 0.01, seed: int | None = None, **kwargs):
        super().__init__(seed, **kwargs)
        self.rate = rate

    def call(self, rows, training=None):
        if not training or self.rate == 0:
            return rows
        hit = self.bernoulli(tf.shape(rows), self.rate) & (rows >= FIRST)
        return tf.where(hit, OOV, rows)

    def get_config(self):
        return {**super().get_config(), "rate": self.rate}
