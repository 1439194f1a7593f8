"""The vector that stands where an item is hidden."""

from __future__ import annotations

import tensorflow as tf

from intentrec_tf.layers.random_layer import RandomLayer


@tf.keras.utils.register_keras_serializable("intentrec_tf")
class MaskedItems(RandomLayer):
    """Puts one learned vector wherever ``hidden`` is true (BERT4Rec's [mask]).

    Args:
        seed: of :meth:`choose`, see :class:`RandomLayer`.

    Call arguments: ``vectors`` float [batch, seq, dim], ``hidden`` bool [batch, seq].
    Returns: float [batch, seq, dim].

    Source: Sun et al. 2019, section 3.6.
    """

    def build(self, input_shape):
        normal = tf.keras.initializers.RandomNormal(0, 0.02)
        self.mask = self.add_weight(name="mask", shape=(input_shape[-1],), initializer=normal)
        super().build(input_shape)

    def call(self, vectors, hidden):
        return tf.where(hidden[..., None], tf.cast(self.mask, vectors.dtype), vectors)

    def choose(self, segment: tf.Tensor, share: float) -> tf.Tensor:
        """Hide each real place of ``segment`` int32 [batch, seq] with probability ``share``: bool [batch, seq]."""
        return self.bernoulli(tf.shape(segment), share) & (segment > 0)
