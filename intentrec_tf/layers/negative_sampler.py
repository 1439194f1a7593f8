"""Items to compare the true one with, when all are too many."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

from intentrec_tf.layers.random_layer import RandomLayer
from intentrec_tf.vocabulary import FIRST


@tf.keras.utils.register_keras_serializable("intentrec_tf")
class NegativeSampler(RandomLayer):
    """Draws items with replacement, half of them uniformly and half by how often training saw them.

    The uniform half keeps rare items in view, the other half finds the ones that are hard to beat.  The same items
    serve a whole batch.

    Args:
        count: items a draw.
        vocabulary_size: V, padding and OOV included (they are never drawn).
        seed: see :class:`RandomLayer`.

    Call argument: ``true`` int32 [N] rows.
    Returns: int32 [N + count] the true rows and then the drawn ones; and, float32 [count], ``log(count * q(row))`` of
    the drawn ones: the logarithm of how often each is expected in a draw, to be subtracted from its logit (logQ).

    Source: mixed negative sampling, Yang et al. 2020; logQ, Bengio and Senecal 2008.
    """

    def __init__(self, count: int, vocabulary_size: int, seed: int | None = None, **kwargs):
        super().__init__(seed, **kwargs)
        self.count = count
        self.vocabulary_size = vocabulary_size

    def build(self, input_shape):
        shape = (self.vocabulary_size - FIRST,)
        frozen = {"trainable": False, "dtype": "float32", "experimental_autocast": False}
        self.shares = self.add_weight(name="shares", shape=shape, initializer="zeros", **frozen)
        self.cumulated = self.add_weight(name="cumulated", shape=shape, initializer="zeros", **frozen)
        self.set_counts(np.ones(self.vocabulary_size))
        super().build(input_shape)

    def set_counts(self, counts: np.ndarray) -> None:
        """Say how often training saw each row, float [V]; uniform if it saw none.  The layer must be built."""
        seen = np.asarray(counts, np.float64)[FIRST:]
        seen = seen / seen.sum() if seen.sum() else np.full(len(seen), 1 / len(seen))
        self.shares.assign(seen.astype(np.float32))
        self.cumulated.assign(np.cumsum(seen).astype(np.float32))

    def call(self, true):
        items = self.vocabulary_size - FIRST
        bits = self.bits([self.count])
        numbers = tf.cast(tf.bitwise.right_shift(bits, tf.constant(8, tf.uint32)), tf.float32) * 2.0**-24  # [0, 1)
        half = self.count // 2
        uniform = tf.cast(numbers[:half] * items, tf.int32)
        popular = _search(self.cumulated, numbers[half:] * self.cumulated[-1])
        rows = tf.minimum(tf.concat([uniform, popular], axis=0), items - 1)
        share = half / self.count
        probability = share / items + (1 - share) * tf.gather(self.shares, rows)
        return tf.concat([true, rows + FIRST], axis=0), tf.math.log(probability) + math.log(self.count)

    def get_config(self):
        config = {"count": self.count, "vocabulary_size": self.vocabulary_size}
        return {**super().get_config(), **config}


def _search(ascending: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """First place whose entry exceeds each value, int32; by bisection (XLA's ``searchsorted`` compares with all)."""
    low = tf.zeros(tf.shape(values), tf.int32)
    high = tf.fill(tf.shape(values), ascending.shape[0])
    for _ in range(ascending.shape[0].bit_length()):
        middle = (low + high) // 2
        further = tf.gather(ascending, tf.minimum(middle, ascending.shape[0] - 1)) <= values
        low, high = tf.where(further & (low < high), middle + 1, low), tf.where(further, high, middle)
    return low
