"""Queries of a user: each interest crossed with the user as a whole."""

from __future__ import annotations

import tensorflow as tf
import tensorflow_recommenders as tfrs

from intentrec_tf.layers.dropout import Dropout

layers = tf.keras.layers


@tf.keras.utils.register_keras_serializable("intentrec_tf")
class InterestCrossing(tf.keras.layers.Layer):
    """``o_j = normalise(MLP(Cross(concat(c_j, share_j, age_j, u))) + m_j)``: a query per interest, by one network.

    ``share_j`` is the interest's part of the routing mass, ``age_j`` the weighted mean age of its events.  ``m_j``,
    where it is given, comes from :class:`MemberPooling`: the query starts among the items that the interest was found
    in, and the network says where to go from there.

    Args:
        dim: of the queries.
        hidden_dim: of the MLP's hidden layer.
        crosses: DCN v2 cross layers (of low rank ``dim``), ``x <- x0 * (W x + b) + x``.
        dropout: before the last layer.

    Call arguments: ``user`` float [batch, d]; ``interests`` float [batch, K, d2] and, where they come from the history,
        ``weights`` float32 [batch, seq, K] and ``age`` float32 [batch, seq].  Without interests there is one query.
        ``start`` float32 [batch, K, dim], the ``m_j``.
    Returns: float32 [batch, K, dim] of length 1.

    Source: Fan et al. 2025 (arXiv 2506.23060), conditions enter before the crossing; cross layers: Wang et al. 2021.
    Shares, ages and starts are ours: without the latter clusters teach their queries nothing until item vectors have
    taken shape, and the item vectors nothing until clusters have.
    """

    def __init__(self, dim: int, hidden_dim: int = 128, crosses: int = 1, dropout: float = 0.0, **kwargs):
        super().__init__(**kwargs)
        self.dim = dim
        self.hidden_dim = hidden_dim
        self.crosses = crosses
        self.dropout = dropout
        self.cross = [tfrs.layers.dcn.Cross(projection_dim=dim, name=f"cross_{n + 1}") for n in range(crosses)]
        self.hidden = layers.Dense(hidden_dim, activation="gelu", name="hidden")
        self.drop = Dropout(dropout, name="drop")
        self.last = layers.Dense(dim, name="last")

    def call(self, user, interests=None, weights=None, age=None, start=None, training=None):
        x = user[:, None]
        if interests is not None:
            parts = [tf.cast(interests, x.dtype)]
            if age is not None:
                mass = tf.reduce_sum(weights, axis=1)
                share = tf.math.divide_no_nan(mass, tf.reduce_sum(mass, axis=1, keepdims=True))
                old = tf.math.divide_no_nan(tf.reduce_sum(weights * age[..., None], axis=1), mass)
                parts += [tf.cast(part, x.dtype)[..., None] for part in (share, old)]
            count = tf.shape(interests)[1]
            parts.append(tf.broadcast_to(x, [tf.shape(x)[0], count, user.shape[-1]]))
            x = tf.concat(parts, axis=-1)
        first = x
        for cross in self.cross:
            x = cross(first, x)
        x = self.last(self.drop(self.hidden(x), training=training))
        x = tf.cast(x, tf.float32)
        if start is not None:
            x += start
        return tf.math.l2_normalize(x, axis=-1)

    def get_config(self):
        sizes = {"dim": self.dim, "hidden_dim": self.hidden_dim, "crosses": self.crosses, "dropout": self.dropout}
        return {**super().get_config(), **sizes}
