"""Adam that leaves alone what a batch did not touch."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from intentrec_tf.optimizers.sparse_gradients import sum_rows
from intentrec_tf.replicas import beside, replica_count

LARGE = 65_536


@tf.keras.utils.register_keras_serializable("intentrec_tf")
class LazyAdam(tf.keras.optimizers.Adam):
    """Adam whose step costs as much as the rows a batch reads, not as the tables it reads them from.

    A table of more than 65,536 rows that was read with ``tf.gather`` has only the rows of this batch updated, moments
    and weights; the others keep theirs, where Adam would let their moments decay and go on moving them.  Everything
    smaller is updated as Adam does, from dense gradients.

    Args:
        learning_rate: a number or a schedule.
        large: rows above which a table is updated lazily.
        kwargs: of ``tf.keras.optimizers.Adam``; ``amsgrad`` is not supported, weight decay moves every row.

    Source: Kingma and Ba 2015; lazy updates as in TensorFlow Addons' LazyAdam.
    """

    def __init__(self, learning_rate: Any = 1e-3, large: int = LARGE, name: str = "LazyAdam", **kwargs: Any) -> None:
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        if self.amsgrad:
            raise ValueError("LazyAdam does not support amsgrad")
        self.large = large

    def apply_gradients(self, grads_and_vars, *args, **kwargs):
        return super().apply_gradients([(self._compact(g, v), v) for g, v in grads_and_vars], *args, **kwargs)

    def aggregate_gradients(self, grads_and_vars):
        added = super().aggregate_gradients(grads_and_vars)
        if replica_count() == 1:
            return added
        return [(sum_rows(g) if isinstance(g, tf.IndexedSlices) else g, v) for g, v in added]

    def _compact(self, gradient: Any, variable: tf.Variable) -> Any:
        if not isinstance(gradient, tf.IndexedSlices):
            return gradient
        if variable.shape[0] <= self.large:
            return tf.convert_to_tensor(gradient)
        return sum_rows(gradient) if replica_count() == 1 else gradient  # replicas' rows are put together first

    def _deduplicate_sparse_grad(self, grads):
        return grads  # each row is there once already

    def update_step(self, gradient, variable):
        if not isinstance(gradient, tf.IndexedSlices):
            super().update_step(gradient, variable)
            return
        # Places left over repeat the first row with the same values, so it does not matter which of them is written.
        place = tf.where(gradient.indices >= 0, tf.range(tf.shape(gradient.indices)[0]), 0)
        rows, values = tf.gather(gradient.indices, place), tf.gather(gradient.values, place)
        step = tf.cast(self.iterations + 1, variable.dtype)
        correction = tf.sqrt(1 - tf.pow(self.beta_2, step)) / (1 - tf.pow(self.beta_1, step))
        rate = tf.cast(self.learning_rate, variable.dtype) * correction
        index = self._index_dict[self._var_key(variable)]
        first, second = (beside(table, variable) for table in (self._momentums[index], self._velocities[index]))
        mean = self.beta_1 * tf.gather(first, rows) + (1 - self.beta_1) * values
        square = self.beta_2 * tf.gather(second, rows) + (1 - self.beta_2) * tf.square(values)
        moved = tf.gather(variable, rows) - rate * mean / (tf.sqrt(square) + self.epsilon)
        for table, new in ((first, mean), (second, square), (variable, moved)):
            table.scatter_nd_update(rows[:, None], new)

    def get_config(self):
        return {**super().get_config(), "large": self.large}
