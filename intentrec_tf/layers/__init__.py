"""Keras layers, one public class a file."""

from intentrec_tf.layers.attention_mask import AttentionMask
from intentrec_tf.layers.causal_self_attention import CausalSelfAttention
from intentrec_tf.layers.intent_aggregation import IntentAggregation
from intentrec_tf.layers.item_embedding import ItemEmbedding
from intentrec_tf.layers.item_head import ItemHead
from intentrec_tf.layers.label_embedding import LabelEmbedding
from intentrec_tf.layers.numeric_scaling import NumericScaling
from intentrec_tf.layers.random_oov import RandomOOV
from intentrec_tf.layers.timestamp_embedding import TimestampEmbedding
from intentrec_tf.layers.transformer_encoder import TransformerEncoder

__all__ = [
    "AttentionMask",
    "CausalSelfAttention",
    "IntentAggregation",
    "ItemEmbedding",
    "ItemHead",
    "LabelEmbedding",
    "NumericScaling",
    "RandomOOV",
    "TimestampEmbedding",
    "TransformerEncoder",
]
