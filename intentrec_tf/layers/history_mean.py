"""The item head's query, starting from items of the history."""

from __future__ import annotations

import tensorflow as tf

from intentrec_tf.masking import masked_softmax
from intentrec_tf.vocabulary import FIRST


@tf.keras.utils.register_keras_serializable("intentrec_tf")
class HistoryMean(tf.keras.layers.Layer):
    """``q_k = W state_k + U sum_(j <= k) a_kj v_j``, ``U = I`` at first: a query near the items of the history.

    ``a_k = softmax_j(Q state_k . (K v_j) / sqrt(dim) - slopes . distance(k, j))``: one head of attention whose
    values are the item vectors themselves, so that what resembles the history is scored highly before anything has been
    learnt about who goes on to what.  Slopes are positive, the same everywhere.  :class:`ItemHead` takes ``q_k`` as it
    is.

    Args:
        dim: of the item vectors.
        distances: how many kinds of them there are.

    Call arguments: ``state`` float [batch, places, any], ``items`` float [batch, seq, dim] item vectors, ``item_id``
        int32 [batch, seq] their rows (padding and OOV count nothing), ``mask`` bool [batch, seq, seq], ``distances``:
        floats [1 or batch, seq, seq], see :class:`EventDistance`.  Of ``places`` there are seq, or one, the last.
    Returns: float [batch, places, dim]; without any known item ``W state_k`` alone.

    Source: ours, for sequences; a user as the mean of their items: FISM (Kabbur et al. 2013), by attention NAIS (He et
    al. 2018).
    """

    def __init__(self, dim: int, distances: int = 0, **kwargs):
        super().__init__(**kwargs)
        self.dim = dim
        self.distances = distances

    def build(self, input_shape):
        dense = tf.keras.layers.Dense
        half = tf.keras.initializers.VarianceScaling(2 / 3, "fan_avg", "uniform")  # as if one layer took both
        self.state = dense(self.dim, kernel_initializer=half, name="state")
        self.query = dense(self.dim, name="query")
        for layer in (self.state, self.query):
            layer.build(input_shape)
        self.key = dense(self.dim, use_bias=False, name="key")
        self.mean = dense(self.dim, use_bias=False, kernel_initializer="identity", name="mean")
        self.key.build([None, self.dim])
        self.mean.build([None, self.dim])
        if self.distances:
            self.slopes = self.add_weight(name="slopes", shape=(self.distances,), initializer="zeros")
        super().build(input_shape)

    def call(self, state, items, item_id, mask, distances=()):
        items = tf.cast(items, state.dtype)
        places = state.shape[1] if state.shape[1] is not None else tf.shape(state)[1]
        logits = tf.matmul(self.query(state) * self.dim**-0.5, self.key(items), transpose_b=True)
        logits = tf.cast(logits, tf.float32)
        for i, distance in enumerate(distances):
            logits -= tf.nn.softplus(tf.cast(self.slopes[i], tf.float32)) * tf.cast(distance[:, -places:], tf.float32)
        allowed = mask[:, -places:] & (item_id >= FIRST)[:, None, :]
        weights = tf.cast(masked_softmax(logits, allowed), items.dtype)
        return self.state(state) + self.mean(tf.matmul(weights, items))

    def get_config(self):
        return {**super().get_config(), "dim": self.dim, "distances": self.distances}
