"""Duration-weighted cross-entropy over positions."""

import tensorflow as tf

from intentrec_tf.replicas import sum_over_replicas


def weighted_mean(values: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """``sum(w * x) / sum(w)``, 0 where all weights are 0; positions of weight 0 may even hold NaN or inf.

    Of several replicas each returns its part: the divisor is the weight of all, so the parts add up to the mean.
    """
    kept = tf.where(weights > 0, values, tf.zeros_like(values))
    return tf.math.divide_no_nan(tf.reduce_sum(weights * kept), sum_over_replicas(tf.reduce_sum(weights)))


def weighted_cross_entropy(logits: tf.Tensor, targets: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """``- sum_k d_k log p_k[target_k] / sum_k d_k`` (IntentRec Eq 3, divided by the total weight).

    Args:
        logits: float [..., d].
        targets: int32 [...]; a negative target carries no label and no weight.
        weights: float [...] d_k; 0 removes the position (padding).

    Returns:
        Scalar float32.
    """
    labelled = targets >= 0
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
        labels=tf.where(labelled, targets, 0), logits=tf.cast(logits, tf.float32)
    )
    return weighted_mean(losses, weights * tf.cast(labelled, weights.dtype))
