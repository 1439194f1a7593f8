"""Keras layers, one public class a file."""

from intentrec_tf.layers.append_question import AppendQuestion
from intentrec_tf.layers.attention_mask import AttentionMask
from intentrec_tf.layers.differentiable_clustering import DifferentiableClustering
from intentrec_tf.layers.dropout import Dropout
from intentrec_tf.layers.dynamic_routing import DynamicRouting
from intentrec_tf.layers.early_fusion import EarlyFusion
from intentrec_tf.layers.event_age import EventAge
from intentrec_tf.layers.event_distance import EventDistance
from intentrec_tf.layers.hide_recent import HideRecent
from intentrec_tf.layers.history_mean import HistoryMean
from intentrec_tf.layers.id_dropout import IdDropout
from intentrec_tf.layers.intent_aggregation import IntentAggregation
from intentrec_tf.layers.interest_attention import InterestAttention
from intentrec_tf.layers.interest_crossing import InterestCrossing
from intentrec_tf.layers.interest_tokens import InterestTokens
from intentrec_tf.layers.item_embedding import ItemEmbedding
from intentrec_tf.layers.item_head import ItemHead
from intentrec_tf.layers.item_recency import ItemRecency
from intentrec_tf.layers.item_tower import ItemTower
from intentrec_tf.layers.label_embedding import LabelEmbedding
from intentrec_tf.layers.masked_items import MaskedItems
from intentrec_tf.layers.member_pooling import MemberPooling
from intentrec_tf.layers.nearest_events import NearestEvents
from intentrec_tf.layers.negative_sampler import NegativeSampler
from intentrec_tf.layers.numeric_scaling import NumericScaling
from intentrec_tf.layers.random_oov import RandomOOV
from intentrec_tf.layers.recent_rows import RecentRows
from intentrec_tf.layers.repeat_head import RepeatHead
from intentrec_tf.layers.segment_pool import SegmentPool
from intentrec_tf.layers.segment_rnn import SegmentRNN
from intentrec_tf.layers.self_attention import SelfAttention
from intentrec_tf.layers.slot_choice import SlotChoice
from intentrec_tf.layers.streaming_frequency import StreamingFrequency
from intentrec_tf.layers.target_attention import TargetAttention
from intentrec_tf.layers.timestamp_embedding import TimestampEmbedding
from intentrec_tf.layers.transformer_block import TransformerBlock
from intentrec_tf.layers.transformer_encoder import TransformerEncoder
from intentrec_tf.layers.user_summary import UserSummary

__all__ = [
    "AppendQuestion",
    "AttentionMask",
    "DifferentiableClustering",
    "Dropout",
    "DynamicRouting",
    "EarlyFusion",
    "EventAge",
    "EventDistance",
    "HideRecent",
    "HistoryMean",
    "IdDropout",
    "IntentAggregation",
    "InterestAttention",
    "InterestCrossing",
    "InterestTokens",
    "ItemEmbedding",
    "ItemHead",
    "ItemRecency",
    "ItemTower",
    "LabelEmbedding",
    "MaskedItems",
    "MemberPooling",
    "NearestEvents",
    "NegativeSampler",
    "NumericScaling",
    "RandomOOV",
    "RecentRows",
    "RepeatHead",
    "SegmentPool",
    "SegmentRNN",
    "SelfAttention",
    "SlotChoice",
    "StreamingFrequency",
    "TargetAttention",
    "TimestampEmbedding",
    "TransformerBlock",
    "TransformerEncoder",
    "UserSummary",
]
