"""Which class builds which variant."""

from __future__ import annotations

from collections.abc import Callable

from intentrec_tf.data_spec import DataSpec
from intentrec_tf.models.bert4rec import BERT4Rec
from intentrec_tf.models.config import ModelConfig
from intentrec_tf.models.intentrec import IntentRec
from intentrec_tf.models.next_item_model import NextItemModel
from intentrec_tf.models.recurrent import Recurrent
from intentrec_tf.models.sasrec import SASRec
from intentrec_tf.models.transact import TransAct
from intentrec_tf.models.transformer import Transformer
from intentrec_tf.models.two_tower import TwoTower

_CLASSES: dict[str, Callable[[DataSpec, ModelConfig], NextItemModel]] = {
    **dict.fromkeys(("V0", "V1", "V2", "V3"), IntentRec),
    "SASRec": SASRec,
    "BERT4Rec": BERT4Rec,
    **dict.fromkeys(("GRU", "LSTM"), Recurrent),
    "Transformer": Transformer,
    "TransAct": TransAct,
    "TwoTower": TwoTower,
}


def build_model(spec: DataSpec, config: ModelConfig) -> NextItemModel:
    """The model of ``config.variant`` for a data set.

    Raises:
        ValueError: the variant predicts intents and the schema declares none.
    """
    return _CLASSES[config.variant](spec, config)
