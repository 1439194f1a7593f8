"""Ask a model that fills in gaps what comes next."""

import tensorflow as tf


@tf.keras.utils.register_keras_serializable("intentrec_tf")
class AppendQuestion(tf.keras.layers.Layer):
    """Appends a hidden item to every row, in the segment of the newest event, and keeps the newest places.

    Args:
        max_length: places to keep; a longer row loses its oldest ones, so the answer does not depend on how much
            padding stands before a history.

    Call arguments: ``item_id`` int32 [batch, seq] whose last place is the newest event, ``segment`` int32 [batch, seq].
    Returns: ``{"item_id": int32, "segment": int32, "hidden": bool}``, each [batch, min(seq + 1, max_length)].

    Source: BERT4Rec (Sun et al. 2019), section 3.6: the mask is appended to the history at test time.
    """

    def __init__(self, max_length: int, **kwargs):
        super().__init__(**kwargs)
        self.max_length = max_length

    def call(self, item_id, segment):
        last = segment[:, -1:]
        columns = {
            "item_id": tf.concat([item_id, tf.zeros_like(last)], axis=1),
            "segment": tf.concat([segment, tf.maximum(last, 1)], axis=1),
            "hidden": tf.concat([tf.zeros_like(segment, tf.bool), tf.ones_like(last, tf.bool)], axis=1),
        }
        return {name: column[:, -self.max_length :] for name, column in columns.items()}

    def get_config(self):
        return {**super().get_config(), "max_length": self.max_length}
