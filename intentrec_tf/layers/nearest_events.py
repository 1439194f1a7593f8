"""The events of a long history that are most like a candidate."""

from __future__ import annotations

import tensorflow as tf

from intentrec_tf.masking import NEVER


@tf.keras.utils.register_keras_serializable("intentrec_tf")
class NearestEvents(tf.keras.layers.Layer):
    """Places of the ``count`` valid events with the largest inner product with each candidate, oldest first.

    Args:
        count: events of each candidate.

    Call arguments: ``inputs`` float [batch, C, dim], candidates; ``events`` float [batch, seq, dim]; ``valid`` bool
        [batch, seq].
    Returns: ``places`` int32 [batch, C, count] between 0 and seq - 1 and ``there`` bool of the same shape, false where
        a history has fewer valid events; those places come first and mean nothing.  No gradient passes.

    Source: TransAct V2 (Xia et al. 2025, arXiv 2506.02267), nearest neighbours of the candidate in a lifelong sequence.
    """

    def __init__(self, count: int, **kwargs):
        super().__init__(**kwargs)
        self.count = count

    def call(self, inputs, events, valid):
        candidates, events = (tf.cast(tf.stop_gradient(x), tf.float32) for x in (inputs, events))
        products = tf.where(valid[:, None], tf.matmul(candidates, events, transpose_b=True), NEVER)
        # room for `count` places in a history that is shorter
        products = tf.pad(products, [[0, 0], [0, 0], [self.count, 0]], constant_values=NEVER)
        best, places = tf.math.top_k(products, self.count)
        places = tf.where(best > NEVER, places - self.count, -1)
        places = tf.sort(places, axis=-1)
        return tf.maximum(places, 0), places >= 0

    def get_config(self):
        return {**super().get_config(), "count": self.count}
