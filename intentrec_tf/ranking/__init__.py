"""Rankers that read user and candidate together."""

from intentrec_tf.ranking.build import build_ranker
from intentrec_tf.ranking.config import RankingConfig
from intentrec_tf.ranking.dcn_ranker import DCNRanker
from intentrec_tf.ranking.din_ranker import DINRanker
from intentrec_tf.ranking.joint_ranker import JointRanker
from intentrec_tf.ranking.ranker import Ranker
from intentrec_tf.ranking.transact_v2_ranker import TransActV2Ranker

__all__ = [
    "DCNRanker",
    "DINRanker",
    "JointRanker",
    "Ranker",
    "RankingConfig",
    "TransActV2Ranker",
    "build_ranker",
]
