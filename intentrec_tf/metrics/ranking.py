"""Full-ranking metrics of one relevant item per query."""

from __future__ import annotations

import math
from collections.abc import Callable

import tensorflow as tf

from intentrec_tf.vocabulary import FIRST

UNREACHABLE = 2**31 - 1
ScoreChunk = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def target_rank(scores: tf.Tensor, target: tf.Tensor, excluded: tf.Tensor | None = None) -> tf.Tensor:
    """1-based rank of the target among all candidates, ties counted against it.

    Pessimistic ties make a constant scorer look as bad as it is.

    Args:
        scores: float [batch, V]; ``-inf`` or NaN excludes an item, rows 0 and 1 (padding, OOV) never count.
        target: int32 [batch] item rows.
        excluded: int32 [batch, any] item rows that are no candidates, each once (0 as often as you like).

    Returns:
        int32 [batch]; ``UNREACHABLE`` where the target is padding, OOV or excluded itself.
    """
    return target_rank_in_chunks(lambda start, stop: scores[:, start:stop], scores.shape[1], target, excluded)


def target_rank_in_chunks(
    scores_of: ScoreChunk, size: int, target: tf.Tensor, excluded: tf.Tensor | None = None, chunk: int | None = None
) -> tf.Tensor:
    """:func:`target_rank` where scores come a range of items at a time, so that memory does not grow with V.

    Args:
        scores_of: ``(start, stop) -> float [batch, stop - start]`` for rows ``start <= row < stop``.
        size: V.
        target, excluded: as there.
        chunk: rows at a time; None takes all.  With more than one chunk scores are computed twice, first for the
            targets, so that every comparison is of numbers from the same product.

    Returns:
        int32 [batch], as there.
    """
    if excluded is None:
        excluded = tf.zeros_like(target)[:, None]
    width = size if chunk is None else min(chunk, size)
    worst = tf.fill(tf.shape(target), -float("inf"))

    def own_score(start, own):
        scores = scores_of(start, tf.minimum(start + width, size))
        inside, found = _pick(scores, target[:, None], start)
        return start + width, tf.where(inside[:, 0], found[:, 0], own)

    def count_above(start, above, own):
        scores = scores_of(start, tf.minimum(start + width, size))
        rows = start + tf.range(tf.shape(scores)[1])
        candidate = (rows[None] >= FIRST) & (scores > -float("inf"))  # false for NaN
        more = candidate & (scores >= own[:, None]) & (rows[None] != target[:, None])
        inside, found = _pick(scores, excluded, start)
        less = inside & (excluded >= FIRST) & (found > -float("inf")) & (found >= own[:, None])
        less &= excluded != target[:, None]
        counts = tf.reduce_sum(tf.cast(more, tf.int32), axis=1) - tf.reduce_sum(tf.cast(less, tf.int32), axis=1)
        return start + width, above + counts, own

    if width == size:
        _, own = own_score(0, worst)
        _, above, _ = count_above(0, tf.zeros_like(target), own)
    else:
        _, own = tf.while_loop(lambda start, _: start < size, own_score, (0, worst), parallel_iterations=1)
        _, above, _ = tf.while_loop(
            lambda start, *_: start < size, count_above, (0, tf.zeros_like(target), own), parallel_iterations=1
        )
    reachable = (target >= FIRST) & (own > -float("inf")) & ~tf.reduce_any(excluded == target[:, None], axis=1)
    return tf.where(reachable, 1 + above, UNREACHABLE)


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
