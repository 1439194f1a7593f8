"""What a user's events so far have in common."""

from __future__ import annotations

import tensorflow as tf

from intentrec_tf.layers.segments import accumulate, position_in_segment


@tf.keras.utils.register_keras_serializable("intentrec_tf")
class SegmentPool(tf.keras.layers.Layer):
    """Running maximum or mean: at event ``k``, elementwise over the events ``i <= k`` of the same user.

    Args:
        kind: ``"max"`` or ``"mean"``.

    Call arguments: ``inputs`` float [batch, seq, dim], ``segment`` int32 [batch, seq].
    Returns: float [batch, seq, dim]; padding keeps its own value.
    """

    def __init__(self, kind: str, **kwargs):
        super().__init__(**kwargs)
        if kind not in ("max", "mean"):
            raise ValueError(f"kind must be 'max' or 'mean', got {kind!r}")
        self.kind = kind

    def call(self, inputs, segment):
        if self.kind == "max":
            return accumulate(inputs, segment, tf.maximum)
        count = tf.cast(position_in_segment(segment) + 1, tf.float32)[..., None]
        return tf.cast(accumulate(tf.cast(inputs, tf.float32), segment, tf.add) / count, inputs.dtype)

    def get_config(self):
        return {**super().get_config(), "kind": self.kind}
