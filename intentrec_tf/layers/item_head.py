"""Scores of all items for a state."""

import tensorflow as tf

from intentrec_tf.vocabulary import FIRST

NEVER = -1e9


@tf.keras.utils.register_keras_serializable("intentrec_tf")
class ItemHead(tf.keras.layers.Layer):
    """``logit_i = scale * q . v_i + b_i`` with ``q = W state``; padding and OOV rows get -1e9.

    ``similarity="dot"`` uses ``scale = 1``; ``"cosine"`` normalises both sides and uses ``scale = 1 / temperature``.
    With ``tied`` the ``v_i`` are the input's item vectors, given in the call; otherwise the head owns a table.

    Args:
        vocabulary_size: V.
        dim: dimension of item vectors.
        tied: whether item vectors are given in the call.
        similarity: ``"dot"`` or ``"cosine"``.
        temperature: of the cosine similarity.

    Call arguments: ``state`` float [..., d]; ``item_vectors`` float [V, dim] when tied.
    Returns: float32 logits [..., V].
    """

    def __init__(self, vocabulary_size, dim, tied=True, similarity="dot", temperature=0.05, **kwargs):
        super().__init__(**kwargs)
        if similarity not in ("dot", "cosine"):
            raise ValueError(f"similarity must be 'dot' or 'cosine', got {similarity!r}")
        self.vocabulary_size = vocabulary_size
        self.dim = dim
        self.tied = tied
        self.similarity = similarity
        self.temperature = temperature

    def build(self, input_shape):
        self.query = tf.keras.layers.Dense(self.dim, name="query")
        self.query.build(input_shape)
        self.bias = self.add_weight(name="bias", shape=(self.vocabulary_size,), initializer="zeros")
        if not self.tied:
            normal = tf.keras.initializers.RandomNormal(0, 0.02)
            self.table = self.add_weight(name="table", shape=(self.vocabulary_size, self.dim), initializer=normal)
        super().build(input_shape)

    def call(self, state, item_vectors=None):
        vectors = item_vectors if self.tied else self.table
        query = self.query(state)
        if self.similarity == "cosine":
            query = tf.math.l2_normalize(query, axis=-1) / self.temperature
            vectors = tf.math.l2_normalize(vectors, axis=-1)
        logits = tf.cast(tf.matmul(query, tf.cast(vectors, query.dtype), transpose_b=True), tf.float32)
        forbidden = tf.cast(tf.range(self.vocabulary_size) < FIRST, tf.float32) * NEVER
        return logits + tf.cast(self.bias, tf.float32) + forbidden

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "dim": self.dim,
            "tied": self.tied,
            "similarity": self.similarity,
            "temperature": self.temperature,
        }
