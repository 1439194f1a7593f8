"""How often items come up in batches, learnt on the way."""

from __future__ import annotations

import tensorflow as tf

from intentrec_tf.replicas import PER_REPLICA, sum_over_replicas
from intentrec_tf.vocabulary import FIRST


@tf.keras.utils.register_keras_serializable("intentrec_tf")
class StreamingFrequency(tf.keras.layers.Layer):
    """Estimates how many times each item is expected in a batch: (mean number of times when it comes) / (mean number
    of steps between two batches with it, or from the beginning to the first one).

    Both are means over the batches that hold the item, at first of all of them (the start counting as one), later
    moving ones, so an estimate follows a change of popularity, and nothing has to be counted beforehand.

    Args:
        vocabulary_size: V.
        rate: least weight of the newest observation in the means.
        first_interval: steps between two batches that an item has before it was ever seen; null takes V over the
            items of the first batch, as if all items were as frequent.

    Call argument: ``rows`` int32 [n], what the batch holds; padding and OOV count for nothing.  In training
    the call first takes them into account, with what other replicas hold of the batch.
    Returns: float32 [n], the estimate for each, positive; before any batch the same for all.

    Source: Yi et al. 2019, Algorithm 2; the number of times is ours: an item that comes several times in every batch
    would otherwise be taken for one that comes once.
    """

    def __init__(self, vocabulary_size: int, rate: float = 0.05, first_interval: float | None = None, **kwargs):
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.rate = rate
        self.first_interval = first_interval

    def build(self, input_shape):
        first = float(self.first_interval or self.vocabulary_size)
        kept = {"shape": (self.vocabulary_size,), "trainable": False, "experimental_autocast": False, **PER_REPLICA}
        self.step = self.add_weight(
            name="step", shape=(), dtype="int32", initializer="zeros", trainable=False, **PER_REPLICA
        )
        self.seen = self.add_weight(name="seen", dtype="int32", initializer="zeros", **kept)  # last step with it
        self.batches = self.add_weight(name="batches", dtype="float32", initializer="zeros", **kept)
        start = tf.keras.initializers.Constant(first)
        self.interval = self.add_weight(name="interval", dtype="float32", initializer=start, **kept)
        self.times = self.add_weight(name="times", dtype="float32", initializer="ones", **kept)
        super().build(input_shape)

    def call(self, rows, training=None):
        if training:
            self._observe(rows)
        return tf.gather(self.times, rows) / tf.gather(self.interval, rows)

    def _observe(self, rows: tf.Tensor) -> None:
        step = self.step.assign_add(1)
        counts = tf.math.unsorted_segment_sum(tf.cast(rows >= FIRST, tf.float32), rows, self.vocabulary_size)
        counts = sum_over_replicas(counts)
        if not self.first_interval:
            usual = self.vocabulary_size / tf.maximum(tf.reduce_sum(counts), 1.0)
            self.interval.assign(tf.where(step == 1, tf.fill(tf.shape(self.interval), usual), self.interval))
        here, before = counts > 0, self.batches
        gap = tf.cast(step - self.seen, tf.float32)
        newest = tf.maximum(self.rate, 1 / (before + 2))
        self.interval.assign(tf.where(here, (1 - newest) * self.interval + newest * gap, self.interval))
        self.times.assign(tf.where(here, (1 - newest) * self.times + newest * counts, self.times))
        self.seen.assign(tf.where(here, step, self.seen))
        self.batches.assign(tf.where(here, before + 1, before))

    def get_config(self):
        config = {"vocabulary_size": self.vocabulary_size, "rate": self.rate, "first_interval": self.first_interval}
        return {**super().get_config(), **config}
