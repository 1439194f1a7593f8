"""Softmax over a list of candidates that was sampled for the question."""

import tensorflow as tf

from intentrec_tf.losses.cross_entropy import weighted_mean
from intentrec_tf.masking import NEVER


def sampled_listwise_loss(scores: tf.Tensor, log_expected: tf.Tensor, weights: tf.Tensor) -> tf.Tensor:
    """Weighted mean of ``-log(e^s_0 / (e^s_0 + sum_j e^(s_j - log_expected_j)))``; candidate 0 is the true one.

    Subtracting how often candidate j was expected in the sample (logQ) makes the sum an unbiased estimate of the sum
    over all that could have been drawn; without it popular items would be pushed down for being drawn often.

    Args:
        scores: float [batch, C]; -1e9 leaves a candidate out.
        log_expected: float [batch, C]; the first one means nothing.
        weights: float [batch].

    Returns:
        Scalar float32.

    Source: listwise softmax, Cao et al. 2007; logQ, Bengio and Senecal 2008.
    """
    scores = tf.cast(scores, tf.float32)
    others = tf.where(scores[:, 1:] > NEVER, scores[:, 1:] - log_expected[:, 1:], NEVER)
    losses = tf.nn.softplus(tf.reduce_logsumexp(others, axis=-1) - scores[:, 0])
    return weighted_mean(losses, tf.cast(weights, tf.float32))
