"""Embedding of one label or the mean embedding of several."""

import tensorflow as tf

from intentrec_tf.layers.lookup import sum_rows


@tf.keras.utils.register_keras_serializable("intentrec_tf")
class LabelEmbedding(tf.keras.layers.Layer):
    """A table row per label; with ``multi_label`` the mean over a last axis of label rows (0 = no label).

    Padding (row 0) is always the zero vector, so a missing value adds nothing.

    Args:
        vocabulary_size: rows, padding and OOV included.
        dim: output dimension.
        multi_label: whether the last axis of the input lists labels.

    Call argument: int32 [...] or, multi-label, [..., width].  Returns: float [..., dim].
    """

    def __init__(self, vocabulary_size: int, dim: int, multi_label: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.dim = dim
        self.multi_label = multi_label

    def build(self, input_shape):
        normal = tf.keras.initializers.RandomNormal(0, 0.02)
        self.table = self.add_weight(name="table", shape=(self.vocabulary_size, self.dim), initializer=normal)
        super().build(input_shape)

    def call(self, rows):
        table = tf.cast(self.table, self.compute_dtype)
        if not self.multi_label:
            return sum_rows(table, rows[..., None])
        count = tf.reduce_sum(tf.cast(rows > 0, self.compute_dtype), axis=-1, keepdims=True)
        return sum_rows(table, rows) / tf.maximum(count, 1)

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "dim": self.dim,
            "multi_label": self.multi_label,
        }
