"""The non-linearity of capsules."""

import tensorflow as tf


def squash(vectors: tf.Tensor) -> tf.Tensor:
    """``|v|^2 / (1 + |v|^2) * v / |v|``: the direction stays, the length goes into [0, 1); float [..., dim].

    Its gradient is finite at zero.  Source: Sabour et al. 2017, Eq 1.
    """
    squared = tf.reduce_sum(tf.square(vectors), axis=-1, keepdims=True)
    return vectors * squared / ((1 + squared) * tf.sqrt(squared + 1e-9))
