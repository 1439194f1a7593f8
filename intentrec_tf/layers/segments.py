"""Where each event stands in a row that may hold several users one after another.

``segment`` [batch, seq] is 0 at padding and a positive number, constant per user, elsewhere.  A user's events are
contiguous, so padding may lie on either side, and several users share a row without seeing each other.
"""

import tensorflow as tf


def same_segment(segment: tf.Tensor) -> tf.Tensor:
    """Whether two positions belong to one user, bool [batch, seq, seq]; padding belongs to nobody."""
    return (segment[:, :, None] == segment[:, None, :]) & (segment > 0)[:, None, :]


def previous_in_segment(values: tf.Tensor, segment: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The value one event earlier, and where there is one.

    Args:
        values: any dtype, [batch, seq].
        segment: int32 [batch, seq].

    Returns:
        Shifted values (a position without predecessor keeps its own value), and bool [batch, seq] "has predecessor".
    """
    shifted = tf.concat([values[:, :1], values[:, :-1]], axis=1)
    before = tf.concat([tf.zeros_like(segment[:, :1]), segment[:, :-1]], axis=1)
    known = (segment == before) & (segment > 0)
    return tf.where(known, shifted, values), known


def position_in_segment(segment: tf.Tensor) -> tf.Tensor:
    """0-based index of an event among its user's events in the row, int32 [batch, seq]; 0 at padding."""
    index = tf.range(tf.shape(segment)[1])
    earlier = same_segment(segment) & (index[None, None, :] < index[None, :, None])
    return tf.reduce_sum(tf.cast(earlier, tf.int32), axis=2)
