"""Give the out-of-vocabulary row something to learn from."""

from __future__ import annotations

import random

import tensorflow as tf

from intentrec_tf.layers.random_bits import bernoulli
from intentrec_tf.vocabulary import FIRST, OOV


@tf.keras.utils.register_keras_serializable("intentrec_tf")
class RandomOOV(tf.keras.layers.Layer):
    """In training, replace each known id by the OOV row with probability ``rate``; identity otherwise.

    Without it a catalogue whose every item was seen in training leaves the OOV row at its random start.

    Args:
        rate: probability in [0, 1).
        seed: 0 <= seed < 2**31; None draws one, see :class:`intentrec_tf.layers.Dropout`.

    Call argument: int32 [...] rows.  Returns: the same shape and dtype.
    """

    def __init__(self, rate: float = 0.01, seed: int | None = None, **kwargs):
        super().__init__(**kwargs)
        self.rate = rate
        self.seed = random.getrandbits(31) if seed is None else seed

    def build(self, input_shape):
        self.draws = self.add_weight(name="draws", shape=(), dtype=tf.int32, initializer="zeros", trainable=False)
        super().build(input_shape)

    def call(self, rows, training=None):
        if not training or self.rate == 0:
            return rows
        hit = bernoulli(tf.shape(rows), self.rate, self.seed, self.draws.assign_add(1)) & (rows >= FIRST)
        return tf.where(hit, OOV, rows)

    def get_config(self):
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}
