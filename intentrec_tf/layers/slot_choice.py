"""Which interest of a user an item belongs to."""

from __future__ import annotations

import tensorflow as tf

from intentrec_tf.layers.random_bits import open_uniform
from intentrec_tf.layers.random_layer import RandomLayer
from intentrec_tf.masking import NEVER


@tf.keras.utils.register_keras_serializable("intentrec_tf")
class SlotChoice(RandomLayer):
    """The query that is to learn from an item: of the user's K the one that scores it highest.

    ``kind="hard"``: ``j* = argmax_j o_j . v``; the other queries get no gradient.  ``"gumbel"``: in training one is
    drawn in proportion to ``exp(o_j . v / temperature)``, and the choice itself has the gradient of that softmax
    (straight-through), so that a query nobody chooses can come back.

    Args:
        kind: ``"hard"`` or ``"gumbel"``.
        temperature: of the draw.
        seed: see :class:`RandomLayer`.

    Call arguments: ``queries`` float [batch, K, dim], ``items`` float [batch, n, dim], ``slots`` bool [batch, K].
    Returns: the chosen queries, float [batch, n, dim], and their slots, int32 [batch, n].

    Source: argmax as in Cen et al. 2020 (ComiRec); straight-through Gumbel: Jang et al. 2017.
    """

    def __init__(self, kind: str = "hard", temperature: float = 0.1, seed: int | None = None, **kwargs):
        super().__init__(seed, **kwargs)
        if kind not in ("hard", "gumbel"):
            raise ValueError(f"kind must be 'hard' or 'gumbel', got {kind!r}")
        self.kind = kind
        self.temperature = temperature

    def call(self, queries, items, slots, training=None):
        items = tf.cast(items, queries.dtype)
        scores = tf.cast(tf.matmul(items, queries, transpose_b=True), tf.float32)
        scores = tf.where(slots[:, None, :], scores, NEVER)
        drawn = training and self.kind == "gumbel"
        if drawn:
            scores = tf.where(slots[:, None, :], scores / self.temperature + self._gumbel(tf.shape(scores)), NEVER)
        place = tf.argmax(scores, axis=-1, output_type=tf.int32)
        choice = tf.one_hot(place, scores.shape[-1])
        if drawn:
            soft = tf.nn.softmax(scores)
            choice += soft - tf.stop_gradient(soft)
        return tf.matmul(tf.cast(choice, queries.dtype), queries), place

    def _gumbel(self, shape: tf.Tensor) -> tf.Tensor:
        return -tf.math.log(-tf.math.log(open_uniform(self.bits(shape))))

    def get_config(self):
        return {**super().get_config(), "kind": self.kind, "temperature": self.temperature}
