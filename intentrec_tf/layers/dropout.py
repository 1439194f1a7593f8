"""Dropout that does not slow training down."""

from __future__ import annotations

import random

import tensorflow as tf

from intentrec_tf.layers.random_bits import bernoulli


@tf.keras.utils.register_keras_serializable("intentrec_tf")
class Dropout(tf.keras.layers.Layer):
    """In training, each element is zeroed with probability ``rate``, the others are divided by ``1 - rate``.

    What Keras' layer of this name does, with bits from :mod:`intentrec_tf.layers.random_bits`.  A count of the draws
    so far is a weight of the layer, so a run repeats bit for bit, and a resumed one goes on with the same numbers.

    Args:
        rate: probability in [0, 1).
        seed: 0 <= seed < 2**31; None draws one from Python's generator, which ``tf.keras.utils.set_random_seed`` sets.

    Call argument: float [...].  Returns: the same shape and dtype.

    Source: Srivastava et al. 2014.
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs):
        super().__init__(**kwargs)
        if not 0 <= rate < 1:
            raise ValueError(f"rate must be in [0, 1), got {rate}")
        self.rate = rate
        self.seed = random.getrandbits(31) if seed is None else seed

    def build(self, input_shape):
        self.draws = self.add_weight(name="draws", shape=(), dtype=tf.int32, initializer="zeros", trainable=False)
        super().build(input_shape)

    def call(self, inputs, training=None):
        if not training or self.rate == 0:
            return inputs
        dropped = bernoulli(tf.shape(inputs), self.rate, self.seed, self.draws.assign_add(1))
        return tf.where(dropped, tf.zeros_like(inputs), inputs * (1 / (1 - self.rate)))

    def get_config(self):
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}
