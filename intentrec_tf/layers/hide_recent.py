"""Keep a random stretch of time before the request from a model in training."""

from __future__ import annotations

import tensorflow as tf

from intentrec_tf.layers.random_layer import RandomLayer
from intentrec_tf.layers.segments import position_in_segment, same_segment


@tf.keras.utils.register_keras_serializable("intentrec_tf")
class HideRecent(RandomLayer):
    """In training, position ``k`` has the state of the newest event that is older than a random window; else its own.

    TransAct masks the events of a window ``T ~ U(0, 24 h)`` before the request, so that a user's last minutes alone do
    not decide.  Event ``i`` is hidden from position ``k`` where ``R_k - T_i < T``: always the newest ones up to some
    event ``v``.  Where ``states`` is causal (row ``v`` made of events up to ``v`` alone), row ``v`` is thus what the
    masked sequence gives, with nothing leaking through residuals or other rows; no mask inside the network could do
    that for all positions at once.  With every event hidden the state is zero, so that biases answer.

    One ``T`` per user and row (whole seconds), drawn anew each step.

    Args:
        window: seconds, the upper end of ``T``; 0 hides nothing.
        seed: see :class:`RandomLayer`.

    Call arguments: ``states`` float [batch, seq, dim], ``segment`` int32 [batch, seq], ``timestamp`` int64
        [batch, seq] unix seconds, ``request`` int64 [batch, seq], the time ``R_k`` at which position ``k`` is asked.
    Returns: float [batch, seq, dim].

    Source: Xia et al. 2023 (arXiv 2306.00248), "random time window mask"; there for one request a sequence.
    """

    def __init__(self, window: int = 86_400, seed: int | None = None, **kwargs):
        super().__init__(seed, **kwargs)
        if not 0 <= window < 2**31:
            raise ValueError(f"window must be in [0, 2**31), got {window}")
        self.window = window

    def call(self, states, segment, timestamp, request, training=None):
        if not training or self.window == 0:
            return states
        seq = tf.shape(segment)[1]
        index = tf.range(seq)
        first = index - position_in_segment(segment)
        drawn = tf.cast(self.bits(tf.shape(segment)), tf.int64) * self.window // 2**32
        edge = request - tf.gather(drawn, first, batch_dims=1)  # a user's draw is the one at their first place
        hidden = same_segment(segment) & (index[None, None, :] <= index[None, :, None])
        hidden &= timestamp[:, None, :] > edge[:, :, None]
        oldest = tf.argmax(tf.cast(hidden, tf.int32), axis=2, output_type=tf.int32)
        newest = tf.where(tf.reduce_any(hidden, axis=2), oldest - 1, index)
        chosen = tf.where(newest >= first, newest, -1)
        return tf.matmul(tf.one_hot(chosen, seq, dtype=states.dtype), states)  # a gather's gradient is slow

    def get_config(self):
        return {**super().get_config(), "window": self.window}
