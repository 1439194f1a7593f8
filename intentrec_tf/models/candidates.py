"""Probabilities among given candidates."""

from __future__ import annotations

import tensorflow as tf

from intentrec_tf.masking import NEVER
from intentrec_tf.vocabulary import FIRST


def candidate_log_softmax(logits: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Logarithm of the softmax over the different items among the candidates, float32 [batch, C].

    One that is given twice counts once (a server that batches requests pads them with a request's first element).

    Args:
        logits: float32 [batch, C].
        rows: int32 [batch, C]; padding and OOV count for nothing and get -1e9.
    """
    items = rows >= FIRST
    logits = tf.where(items, logits, NEVER)
    return tf.where(items, logits - _distinct_logsumexp(logits, rows), NEVER)


def _distinct_logsumexp(logits: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """``log sum exp`` of float32 [batch, C] over the different rows int32 [batch, C], float32 [batch, 1]."""
    order = tf.argsort(rows, axis=1)
    rows, logits = tf.gather(rows, order, batch_dims=1), tf.gather(logits, order, batch_dims=1)
    again = tf.pad(rows[:, 1:] == rows[:, :-1], [[0, 0], [1, 0]])
    return tf.reduce_logsumexp(tf.where(again, NEVER, logits), axis=1, keepdims=True)
