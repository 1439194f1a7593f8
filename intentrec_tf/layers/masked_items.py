"""The vector that stands where an item is hidden."""

from __future__ import annotations

import random

import tensorflow as tf

from intentrec_tf.layers.random_bits import bernoulli


@tf.keras.utils.register_keras_serializable("intentrec_tf")
class MaskedItems(tf.keras.layers.Layer):
    """Puts one learned vector wherever ``hidden`` is true (BERT4Rec's [mask]).

    Args:
        seed: of :meth:`choose`, 0 <= seed < 2**31; None draws one, see :class:`intentrec_tf.layers.Dropout`.

    Call arguments: ``vectors`` float [batch, seq, dim], ``hidden`` bool [batch, seq].
    Returns: float [batch, seq, dim].

    Source: Sun et al. 2019, section 3.6.
    """

    def __init__(self, seed: int | None = None, **kwargs):
        super().__init__(**kwargs)
        self.seed = random.getrandbits(31) if seed is None else seed

    def build(self, input_shape):
        normal = tf.keras.initializers.RandomNormal(0, 0.02)
        self.mask = self.add_weight(name="mask", shape=(input_shape[-1],), initializer=normal)
        self.draws = self.add_weight(name="draws", shape=(), dtype=tf.int32, initializer="zeros", trainable=False)
        super().build(input_shape)

    def call(self, vectors, hidden):
        return tf.where(hidden[..., None], tf.cast(self.mask, vectors.dtype), vectors)

    def choose(self, segment: tf.Tensor, share: float) -> tf.Tensor:
        """Hide each real place of ``segment`` int32 [batch, seq] with probability ``share``: bool [batch, seq]."""
        return bernoulli(tf.shape(segment), share, self.seed, self.draws.assign_add(1)) & (segment > 0)

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}
