"""The mean of an interest's members, where a query starts."""

from __future__ import annotations

import tensorflow as tf

from intentrec_tf.masking import masked_softmax

layers = tf.keras.layers


@tf.keras.utils.register_keras_serializable("intentrec_tf")
class MemberPooling(tf.keras.layers.Layer):
    """``m_j = normalise(sum_i a_ij psi_i)``, ``a_ij = w_ij exp(f_i) / sum_i' w_i'j exp(f_i')``.

    ``psi_i`` are item vectors of the history and ``w_ij`` says how much event i belongs to interest j.  ``f_i = v .
    gelu(W k_i + U u)`` is additive attention: from the event's key k (what it was, how long ago) and the user u it says
    how much the event tells of what comes next.  Without keys all members count alike, ``f = 0``.

    Args:
        hidden_dim: rows of W and U.

    Call arguments: ``members`` float [batch, seq, dim]; ``weights`` float32 [batch, seq, K], 0 or more; ``keys`` float
        [batch, seq, d] and ``user`` float [batch, d2], both or neither.
    Returns: float32 [batch, K, dim] of length 1; zeros where an interest has no member.
    Raises: ``ValueError`` if only one of ``keys`` and ``user`` is given.

    Source: additive attention: Bahdanau et al. 2015; within each cluster it is ours, where PinnerSage (Pal et al. 2020)
    weighs by age alone.
    """

    def __init__(self, hidden_dim: int = 32, **kwargs):
        super().__init__(**{"autocast": False, **kwargs})  # half precision would move the vectors that are searched
        self.hidden_dim = hidden_dim
        little = tf.keras.initializers.RandomNormal(0, 0.02)  # at first members count nearly alike
        self.of_key = layers.Dense(hidden_dim, name="of_key")
        self.of_user = layers.Dense(hidden_dim, use_bias=False, name="of_user")
        self.logit = layers.Dense(1, use_bias=False, kernel_initializer=little, name="logit")

    def call(self, members, weights, keys=None, user=None):
        if (keys is None) != (user is None):
            raise ValueError("MemberPooling takes keys and user together, or neither")
        weights, members = tf.cast(weights, tf.float32), tf.cast(members, tf.float32)
        if keys is not None:
            hidden = self.of_key(keys)
            logits = self.logit(tf.nn.gelu(hidden + tf.cast(self.of_user(user), hidden.dtype)[:, None]))
            belongs = weights > 0
            logits = tf.math.log(tf.where(belongs, weights, 1.0)) + tf.cast(logits, tf.float32)
            weights = masked_softmax(logits, belongs, axis=1)
        return tf.math.l2_normalize(tf.matmul(weights, members, transpose_a=True), axis=-1, epsilon=1e-9)

    def get_config(self):
        return {**super().get_config(), "hidden_dim": self.hidden_dim}
