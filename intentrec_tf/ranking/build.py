"""Which class builds which kind of ranker."""

from __future__ import annotations

from collections.abc import Callable

from intentrec_tf.data_spec import DataSpec
from intentrec_tf.models.config import ModelConfig
from intentrec_tf.ranking.config import RankingConfig
from intentrec_tf.ranking.dcn_ranker import DCNRanker
from intentrec_tf.ranking.din_ranker import DINRanker
from intentrec_tf.ranking.ranker import Ranker
from intentrec_tf.ranking.transact_v2_ranker import TransActV2Ranker

_CLASSES: dict[str, Callable[[DataSpec, RankingConfig, ModelConfig], Ranker]] = {
    "dcn": DCNRanker,
    "din": DINRanker,
    "transact_v2": TransActV2Ranker,
}


def build_ranker(spec: DataSpec, config: RankingConfig, base: ModelConfig) -> Ranker:
    """The ranker of ``config.kind`` for a data set.

    Args:
        spec: what the data set is.
        config: what the ranker is.
        base: of the IntentRec model whose features it reads.

    Raises:
        ValueError: Z is asked for, and that model has none.
    """
    if config.intent and base.variant not in ("V2", "V3"):
        raise ValueError(
            f"ranking.intent needs a V2 or V3 run, not {base.variant}; name one or set ranking.intent=false"
        )
    return _CLASSES[config.kind](spec, config, base)
