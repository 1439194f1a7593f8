"""Scores of all items for a state."""

import tensorflow as tf

from intentrec_tf.masking import NEVER
from intentrec_tf.vocabulary import FIRST, OOV


@tf.keras.utils.register_keras_serializable("intentrec_tf")
class ItemHead(tf.keras.layers.Layer):
    """``logit_i = scale * q . v_i + b_i`` with ``q = W state``; padding and OOV rows get -1e9.

    ``similarity="dot"`` uses ``scale = 1``; ``"cosine"`` normalises both sides and uses ``scale = 1 / temperature``.
    With ``tied`` the ``v_i`` are the input's item vectors, given in the call; otherwise the head owns a table.
    Without ``item_bias`` there are no ``b_i``.

    Args:
        vocabulary_size: V.
        dim: dimension of item vectors.
        tied: whether item vectors are given in the call.
        similarity: ``"dot"`` or ``"cosine"``.
        temperature: of the cosine similarity.
        item_bias: whether each item has a bias.
        has_query: whether states are queries already (:class:`HistoryMean`), so that there is no W.

    Call arguments: ``state`` float [..., d]; ``item_vectors`` float [V, dim] when tied; ``rows`` int32 [R] to score
        only those, ``item_vectors`` then being theirs; ``known`` bool [V] or [R], which of them go by their own id (see
        :class:`IdDropout`): the others have the bias of the OOV row.  None: all do.
    Returns: float32 logits [..., V], or [..., R].
    """

    def __init__(
        self,
        vocabulary_size,
        dim,
        tied=True,
        similarity="dot",
        temperature=0.05,
        item_bias=True,
        has_query=False,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if similarity not in ("dot", "cosine"):
            raise ValueError(f"similarity must be 'dot' or 'cosine', got {similarity!r}")
        self.vocabulary_size = vocabulary_size
        self.dim = dim
        self.tied = tied
        self.similarity = similarity
        self.temperature = temperature
        self.item_bias = item_bias
        self.has_query = has_query

    def build(self, input_shape):
        if not self.has_query:
            self.query = tf.keras.layers.Dense(self.dim, name="query")
            self.query.build(input_shape)
        if self.item_bias:
            self.bias = self.add_weight(name="bias", shape=(self.vocabulary_size,), initializer="zeros")
        if not self.tied:
            normal = tf.keras.initializers.RandomNormal(0, 0.02)
            self.table = self.add_weight(name="table", shape=(self.vocabulary_size, self.dim), initializer=normal)
        super().build(input_shape)

    def call(self, state, item_vectors=None, rows=None, known=None):
        query, vectors, bias = self.factors(state, item_vectors, rows, known)
        logits = tf.cast(tf.matmul(query, tf.cast(vectors, query.dtype), transpose_b=True), tf.float32)
        return logits + bias

    def factors(self, state, item_vectors=None, rows=None, known=None):
        """What the logits are made of: ``query`` [..., dim], ``vectors`` [V, dim], float32 ``bias`` [V].

        ``logits = query @ vectors' + bias``; the bias holds the -1e9 of padding and OOV.  With ``rows``
        vectors and bias are [R, dim] and [R].
        """
        vectors = item_vectors if self.tied else self.table
        if rows is not None and not self.tied:
            vectors = tf.gather(vectors, rows)
        query = state if self.has_query else self.query(state)
        if self.similarity == "cosine":
            query = tf.math.l2_normalize(tf.cast(query, tf.float32), axis=-1) / self.temperature
            vectors = tf.math.l2_normalize(tf.cast(vectors, tf.float32), axis=-1)  # half precision: 0 / 0
        forbidden = tf.range(self.vocabulary_size) < FIRST if rows is None else rows < FIRST
        bias = tf.cast(forbidden, tf.float32) * NEVER
        if self.item_bias:
            every = tf.cast(self.bias, tf.float32)
            own = every if rows is None else tf.gather(every, rows)
            bias += own if known is None else tf.where(known, own, every[OOV])
        return query, vectors, bias

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "dim": self.dim,
            "tied": self.tied,
            "similarity": self.similarity,
            "temperature": self.temperature,
            "item_bias": self.item_bias,
            "has_query": self.has_query,
        }
