"""A stack of pre-norm Transformer blocks under a given mask."""

import tensorflow as tf

from intentrec_tf.layers.causal_self_attention import CausalSelfAttention


@tf.keras.utils.register_keras_serializable("intentrec_tf")
class TransformerEncoder(tf.keras.layers.Layer):
    """``x += Attention(Norm(x)); x += FFN(Norm(x))`` per block, and a last Norm.

    Knows no positions: the caller adds a timestamp embedding before.

    Args:
        blocks: number of blocks.
        heads: attention heads.
        expansion: FFN width as a multiple of the input dimension; the activation is GELU.
        dropout: rate on each residual branch.

    Call arguments: ``inputs`` float [batch, seq, dim], ``mask`` bool [batch, seq, seq] (see :class:`AttentionMask`).
    Returns: float [batch, seq, dim].
    """

    def __init__(self, blocks: int = 2, heads: int = 2, expansion: int = 4, dropout: float = 0.2, **kwargs):
        super().__init__(**kwargs)
        self.blocks = blocks
        self.heads = heads
        self.expansion = expansion
        self.dropout = dropout

    def build(self, input_shape):
        dim = input_shape[-1]
        layers = tf.keras.layers
        wide = (*input_shape[:-1], self.expansion * dim)
        self.attentions, self.attention_norms, self.ffn_norms, self.ffn_in, self.ffn_out = [], [], [], [], []
        for i in range(self.blocks):
            self.attentions.append(CausalSelfAttention(self.heads, name=f"attention_{i}"))
            self.attention_norms.append(layers.LayerNormalization(epsilon=1e-6, name=f"attention_norm_{i}"))
            self.ffn_norms.append(layers.LayerNormalization(epsilon=1e-6, name=f"ffn_norm_{i}"))
            self.ffn_in.append(layers.Dense(self.expansion * dim, activation=_gelu, name=f"ffn_in_{i}"))
            self.ffn_out.append(layers.Dense(dim, name=f"ffn_out_{i}"))
            for layer in (self.attentions[i], self.attention_norms[i], self.ffn_norms[i], self.ffn_in[i]):
                layer.build(input_shape)
            self.ffn_out[i].build(wide)
        self.last_norm = layers.LayerNormalization(epsilon=1e-6, name="last_norm")
        self.last_norm.build(input_shape)
        self.residual_dropout = layers.Dropout(self.dropout)
        super().build(input_shape)

    def call(self, inputs, mask, training=None):
        x = inputs
        for i in range(self.blocks):
            branch = self.attentions[i](self.attention_norms[i](x), mask)
            x += self.residual_dropout(branch, training=training)
            branch = self.ffn_out[i](self.ffn_in[i](self.ffn_norms[i](x)))
            x += self.residual_dropout(branch, training=training)
        return self.last_norm(x)

    def get_config(self):
        return {
            **super().get_config(),
            "blocks": self.blocks,
            "heads": self.heads,
            "expansion": self.expansion,
            "dropout": self.dropout,
        }


def _gelu(x):
    return tf.nn.gelu(x, approximate=True)
