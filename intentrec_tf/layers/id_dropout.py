"""Let what the catalogue says of an item stand alone, now and then."""

from __future__ import annotations

import tensorflow as tf

from intentrec_tf.layers.random_layer import RandomLayer


@tf.keras.utils.register_keras_serializable("intentrec_tf")
class IdDropout(RandomLayer):
    """Which items go by their own id: all that training saw, but in training each not with probability ``rate``.

    An item that does not is what its catalogue features say of it, as one that nobody has met yet.  Every call draws
    anew, one number for each item, so that an item without its id is compared with items that have theirs.

    Args:
        rate: probability in [0, 1).
        seed: see :class:`RandomLayer`.

    Call argument: bool [V], whether training saw each item.  Returns: bool [V].

    Source: DropoutNet (Volkovs et al. 2017), which drops a whole input as if it were missing.
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs):
        super().__init__(seed, **kwargs)
        if not 0 <= rate < 1:
            raise ValueError(f"rate must be in [0, 1), got {rate}")
        self.rate = rate

    def call(self, trained, training=None):
        if not training or self.rate == 0:
            return trained
        return trained & ~self.bernoulli(tf.shape(trained), self.rate)

    def get_config(self):
        return {**super().get_config(), "rate": self.rate}
