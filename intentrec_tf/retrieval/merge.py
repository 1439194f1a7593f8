"""One list of candidates from the lists of several sources."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from intentrec_tf.masking import NEVER
from intentrec_tf.vocabulary import FIRST

LAST = 2**31 - 1
EXACT = 1e6


class Merged(NamedTuple):
    """Candidates in order: ``rows`` int32 [batch, total] (0 = none left), ``source`` int32 [batch, total] (-1 = none),
    ``score`` float32 [batch, total]."""

    rows: tf.Tensor
    source: tf.Tensor
    score: tf.Tensor


def split_budget(total: int, mass: tf.Tensor, slots: tf.Tensor, topics: tf.Tensor, explicit_share: float) -> tf.Tensor:
    """How many candidates each source may bring.

    Topics share ``explicit_share`` of the total evenly (all of it without a slot, none without a topic), slots the
    rest in proportion to their mass (evenly if they have none).  Fractions go to the largest remainders, ties to the
    earlier source, so the parts add up to the total, or to 0 without any source.

    Args:
        total: of all sources.
        mass: float32 [batch, K].  slots: bool [batch, K].
        topics: bool [batch, T], which of them were asked for.
        explicit_share: between 0 and 1.

    Returns:
        int32 [batch, K + T].

    Source: Fan et al. 2025: implicit budgets in proportion to the routing mass, explicit ones equal.
    """
    present = tf.cast(slots, tf.float64)
    mass = tf.maximum(tf.cast(mass, tf.float64), 0) * present
    mass = tf.where(tf.reduce_sum(mass, axis=1, keepdims=True) > 0, mass, present)
    asked = tf.cast(topics, tf.float64)
    some = tf.reduce_any(slots, axis=1, keepdims=True)
    share = tf.where(
        tf.reduce_any(topics, axis=1, keepdims=True), tf.where(some, tf.constant(explicit_share, tf.float64), 1), 0
    )
    ideal = total * tf.concat([(1 - share) * _shares(mass), share * _shares(asked)], axis=1)
    ideal = tf.round(ideal * EXACT) / EXACT  # what rounding left of two equal shares must not decide
    whole = tf.floor(ideal)
    left = tf.where(tf.reduce_sum(ideal, axis=1) > 0, total - tf.reduce_sum(whole, axis=1), 0)
    order = tf.argsort(tf.where(ideal > 0, tf.round((whole - ideal) * EXACT), 1), axis=1, stable=True)
    place = tf.argsort(order, axis=1, stable=True)
    return tf.cast(whole, tf.int32) + tf.cast(tf.cast(place, tf.float64) < left[:, None], tf.int32)


def merge_by_score(rows: tf.Tensor, score: tf.Tensor, total: int) -> Merged:
    """One list of several whose scores compare: best first, each item once, of the source that scores it highest.

    Args:
        rows: int32 [batch, S, R]; what is not an item is left out.
        score: float32 [batch, S, R]; of equal ones the earlier source's comes first.
        total: length of the list.
    """
    batch, depth = tf.shape(rows)[0], tf.shape(rows)[2]
    flat, scores = tf.reshape(rows, [batch, -1]), tf.reshape(score, [batch, -1])
    order = tf.argsort(tf.where(flat >= FIRST, scores, NEVER), direction="DESCENDING", stable=True)
    first = _first_of_each(tf.gather(flat, order, batch_dims=1))
    turn = tf.where(first, tf.range(tf.shape(flat)[1]), LAST)
    turn = tf.pad(turn, [[0, 0], [0, tf.maximum(total - tf.shape(turn)[1], 0)]], constant_values=LAST)
    turn = tf.sort(turn, axis=1)[:, :total]
    there = turn < LAST
    place = tf.gather(order, tf.where(there, turn, 0), batch_dims=1)
    return Merged(
        tf.where(there, tf.gather(flat, place, batch_dims=1), 0),
        tf.where(there, place // depth, -1),
        tf.where(there, tf.gather(scores, place, batch_dims=1), 0.0),
    )


def deal(values: tf.Tensor, hands: int | tf.Tensor) -> tf.Tensor:
    """Deal a list [batch, N] out to so many lists in turn, [batch, hands, ceil(N / hands)], zeros at the end."""
    batch, count = tf.shape(values)[0], tf.shape(values)[1]
    values = tf.pad(values, [[0, 0], [0, tf.math.floormod(-count, hands)]])
    return tf.transpose(tf.reshape(values, [batch, -1, hands]), [0, 2, 1])


def merge(rows: tf.Tensor, score: tf.Tensor, budgets: tf.Tensor, total: int, labels: tf.Tensor | None = None) -> Merged:
    """Round-robin over the sources, each item once.

    1. All candidates in the order of (rank within their source, source); of each item the first one stays.
    2. Within a source those that stay are numbered anew; numbers below its budget are within budget.
    3. First those within budget in the order of (number, source), then, to fill up, the others in the same order.

    Args:
        rows: int32 [batch, S, R], best first; what is not an item (rows 0 and 1) is left out.
        score: float32 [batch, S, R].
        budgets: int32 [batch, S].
        total: length of the list.
        labels: int32 [batch, S, R], what ``source`` is to say of each place; by default the number of the source.

    Source: Fan et al. 2025 merge round-robin with deduplication; filling up is ours.
    """
    batch, sources, depth = tf.shape(rows)[0], tf.shape(rows)[1], tf.shape(rows)[2]
    turns = tf.transpose(rows, [0, 2, 1])  # [batch, rank, source]
    flat = tf.reshape(turns, [batch, -1])
    stays = tf.reshape(_first_of_each(flat), tf.shape(turns))
    number = tf.cumsum(tf.cast(stays, tf.int32), axis=1) - 1
    turn = number * sources + tf.range(sources)
    turn += tf.where(number < budgets[:, None, :], 0, depth * sources)
    turn = tf.reshape(tf.where(stays, turn, LAST), [batch, -1])
    turn = tf.pad(turn, [[0, 0], [0, tf.maximum(total - tf.shape(turn)[1], 0)]], constant_values=LAST)
    best = tf.argsort(turn, axis=1, stable=True)[:, :total]
    there = tf.gather(turn, best, batch_dims=1) < LAST
    place = tf.where(there, best, 0)
    scores = tf.reshape(tf.transpose(score, [0, 2, 1]), [batch, -1])
    source = place % sources
    if labels is not None:
        source = tf.gather(tf.reshape(tf.transpose(labels, [0, 2, 1]), [batch, -1]), place, batch_dims=1)
    return Merged(
        tf.where(there, tf.gather(flat, place, batch_dims=1), 0),
        tf.where(there, source, -1),
        tf.where(there, tf.gather(scores, place, batch_dims=1), 0.0),
    )


def _first_of_each(rows: tf.Tensor) -> tf.Tensor:
    """Where an item [batch, N] stands for the first time, bool [batch, N]."""
    order = tf.argsort(rows, axis=1, stable=True)
    ordered = tf.gather(rows, order, batch_dims=1)
    again = tf.concat([tf.zeros_like(ordered[:, :1], tf.bool), ordered[:, 1:] == ordered[:, :-1]], axis=1)
    return (rows >= FIRST) & ~tf.gather(again, tf.argsort(order, axis=1), batch_dims=1)


def _shares(values: tf.Tensor) -> tf.Tensor:
    return tf.math.divide_no_nan(values, tf.reduce_sum(values, axis=1, keepdims=True))
