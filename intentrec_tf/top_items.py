"""The best few of very many items, exactly, without ordering all of them."""

from __future__ import annotations

import tensorflow as tf

from intentrec_tf.vocabulary import FIRST

GROUP = 32
AT_ONCE = 2**24  # scores in memory at once: 64 MiB


def top_items(scores: tf.Tensor, k: int) -> tuple[tf.Tensor, tf.Tensor]:
    """The k best items of each query; equal scores in the order of their rows, as :func:`tf.math.top_k` has it.

    Of groups of 32 items only the k with the largest maxima can hold one of the k best items, so only their items are
    compared: with a million items about a fortieth of the work.

    Args:
        scores: float [V, n], a column for each of n queries, without NaN; V is known when the graph is built.
        k: at most V.

    Returns:
        Scores float [n, k], best first, and rows int32 [n, k].
    """
    size = scores.shape[0]
    groups = size // GROUP
    if groups < 4 * k:
        return tf.math.top_k(tf.transpose(scores), k)
    queries = tf.shape(scores)[1]
    grouped = tf.reshape(scores[: groups * GROUP], [groups, GROUP, queries])
    _, chosen = tf.math.top_k(tf.transpose(tf.reduce_max(grouped, axis=1)), k, sorted=False)
    rows = tf.sort(chosen, axis=1)[:, :, None] * GROUP + tf.range(GROUP)
    rows = tf.reshape(rows, [-1, k * GROUP])
    rest = tf.broadcast_to(tf.range(groups * GROUP, size)[None], [queries, size - groups * GROUP])
    rows = tf.concat([rows, rest], axis=1)
    places = tf.stack([rows, tf.broadcast_to(tf.range(queries)[:, None], tf.shape(rows))], axis=-1)
    best, order = tf.math.top_k(tf.gather_nd(scores, places), k)
    return best, tf.gather(rows, order, batch_dims=1)


def exclude(scores: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Scores [V, n] with the items of ``rows`` int32 [n, any] at ``-inf`` in the query's own column."""
    queries = tf.broadcast_to(tf.range(tf.shape(rows)[0])[:, None], tf.shape(rows))
    never = tf.fill(tf.shape(rows), tf.constant(-float("inf"), scores.dtype))
    return tf.tensor_scatter_nd_update(scores, tf.stack([rows, queries], axis=-1), never)


def nearest_items(
    queries: tf.Tensor,
    vectors: tf.Tensor,
    excluded: tf.Tensor,
    k: int,
    topics: tf.Tensor | None = None,
    item_topics: tf.Tensor | None = None,
) -> tuple[tf.Tensor, tf.Tensor]:
    """The k items with the largest inner product with each query, a few users at a time, so that memory is bounded.

    Args:
        queries: float32 [batch, n, dim].
        vectors: float32 [V, dim], of all rows; the first two, padding and OOV, are never found.
        excluded: int32 [batch, E] rows that are not to be found.
        k: at most V.
        topics: int32 [batch, n]; with ``item_topics`` only items that have the query's topic are found.
        item_topics: int32 [V, width].

    Returns:
        Rows int32 and scores float32 [batch, n, k], best first; 0 where none is left.
    """
    batch, count, size = tf.shape(queries)[0], tf.shape(queries)[1], vectors.shape[0]
    never = tf.pad(excluded, [[0, 0], [FIRST, 0]])
    never = tf.concat([tf.repeat(tf.range(FIRST)[None], batch, axis=0), never[:, FIRST:]], axis=1)
    users = tf.maximum(AT_ONCE // (size * tf.maximum(count, 1)), 1)

    def some(start: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        part = slice(start, start + users)
        asked = tf.reshape(queries[part], [-1, queries.shape[-1]])
        # The catalogue first: this product reads its rows in order and is twice as fast as the other one
        scores = exclude(tf.matmul(vectors, asked, transpose_b=True), tf.repeat(never[part], count, axis=0))
        if topics is not None and item_topics is not None:
            scores = tf.where(_on_topic(item_topics, tf.reshape(topics[part], [-1])), scores, -float("inf"))
        best, rows = top_items(scores, k)
        rows = tf.where(tf.math.is_finite(best), rows, 0)
        return rows, tf.where(rows > 0, best, 0.0)

    chunks = tf.maximum(-(-batch // users), 1)
    found = [
        tf.TensorArray(dtype, chunks, infer_shape=False, element_shape=[None, k]) for dtype in (tf.int32, tf.float32)
    ]

    def body(i: tf.Tensor, rows: tf.TensorArray, best: tf.TensorArray) -> tuple:
        more_rows, more_best = some(i * users)
        return i + 1, rows.write(i, more_rows), best.write(i, more_best)

    _, *found = tf.while_loop(lambda i, *_: i < chunks, body, (0, *found), parallel_iterations=1)
    shape = tf.stack([batch, count, k])
    return tf.reshape(found[0].concat(), shape), tf.reshape(found[1].concat(), shape)


def _on_topic(item_topics: tf.Tensor, topics: tf.Tensor) -> tf.Tensor:
    """Whether each item has each topic, bool [V, n]."""
    has = tf.zeros([item_topics.shape[0], tf.shape(topics)[0]], tf.bool)
    for column in tf.unstack(item_topics, axis=1):
        has |= column[:, None] == topics[None]
    return has
