"""Rows of a table, in the way whose gradient is cheap."""

from __future__ import annotations

import tensorflow as tf

SMALL = 512
MOST_ONE_HOTS = 2**25


def look_up(table: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """``table[rows]``, [..., dim].

    The gradient of a gather is a scatter, which a CPU does one row after another.  A product with one-hot rows has a
    product for its gradient, so small tables (up to 512 rows) are read that way: the same numbers, several times faster
    in training.  Where the number of rows is not known beforehand (serving, evaluation) or the one-hots would take more
    than 128 MB, it is a gather.

    Args:
        table: float [size, dim].
        rows: int32 [...], each in [0, size).
    """
    if not _as_product(table, rows):
        return tf.gather(table, rows)
    return tf.tensordot(tf.one_hot(rows, table.shape[0], dtype=table.dtype), table, 1)


def sum_rows(table: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """``sum over the last axis of rows of table[rows]``, [..., dim]; arguments as :func:`look_up`, row 0 counts 0."""
    if not _as_product(table, rows):
        known = tf.cast(rows > 0, table.dtype)
        return tf.reduce_sum(tf.gather(table, rows) * known[..., None], axis=-2)
    counts = tf.reduce_sum(tf.one_hot(tf.where(rows > 0, rows, -1), table.shape[0], dtype=table.dtype), axis=-2)
    return tf.tensordot(counts, table, 1)


def _as_product(table: tf.Tensor, rows: tf.Tensor) -> bool:
    size, count = table.shape[0], rows.shape.num_elements()
    return size is not None and size <= SMALL and count is not None and count * size <= MOST_ONE_HOTS
