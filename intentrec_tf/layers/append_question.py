"""Ask a model that fills in gaps what comes next."""

import tensorflow as tf


@tf.keras.utils.register_keras_serializable("intentrec_tf")
class AppendQuestion(tf.keras.layers.Layer):
    """Moves a row one place to the left and leaves a hidden item at its end, in the segment of the newest event.

    Call arguments: ``item_id`` int32 [batch, seq] whose last place is the newest event, ``segment`` int32 [batch, seq].
    Returns: ``{"item_id": int32, "segment": int32, "hidden": bool}``, each [batch, seq].

    Source: BERT4Rec (Sun et al. 2019), section 3.6: the mask is appended to the history at test time.
    """

    def call(self, item_id, segment):
        last = segment[:, -1:]
        return {
            "item_id": tf.concat([item_id[:, 1:], tf.zeros_like(last)], axis=1),
            "segment": tf.concat([segment[:, 1:], tf.maximum(last, 1)], axis=1),
            "hidden": tf.concat([tf.zeros_like(segment[:, 1:], tf.bool), tf.ones_like(last, tf.bool)], axis=1),
        }
