"""Point at an event of the history: its item once more."""

from __future__ import annotations

import tensorflow as tf

from intentrec_tf.layers.segments import previous_in_segment
from intentrec_tf.masking import NEVER
from intentrec_tf.vocabulary import FIRST


@tf.keras.utils.register_keras_serializable("intentrec_tf")
class RepeatHead(tf.keras.layers.Layer):
    """How likely the next item is one of the history, and which event's it is.

    ``pointer[k, j] = q_k . (W v_j + U s_(j-1)) / sqrt(dim) - slopes_k . distance(k, j)``: an event answers to its item
    ``v_j`` and to the situation ``s_(j-1)`` in which it was chosen, so "as last time in this situation" can be learnt,
    and prefers what is near, in events, in time, in items met since.  The slopes are learnt, the same everywhere or,
    ``adaptive``, by the state: whoever goes on with what they began looks nearer than whoever returns.  ``share[k]`` is
    the logit of repeating at all.  Given both,

    ``p(i) = (1 - r) softmax(item logits)_i + r sum_(j <= k, item_j = i) softmax(pointer_k)_j``, ``r = sigmoid(share)``.

    Args:
        dim: width of queries and keys.
        distances: how many kinds of them there are.
        adaptive: whether slopes depend on the state.

    Call arguments: ``state`` float [batch, seq, any] (what the item head scores, with Z where there is one), ``items``
        float [batch, seq, any] item vectors, ``item_id`` int32 [batch, seq] their rows (padding and OOV are never
        pointed at), ``segment`` int32 [batch, seq], ``mask`` bool [batch, seq, seq], ``distances``: floats
        [1 or batch, seq, seq], see :class:`EventDistance` and :class:`ItemRecency`.
    Returns: a dictionary of ``share`` float32 [batch, seq], ``pointer`` float32 [batch, seq, seq] (-1e9 where pointing
        is forbidden), and ``item_id`` as given.

    Source: the two modes of RepeatNet (Ren et al. 2019) in the mixture of pointer-generator networks (See et al. 2017).
    """

    def __init__(self, dim: int, distances: int = 2, adaptive: bool = False, **kwargs):
        super().__init__(**kwargs)
        self.dim = dim
        self.distances = distances
        self.adaptive = adaptive

    def build(self, input_shape):
        dense = tf.keras.layers.Dense
        self.query, self.situation = dense(self.dim, name="query"), dense(self.dim, use_bias=False, name="situation")
        self.share = dense(1, name="share")
        for layer in (self.query, self.situation, self.share):
            layer.build(input_shape)
        self.item = dense(self.dim, use_bias=False, name="item")
        self.slopes = self.add_weight(name="slopes", shape=(self.distances,), initializer="ones")
        if self.adaptive:
            self.slopes_by_state = dense(
                self.distances, use_bias=False, kernel_initializer="zeros", name="slopes_by_state"
            )
            self.slopes_by_state.build(input_shape)
        super().build(input_shape)

    def call(self, state, items, item_id, segment, mask, distances):
        _, known = previous_in_segment(segment, segment)
        earlier = tf.pad(state[:, :-1], [[0, 0], [1, 0], [0, 0]]) * tf.cast(known, state.dtype)[..., None]
        key = self.item(items) + self.situation(earlier)
        pointer = tf.matmul(self.query(state) * self.dim**-0.5, key, transpose_b=True)
        pointer = tf.cast(pointer, tf.float32)
        slopes = tf.cast(self.slopes, tf.float32)[None, None]
        if self.adaptive:
            slopes += tf.cast(self.slopes_by_state(state), tf.float32)
        for slope, distance in zip(tf.split(slopes, self.distances, axis=-1), distances, strict=True):
            pointer -= slope * tf.cast(distance, tf.float32)
        share = tf.cast(self.share(state)[..., 0], tf.float32)
        mask &= (item_id >= FIRST)[:, None, :]
        return {"share": share, "pointer": tf.where(mask, pointer, NEVER), "item_id": item_id}

    def get_config(self):
        return {**super().get_config(), "dim": self.dim, "distances": self.distances, "adaptive": self.adaptive}
