"""Full-ranking metrics of one relevant item per query."""

from __future__ import annotations

import math
from collections.abc import Callable

import tensorflow as tf

from intentrec_tf.vocabulary import FIRST

UNREACHABLE = 2**31 - 1
ScoreChunk = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def target_rank(
    scores_of: ScoreChunk, size: int, target: tf.Tensor, excluded: tf.Tensor | None = None, chunk: int | None = None
) -> tf.Tensor:
    """1-based rank of the target among all candidates, ties counted against it.

    Pessimistic ties make a constant scorer look as bad as it is.  Scores come a range of items at a time, so memory
    does not grow with V.

    Args:
        scores_of: ``(start, stop) -> float [batch, stop - start]`` for rows ``start <= row < stop``; ``-inf`` or NaN
            excludes an item, rows 0 and 1 (padding, OOV) never count.
        size: V.
        target: int32 [batch] item rows.
        excluded: int32 [batch, any] item rows that are no candidates, each once (0 as often as you like).
        chunk: rows at a time; None takes all.  With more than one chunk scores are computed twice, first for the
            targets, so that every comparison is of numbers from the same product.

    Returns:
        int32 [batch]; ``UNREACHABLE`` where the target is padding, OOV or excluded itself.
    """
    if excluded is None:
        excluded = tf.zeros_like(target)[:, None]
    width = size if chunk is None else min(chunk, size)
    worst = tf.fill(tf.shape(target), -float("inf"))

    def own_score(start, scores, own):
        inside, found = _pick(scores, target[:, None], start)
        return tf.where(inside[:, 0], found[:, 0], own)

    def count_above(start, scores, own):
        rows = start + tf.range(tf.shape(scores)[1])
        candidate = (rows[None] >= FIRST) & (scores > -float("inf"))  # false for NaN
        more = candidate & (scores >= own[:, None]) & (rows[None] != target[:, None])
        inside, found = _pick(scores, excluded, start)
        less = inside & (excluded >= FIRST) & (found > -float("inf")) & (found >= own[:, None])
        less &= excluded != target[:, None]
        return tf.reduce_sum(tf.cast(more, tf.int32), axis=1) - tf.reduce_sum(tf.cast(less, tf.int32), axis=1)

    def loop(step, first):
        def body(start, value):
            return start + width, step(start, scores_of(start, tf.minimum(start + width, size)), value)

        return tf.while_loop(lambda start, _: start < size, body, (0, first), parallel_iterations=1)[1]

    if width == size:
        scores = scores_of(0, size)
        own = own_score(0, scores, worst)
        above = count_above(0, scores, own)
    else:
        own = loop(own_score, worst)
        above = loop(lambda start, scores, count: count + count_above(start, scores, own), tf.zeros_like(target))
    reachable = (target >= FIRST) & (own > -float("inf")) & ~tf.reduce_any(excluded == target[:, None], axis=1)
    return tf.where(reachable, 1 + above, UNREACHABLE)


def candidate_rank(scores: tf.Tensor, rows: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """1-based rank of the target among different candidates, ties counted against it, int32 [batch].

    Args:
        scores: float [batch, C].
        rows: int32 [batch, C]; rows 0 and 1 (padding, OOV) never count.
        target: int32 [batch] item rows.

    Returns:
        ``UNREACHABLE`` where the target is no candidate.
    """
    scores = tf.where(tf.math.is_nan(scores), tf.constant(-float("inf"), scores.dtype), scores)
    own = (rows == target[:, None]) & (rows >= FIRST)
    best = tf.reduce_max(tf.where(own, scores, -float("inf")), axis=1, keepdims=True)
    rank = tf.reduce_sum(tf.cast((scores >= best) & (rows >= FIRST), tf.int32), axis=1)
    return tf.where(tf.reduce_any(own, axis=1), rank, UNREACHABLE)


def _pick(scores: tf.Tensor, rows: tf.Tensor, start: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Which of ``rows`` [batch, any] lie in a chunk that begins at ``start``, and their scores there."""
    inside = (rows >= start) & (rows < start + tf.shape(scores)[1])
    return inside, tf.gather(scores, tf.where(inside, rows - start, 0), batch_dims=1)


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
