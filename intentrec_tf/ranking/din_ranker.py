"""Attention of the candidate over the history."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from intentrec_tf.data_spec import DataSpec
from intentrec_tf.layers import TargetAttention
from intentrec_tf.models.config import ModelConfig
from intentrec_tf.models.parts import item_embedding
from intentrec_tf.ranking.config import RankingConfig
from intentrec_tf.ranking.parts import beside, ranking_inputs, sides, verdict
from intentrec_tf.ranking.ranker import Ranker

layers = tf.keras.layers


class DINRanker(Ranker):
    """DIN: what of the history has to do with the candidate (:class:`TargetAttention`), beside candidate and user.

    ``MLP(concat(p_c, p_c * c, c, user))`` with Z and the item state among the user's features.  Events carry their
    features, their time and their age, which the paper's do not.

    Args:
        spec: what the data set is.
        config: what the ranker is.
        base: of the IntentRec model.

    Source: Zhou et al. 2018 (arXiv 1706.06978); Z as a feature is ours.
    """

    def __init__(self, spec: DataSpec, config: RankingConfig, base: ModelConfig, **kwargs: Any) -> None:
        inputs = ranking_inputs(spec, config, base)

        # --- layers
        embedding = item_embedding(spec, base)
        attention = TargetAttention(config.attention_dim, name="target_attention")

        # --- functional graph
        seen = sides(spec, config, base, embedding, inputs)
        user = layers.LayerNormalization(epsilon=1e-6, name="user_norm")(seen.user)
        found = attention(seen.candidates, events=seen.events, valid=seen.valid)
        found = layers.LayerNormalization(epsilon=1e-6, name="found_norm")(found)
        parts = [found, found * seen.candidates, seen.candidates, beside(user, seen.candidates)]
        scores = verdict(config, layers.Concatenate(name="both")(parts), inputs)

        super().__init__(spec, config, base, inputs, scores, embedding, name=kwargs.pop("name", "din_ranker"), **kwargs)
