"""A stack of pre-norm Transformer blocks under a given mask."""

import tensorflow as tf

from intentrec_tf.layers.dropout import Dropout
from intentrec_tf.layers.self_attention import SelfAttention


@tf.keras.utils.register_keras_serializable("intentrec_tf")
class TransformerEncoder(tf.keras.layers.Layer):
    """``x += Attention(Norm(x)); x += FFN(Norm(x))`` per block, and a last Norm.

    Knows no positions: the caller adds a timestamp embedding before.

    Args:
        blocks: number of blocks.
        heads: attention heads.
        expansion: FFN width as a multiple of the input dimension; the activation is GELU.
        dropout: rate on each residual branch.
        attention_dropout: rate on the attention weights.
        causal: whether the mask is, see :class:`SelfAttention`.

    Call arguments: ``inputs`` float [batch, seq, dim], ``mask`` bool [batch, seq, seq] (see :class:`AttentionMask`).
    Returns: float [batch, seq, dim].
    """

    def __init__(
        self,
        blocks: int = 2,
        heads: int = 2,
        expansion: int = 4,
        dropout: float = 0.2,
        attention_dropout: float = 0.0,
        causal: bool = True,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.blocks = blocks
        self.heads = heads
        self.expansion = expansion
        self.dropout = dropout
        self.attention_dropout = attention_dropout
        self.causal = causal

    def build(self, input_shape):
        dim = input_shape[-1]
        layers = tf.keras.layers
        wide = (*input_shape[:-1], self.expansion * dim)
        self.attentions, self.attention_norms, self.ffn_norms, self.ffn_in, self.ffn_out = [], [], [], [], []
        for i in range(self.blocks):
            attention = SelfAttention(self.heads, self.causal, self.attention_dropout, name=f"attention_{i}")
            self.attentions.append(attention)
            self.attention_norms.append(layers.LayerNormalization(epsilon=1e-6, name=f"attention_norm_{i}"))
            self.ffn_norms.append(layers.LayerNormalization(epsilon=1e-6, name=f"ffn_norm_{i}"))
            self.ffn_in.append(layers.Dense(self.expansion * dim, activation=_gelu, name=f"ffn_in_{i}"))
            self.ffn_out.append(layers.Dense(dim, name=f"ffn_out_{i}"))
            for layer in (self.attentions[i], self.attention_norms[i], self.ffn_norms[i], self.ffn_in[i]):
                layer.build(input_shape)
            self.ffn_out[i].build(wide)
        self.last_norm = layers.LayerNormalization(epsilon=1e-6, name="last_norm")
        self.last_norm.build(input_shape)
        self.residual_dropout = Dropout(self.dropout, name="residual_dropout")
        self.residual_dropout.build(input_shape)
        super().build(input_shape)

    def call(self, inputs, mask, training=None):
        x = inputs
        for i in range(self.blocks):
            branch = self.attentions[i](self.attention_norms[i](x), mask, training=training)
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
            "attention_dropout": self.attention_dropout,
            "causal": self.causal,
        }


def _gelu(x):
    return tf.nn.gelu(x, approximate=True)
