"""What a model must know when several replicas train on parts of one batch (``tf.distribute``).

Where there is one replica, the functions return their argument itself, so nothing is added to its step.
"""

from __future__ import annotations

import tensorflow as tf

SPREAD = 2**24  # draws of one replica before its numbers are those that the next one began with
# A variable of which each replica updates its own copy; the first one's is saved, and restored to all.
PER_REPLICA = {
    "synchronization": tf.VariableSynchronization.ON_READ,
    "aggregation": tf.VariableAggregation.ONLY_FIRST_REPLICA,
}


def replica_count() -> int:
    """Replicas that train together, of all workers; 1 outside their code."""
    context = tf.distribute.get_replica_context()
    return 1 if context is None else int(context.num_replicas_in_sync)


def sum_over_replicas(value: tf.Tensor) -> tf.Tensor:
    """The sum of what each replica has here, of the same shape; no gradient is meant to go through it.

    Dividing a replica's sum by a sum of weights over all replicas gives its part of the whole batch's weighted mean:
    the parts, and their gradients, which an optimizer adds up, are then those of one device with the whole batch.
    """
    if replica_count() == 1:
        return value
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, value)


def mean_of_parts(part: tf.Tensor) -> tf.Tensor:
    """What a replica gives a Keras mean, which averages over replicas, so that the parts are added up instead."""
    count = replica_count()
    return part if count == 1 else part * count


def replica_draw(draw: tf.Tensor) -> tf.Tensor:
    """The number of a draw, int32 scalar, such that each replica has numbers of its own."""
    if replica_count() == 1:
        return draw
    return draw + SPREAD * tf.cast(tf.distribute.get_replica_context().replica_id_in_sync_group, tf.int32)


def beside(variable: tf.Variable, other: tf.Variable) -> tf.Variable:
    """The copy of a mirrored variable on the device where ``other`` is, to be read and written by rows; a variable that
    is not mirrored itself.  (Reading rows of a mirrored variable reads, and later copies, the whole of it.)"""
    copies = tf.distribute.get_strategy().experimental_local_results(variable)
    return next((copy for copy in copies if copy.device == other.device), variable)
