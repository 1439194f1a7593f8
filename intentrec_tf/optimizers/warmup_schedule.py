"""A learning rate that rises, then stays or falls."""

import math

import tensorflow as tf


@tf.keras.utils.register_keras_serializable("intentrec_tf")
class WarmupSchedule(tf.keras.optimizers.schedules.LearningRateSchedule):
    """Linear from ``rate / warmup`` to ``rate``, then constant, or half a cosine down to 0 at step ``last``.

    Args:
        rate: the highest learning rate.
        warmup: steps of the rise.
        last: step at which the rate arrives at 0 (it stays there); None keeps it constant.

    Source: Loshchilov and Hutter 2017 (SGDR), without restarts.
    """

    def __init__(self, rate: float, warmup: int, last: int | None = None) -> None:
        self.rate = rate
        self.warmup = warmup
        self.last = last

    def __call__(self, step):
        done = tf.cast(step, tf.float32)
        rising = tf.minimum((done + 1) / self.warmup, 1.0)
        if self.last is None:
            return self.rate * rising
        share = tf.clip_by_value((done - self.warmup) / max(self.last - self.warmup, 1), 0.0, 1.0)
        return self.rate * rising * 0.5 * (1 + tf.cos(math.pi * share))

    def get_config(self):
        return {"rate": self.rate, "warmup": self.warmup, "last": self.last}
