"""The newest rows side by side."""

from __future__ import annotations

import tensorflow as tf

from intentrec_tf.layers.segments import previous_in_segment


@tf.keras.utils.register_keras_serializable("intentrec_tf")
class RecentRows(tf.keras.layers.Layer):
    """At event ``k``, the rows ``k, k - 1, ..., k - count + 1`` of the same user, newest first; zeros before the first.

    Args:
        count: rows.

    Call arguments: ``inputs`` float [batch, seq, dim], ``segment`` int32 [batch, seq].
    Returns: float [batch, seq, count * dim].

    Source: TransAct's output (Xia et al. 2023, arXiv 2306.00248), there at the end of a sequence.
    """

    def __init__(self, count: int = 10, **kwargs):
        super().__init__(**kwargs)
        if count < 1:
            raise ValueError(f"count must be at least 1, got {count}")
        self.count = count

    def call(self, inputs, segment):
        rows = [inputs]
        for steps in range(1, self.count):
            earlier, known = previous_in_segment(inputs, segment, steps)
            rows.append(tf.where(known[..., None], earlier, tf.zeros_like(earlier)))
        return tf.concat(rows, axis=-1)

    def get_config(self):
        return {**super().get_config(), "count": self.count}
