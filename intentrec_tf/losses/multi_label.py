"""Cross-entropy where several labels are true at once, e.g. the genres of one title."""

import tensorflow as tf

from intentrec_tf.losses.cross_entropy import weighted_mean


def multi_label_cross_entropy(
    logits: tf.Tensor, labels: tf.Tensor, weights: tf.Tensor, form: str = "softmax", average: bool = True
) -> tf.Tensor:
    """Loss of a multi-label intent.

    ``softmax``: ``- sum over true g of log softmax(logits)[g]``, negatives unused (IntentRec section 3.3).
    ``sigmoid``: full binary cross-entropy, positives and negatives, for calibrated scores.

    Args:
        logits: float [..., d].
        labels: float [..., d] of zeros and ones; an all-zero row carries no label and no weight.
        weights: float [...].
        form: ``"softmax"`` or ``"sigmoid"``.
        average: divide by the number of true labels (softmax) or of all labels (sigmoid).

    Returns:
        Scalar float32.

    Raises:
        ValueError: unknown ``form``.
    """
    logits = tf.cast(logits, tf.float32)
    true = tf.reduce_sum(labels, axis=-1)
    if form == "softmax":
        losses = -tf.reduce_sum(labels * tf.nn.log_softmax(logits), axis=-1)
        divisor = tf.maximum(true, 1.0)
    elif form == "sigmoid":
        losses = tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(labels, logits), axis=-1)
        divisor = tf.cast(tf.shape(labels)[-1], tf.float32)
    else:
        raise ValueError(f"form must be 'softmax' or 'sigmoid', got {form!r}")
    if average:
        losses /= divisor
    return weighted_mean(losses, weights * tf.cast(true > 0, weights.dtype))
