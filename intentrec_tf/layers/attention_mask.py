"""The one place where it is decided which event may look at which."""

import tensorflow as tf

from intentrec_tf.layers.segments import same_segment


@tf.keras.utils.register_keras_serializable("intentrec_tf")
class AttentionMask(tf.keras.layers.Layer):
    """Causal AND same user AND not padding AND, with a window, not older than it.

    ``mask[b, k, i]`` is true where event ``k`` may attend to event ``i``: ``i <= k``, equal non-zero segment and
    ``0 <= T_k - T_i <= window`` (IntentRec, arXiv 2408.05353, Eq 1).  An event always sees itself; a padding row
    sees nothing, which :class:`SelfAttention` turns into finite numbers nobody reads.

    Args:
        window: seconds, or None for the whole history.
        causal: without it, ``i > k`` is allowed too (BERT4Rec).

    Call arguments: ``segment`` int32 [batch, seq], ``timestamp`` int64 [batch, seq] unix seconds.
    Returns: bool [batch, seq, seq].

    Example:
        >>> AttentionMask(window=10)(tf.constant([[1, 1]]), tf.constant([[0, 60]], tf.int64)).numpy().astype(int)
        array([[[1, 0],
                [0, 1]]])
    """

    def __init__(self, window: int | None = None, causal: bool = True, **kwargs):
        super().__init__(**kwargs)
        if window is not None and not causal:
            raise ValueError("a window looks back only: it needs causal=True")
        self.window = window
        self.causal = causal

    def call(self, segment, timestamp):
        mask = same_segment(segment)
        if self.causal:
            index = tf.range(tf.shape(segment)[1])
            mask &= index[None, None, :] <= index[None, :, None]
        if self.window is not None:
            age = timestamp[:, :, None] - timestamp[:, None, :]
            mask &= (age >= 0) & (age <= self.window)
        return mask

    def get_config(self):
        return {**super().get_config(), "window": self.window, "causal": self.causal}
