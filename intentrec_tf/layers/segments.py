"""Where each event stands in a row that may hold several users one after another.

``segment`` [batch, seq] is 0 at padding and a positive number, constant per user, elsewhere.  A user's events are
contiguous, so padding may lie on either side, and several users share a row without seeing each other.
"""

from collections.abc import Callable

import tensorflow as tf


def same_segment(segment: tf.Tensor) -> tf.Tensor:
    """Whether two positions belong to one user, bool [batch, seq, seq]; padding belongs to nobody."""
    return (segment[:, :, None] == segment[:, None, :]) & (segment > 0)[:, None, :]


def previous_in_segment(values: tf.Tensor, segment: tf.Tensor, steps: int = 1) -> tuple[tf.Tensor, tf.Tensor]:
    """The value one event (or ``steps`` >= 1 events) earlier, and where there is one.

    Args:
        values: any dtype, [batch, seq, ...].
        segment: int32 [batch, seq].

    Returns:
        Shifted values (a position without predecessor keeps its own value), and bool [batch, seq] "has predecessor".
    """
    shifted = tf.concat([values[:, :steps], values[:, :-steps]], axis=1)
    before = tf.concat([tf.zeros_like(segment[:, :steps]), segment[:, :-steps]], axis=1)
    known = (segment == before) & (segment > 0)
    as_values = (..., *[None] * (values.shape.rank - 2))
    return tf.where(known[as_values], shifted, values), known


def accumulate(
    values: tf.Tensor, segment: tf.Tensor, combine: Callable[[tf.Tensor, tf.Tensor], tf.Tensor]
) -> tf.Tensor:
    """Each event's value combined with those of all earlier events of its user (padding: its own value).

    By doubling: what covers 1, 2, 4, ... events is combined with what lies just before it, so a row of 256 takes eight
    passes and nothing of the size [seq, seq].

    Args:
        values: float [batch, seq, dim].
        segment: int32 [batch, seq].
        combine: associative and elementwise, for example ``tf.maximum``.

    Returns:
        float [batch, seq, dim].
    """

    def double(total, steps):
        shifted, known = previous_in_segment(total, segment, steps)
        return tf.where(known[..., None], combine(total, shifted), total), 2 * steps

    if values.shape[1] is None:
        return tf.while_loop(lambda _, steps: steps < tf.shape(segment)[1], double, (values, 1))[0]
    steps = 1
    while steps < values.shape[1]:
        values, steps = double(values, steps)
    return values


def position_in_segment(segment: tf.Tensor) -> tf.Tensor:
    """0-based index of an event among its user's events in the row, int32 [batch, seq]; 0 at padding."""
    index = tf.range(tf.shape(segment)[1])
    earlier = same_segment(segment) & (index[None, None, :] < index[None, :, None])
    return tf.reduce_sum(tf.cast(earlier, tf.int32), axis=2)
