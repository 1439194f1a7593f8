"""Where a query starts: among the items that its interest was found in."""

from __future__ import annotations

import tensorflow as tf

from intentrec_tf.masking import NEVER

layers = tf.keras.layers


@tf.keras.utils.register_keras_serializable("intentrec_tf")
class InterestStart(tf.keras.layers.Layer):
    """``m_j = normalise(sum_i a_ij psi_i)``, ``a_ij = w_ij exp(f_i) / sum_i' w_i'j exp(f_i')``.

    ``psi_i`` are item vectors of the history and ``w_ij`` says how much event i belongs to interest j.  ``f_i = v .
    gelu(W t_i + U u)`` says, from the event's traits t (what it was, how long ago) and the user u, how much it tells of
    what comes next; without traits all members count alike, ``f = 0``, and at first nearly so with them.

    Args:
        hidden_dim: rows of W and U.

    Call arguments: ``members`` float [batch, seq, dim]; ``weights`` float32 [batch, seq, K], 0 or more; ``traits``
        float [batch, seq, d] and ``user`` float [batch, d2], both or neither.
    Returns: float32 [batch, K, dim] of length 1; zeros where an interest has no member.

    Source: ours; a learnt attention within each cluster, where PinnerSage (Pal et al. 2020) weighs by age alone.
    """

    def __init__(self, hidden_dim: int = 32, **kwargs):
        super().__init__(**kwargs)
        self.hidden_dim = hidden_dim
        self.trait = layers.Dense(hidden_dim, name="trait")
        self.of_user = layers.Dense(hidden_dim, use_bias=False, name="of_user")
        little = tf.keras.initializers.RandomNormal(0, 0.02)
        self.focus = layers.Dense(1, use_bias=False, kernel_initializer=little, name="focus")

    def call(self, members, weights, traits=None, user=None):
        weights, members = tf.cast(weights, tf.float32), tf.cast(members, tf.float32)
        if traits is not None:
            hidden = self.trait(traits)
            told = self.focus(tf.nn.gelu(hidden + tf.cast(self.of_user(user), hidden.dtype)[:, None]))
            belongs = weights > 0
            logits = tf.math.log(tf.where(belongs, weights, 1.0)) + tf.cast(told, tf.float32)
            weights = tf.where(belongs, tf.nn.softmax(tf.where(belongs, logits, NEVER), axis=1), 0.0)
        return tf.math.l2_normalize(tf.matmul(weights, members, transpose_a=True), axis=-1, epsilon=1e-9)

    def get_config(self):
        return {**super().get_config(), "hidden_dim": self.hidden_dim}
