"""The logit of what may not be chosen, and a softmax that does not choose it."""

import tensorflow as tf

NEVER = -1e9  # finite, so that a row where nothing may be chosen stays finite too


def masked_softmax(logits: tf.Tensor, allowed: tf.Tensor, axis: int = -1) -> tf.Tensor:
    """Softmax over what is allowed, of the logits' shape and dtype: exactly 0 elsewhere, and where nothing is allowed.

    Args:
        logits: float.
        allowed: bool, of a shape that broadcasts to theirs.
        axis: that adds up to 1.
    """
    zeros = tf.zeros_like(logits)
    return tf.where(allowed, tf.nn.softmax(tf.where(allowed, logits, NEVER), axis=axis), zeros)
