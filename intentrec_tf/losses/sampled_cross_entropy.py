"""Cross-entropy against a sample of the items."""

import tensorflow as tf

from intentrec_tf.losses.cross_entropy import weighted_mean
from intentrec_tf.masking import NEVER


def sampled_cross_entropy(
    query: tf.Tensor,
    vectors: tf.Tensor,
    bias: tf.Tensor,
    targets: tf.Tensor,
    negatives: tf.Tensor,
    log_expected: tf.Tensor,
    weights: tf.Tensor,
    mixture: tuple[tf.Tensor, tf.Tensor] | None = None,
) -> tf.Tensor:
    """Weighted mean of ``-log(e^s / (e^s + sum_j e^(s_j - log_expected_j)))`` with the true item's logit ``s``.

    Subtracting how often item j was expected in the sample (logQ) makes the sum an unbiased estimate of the sum over
    all items.  A negative that is a position's true item (accidental hit) does not count there.

    Args:
        query: float [N, dim].
        vectors: float [N + S, dim], of each position's true item, then of the shared negatives.
        bias: float [N + S], likewise.
        targets: int32 [N] true rows; a negative target carries no label and no weight.
        negatives: int32 [S] rows.
        log_expected: float [S].
        weights: float [N].
        mixture: ``(log a, log b)``, float [N] each, as of :func:`linear_cross_entropy`.

    Returns:
        Scalar float32.

    Source: Bengio and Senecal 2008; Jean et al. 2015, section 3.
    """
    weights = tf.where(targets >= 0, tf.cast(weights, tf.float32), 0.0)
    query = tf.where(weights[:, None] > 0, tf.cast(query, tf.float32), 0.0)  # what has no weight may hold NaN
    vectors, count = tf.cast(vectors, tf.float32), tf.shape(query)[0]
    true = tf.reduce_sum(query * vectors[:count], axis=-1) + bias[:count]
    others = tf.matmul(query, vectors[count:], transpose_b=True) + (bias[count:] - log_expected)
    others = tf.where(targets[:, None] == negatives, NEVER, others)
    losses = tf.nn.softplus(tf.reduce_logsumexp(others, axis=-1) - true)
    if mixture is not None:
        log_a, log_b = mixture
        losses = -tf.math.reduce_logsumexp([log_a - losses, log_b], axis=0)
    return weighted_mean(losses, weights)
