"""A short sequence for each candidate: events that already know the candidate."""

from __future__ import annotations

import tensorflow as tf


@tf.keras.utils.register_keras_serializable("intentrec_tf")
class EarlyFusion(tf.keras.layers.Layer):
    """``x_ct = W concat(e_t, c) + position_t`` for chosen events of each candidate, then for the newest ones.

    The product with W is computed once for each event and once for each candidate, and added.

    Args:
        dim: of the rows.
        chosen: how many events are chosen for each candidate.
        newest: how many of the newest events follow them.

    Call arguments: ``inputs`` float [batch, C, d1], candidates; ``events`` float [batch, seq, d2], newest last;
        ``valid`` bool [batch, seq]; ``places`` int32 and ``there`` bool [batch, C, chosen], see :class:`NearestEvents`.
    Returns: ``rows`` float [batch, C, chosen + newest, dim] and ``real`` bool [batch, C, chosen + newest]; rows that
        are not real are zeros.

    Source: TransAct (Xia et al. 2023, arXiv 2306.00248): the candidate is concatenated to each event; learned
    positions as in TransAct V2 (Xia et al. 2025, arXiv 2506.02267).
    """

    def __init__(self, dim: int, chosen: int, newest: int, **kwargs):
        super().__init__(**kwargs)
        self.dim = dim
        self.chosen = chosen
        self.newest = newest
        self.event_rows = tf.keras.layers.Dense(dim, name="event_rows")
        self.candidate_rows = tf.keras.layers.Dense(dim, use_bias=False, name="candidate_rows")

    def build(self, input_shape):
        normal = tf.keras.initializers.RandomNormal(0, 0.02)
        shape = (self.chosen + self.newest, self.dim)
        self.positions = self.add_weight(name="positions", shape=shape, initializer=normal)
        super().build(input_shape)

    def call(self, inputs, events, valid, places, there):
        rows, own = self.event_rows(events), self.candidate_rows(inputs)
        picked = tf.gather(rows, places, batch_dims=1)
        # room for `newest` places in a history that is shorter
        newest = tf.pad(rows, [[0, 0], [self.newest, 0], [0, 0]])[:, -self.newest :]
        known = tf.pad(valid, [[0, 0], [self.newest, 0]])[:, -self.newest :]
        count = tf.shape(inputs)[1]
        rows = tf.concat([picked, tf.repeat(newest[:, None], count, axis=1)], axis=2)
        real = tf.concat([there, tf.repeat(known[:, None], count, axis=1)], axis=2)
        rows += own[:, :, None] + self.positions
        return tf.where(real[..., None], rows, tf.zeros_like(rows)), real

    def get_config(self):
        return {**super().get_config(), "dim": self.dim, "chosen": self.chosen, "newest": self.newest}
