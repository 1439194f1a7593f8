"""Functional graphs built from a schema and a configuration."""

from intentrec_tf.models.bert4rec import BERT4Rec
from intentrec_tf.models.build import build_model
from intentrec_tf.models.config import ModelConfig
from intentrec_tf.models.intentrec import IntentRec
from intentrec_tf.models.next_item_model import NextItemModel
from intentrec_tf.models.recurrent import Recurrent
from intentrec_tf.models.sasrec import SASRec
from intentrec_tf.models.transact import TransAct
from intentrec_tf.models.transformer import Transformer
from intentrec_tf.models.two_tower import TwoTower

__all__ = [
    "BERT4Rec",
    "IntentRec",
    "ModelConfig",
    "NextItemModel",
    "Recurrent",
    "SASRec",
    "TransAct",
    "Transformer",
    "TwoTower",
    "build_model",
]
