"""What every layer that draws random numbers shares."""

from __future__ import annotations

import random

import tensorflow as tf

from intentrec_tf.layers.random_bits import bernoulli, random_bits
from intentrec_tf.replicas import PER_REPLICA, replica_draw


class RandomLayer(tf.keras.layers.Layer):
    """A seed, and a count of the draws so far among the weights.

    So a run repeats bit for bit, and a resumed one goes on with the same numbers.  Replicas that train together count
    alike and draw different numbers.  Subclasses draw with :meth:`bits` or :meth:`bernoulli`.

    Args:
        seed: 0 <= seed < 2**31; None draws one from Python's generator, which ``tf.keras.utils.set_random_seed`` sets.
    """

    def __init__(self, seed: int | None = None, **kwargs):
        super().__init__(**kwargs)
        self.seed = random.getrandbits(31) if seed is None else seed

    def build(self, input_shape):
        self.draws = self.add_weight(
            name="draws", shape=(), dtype=tf.int32, initializer="zeros", trainable=False, **PER_REPLICA
        )
        super().build(input_shape)

    def bits(self, shape: tf.Tensor | list[int]) -> tf.Tensor:
        """The next draw: uint32 [shape], every bit as likely 0 as 1."""
        return random_bits(shape, self.seed, self._next())

    def bernoulli(self, shape: tf.Tensor | list[int], probability: float) -> tf.Tensor:
        """The next draw: bool [shape], true with a probability."""
        return bernoulli(shape, probability, self.seed, self._next())

    def _next(self) -> tf.Tensor:
        return replica_draw(self.draws.assign_add(1))

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}
