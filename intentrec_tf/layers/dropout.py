"""Dropout that does not slow training down."""

from __future__ import annotations

import tensorflow as tf

from intentrec_tf.layers.random_layer import RandomLayer


@tf.keras.utils.register_keras_serializable("intentrec_tf")
class Dropout(RandomLayer):
    """In training, each element is zeroed with probability ``rate``, the others are divided by ``1 - rate``.

    What Keras' layer of this name does, with bits from :mod:`intentrec_tf.layers.random_bits`.

    Args:
        rate: probability in [0, 1).
        seed: see :class:`RandomLayer`.

    Call argument: float [...].  Returns: the same shape and dtype.

    Source: Srivastava et al. 2014.
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs):
        super().__init__(seed, **kwargs)
        if not 0 <= rate < 1:
            raise ValueError(f"rate must be in [0, 1), got {rate}")
        self.rate = rate

    def call(self, inputs, training=None):
        if not training or self.rate == 0:
            return inputs
        dropped = self.bernoulli(tf.shape(inputs), self.rate)
        return tf.where(dropped, tf.zeros_like(inputs), inputs * (1 / (1 - self.rate)))

    def get_config(self):
        return {**super().get_config(), "rate": self.rate}
