"""Multi-head self-attention under a given mask, with one fused projection."""

import tensorflow as tf


@tf.keras.utils.register_keras_serializable("intentrec_tf")
class CausalSelfAttention(tf.keras.layers.Layer):
    """``softmax(Q K' / sqrt(d_head)) V`` over the positions the mask allows, then a projection.

    Q, K and V come from one matrix product.  Forbidden logits become -1e9 (finite, so a position that sees nothing
    stays finite too).  Which positions are allowed, causality included, is the mask's business alone.
    The weights see no dropout: drawing it took longer than the attention itself (XLA on a CPU), and the encoder drops
    the whole branch anyway.

    Args:
        heads: number of heads; must divide the last dimension of the input.

    Call arguments: ``inputs`` float [batch, seq, dim], ``mask`` bool [batch, seq, seq].
    Returns: float [batch, seq, dim].

    Source: Vaswani et al. 2017, section 3.2; used causally as in SASRec (Kang and McAuley 2018).
    """

    def __init__(self, heads: int = 2, **kwargs):
        super().__init__(**kwargs)
        self.heads = heads

    def build(self, input_shape):
        dim = input_shape[-1]
        if dim % self.heads:
            raise ValueError(f"heads={self.heads} must divide the input dimension {dim}")
        self.qkv = tf.keras.layers.Dense(3 * dim, name="qkv")
        self.qkv.build(input_shape)
        self.projection = tf.keras.layers.Dense(dim, name="projection")
        self.projection.build(input_shape)
        super().build(input_shape)

    def call(self, inputs, mask):
        batch, seq, dim = tf.shape(inputs)[0], tf.shape(inputs)[1], inputs.shape[-1]
        qkv = tf.reshape(self.qkv(inputs), [batch, seq, 3, self.heads, dim // self.heads])
        query, key, value = tf.unstack(tf.transpose(qkv, [2, 0, 3, 1, 4]))
        logits = tf.matmul(query * (dim // self.heads) ** -0.5, key, transpose_b=True)
        logits = tf.where(mask[:, None], tf.cast(logits, tf.float32), -1e9)
        weights = tf.cast(tf.nn.softmax(logits), value.dtype)
        mixed = tf.transpose(tf.matmul(weights, value), [0, 2, 1, 3])
        return self.projection(tf.reshape(mixed, [batch, seq, dim]))

    def get_config(self):
        return {**super().get_config(), "heads": self.heads}
