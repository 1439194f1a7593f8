"""Full-ranking metrics of one relevant item per query."""

import math

import tensorflow as tf

from intentrec_tf.vocabulary import FIRST

UNREACHABLE = 2**31 - 1


def target_rank(scores: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """1-based rank of the target among all candidates, ties counted against it.

    Pessimistic ties make a constant scorer look as bad as it is.

    Args:
        scores: float [batch, V]; ``-inf`` or NaN excludes an item, rows 0 and 1 (padding, OOV) never count.
        target: int32 [batch] item rows.

    Returns:
        int32 [batch]; ``UNREACHABLE`` where the target is padding, OOV or excluded itself.
    """
    rows = tf.range(tf.shape(scores)[1])
    candidate = (rows[None] >= FIRST) & (scores > -float("inf"))  # false for NaN
    own = tf.gather(scores, target, batch_dims=1)
    above = candidate & (scores >= own[:, None]) & (rows[None] != target[:, None])
    rank = 1 + tf.reduce_sum(tf.cast(above, tf.int32), axis=1)
    return tf.where(tf.gather(candidate, target, batch_dims=1), rank, UNREACHABLE)


def hit_rate(rank: tf.Tensor, k: int) -> tf.Tensor:
    """1 where the target is among the first k, float32 of the rank's shape."""
    return tf.cast(rank <= k, tf.float32)


def ndcg(rank: tf.Tensor, k: int) -> tf.Tensor:
    """``1 / log2(1 + rank)`` within the first k, else 0 (one relevant item, so the ideal DCG is 1)."""
    gain = math.log(2.0) / tf.math.log1p(tf.cast(rank, tf.float32))
    return hit_rate(rank, k) * gain


def reciprocal_rank(rank: tf.Tensor) -> tf.Tensor:
    """``1 / rank``; 0 for an unreachable target."""
    return tf.where(rank == UNREACHABLE, 0.0, 1.0 / tf.cast(rank, tf.float32))
