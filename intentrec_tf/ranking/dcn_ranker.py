"""Crosses of user and candidate."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tensorflow_recommenders as tfrs

from intentrec_tf.data_spec import DataSpec
from intentrec_tf.models.config import ModelConfig
from intentrec_tf.models.parts import item_embedding
from intentrec_tf.ranking.config import RankingConfig
from intentrec_tf.ranking.parts import beside, ranking_inputs, sides, verdict
from intentrec_tf.ranking.ranker import Ranker

layers = tf.keras.layers


class DCNRanker(Ranker):
    """DCN v2: ``x_0 = concat(candidate, user)``, ``x_(l+1) = x_0 * (W_l x_l + b_l) + x_l``, then a hidden layer.

    The candidate is its item vector, which holds its catalogue features; the user is the mean of the events, the newest
    event, the moment of the question, and of the IntentRec model Z and the item state.  The W_l have low rank
    (``hidden_dim``).  Cross layers and the hidden layer are stacked, one of the paper's two forms.

    Args:
        spec: what the data set is.
        config: what the ranker is.
        base: of the IntentRec model.

    Source: Wang et al. 2021 (arXiv 2008.13535).
    """

    def __init__(self, spec: DataSpec, config: RankingConfig, base: ModelConfig, **kwargs: Any) -> None:
        inputs = ranking_inputs(spec, config, base)

        # --- layers
        embedding = item_embedding(spec, base)
        crosses = [
            tfrs.layers.dcn.Cross(projection_dim=config.hidden_dim, name=f"cross_{n + 1}")
            for n in range(config.crosses)
        ]

        # --- functional graph
        seen = sides(spec, config, base, embedding, inputs)
        user = layers.LayerNormalization(epsilon=1e-6, name="user_norm")(seen.user)
        x = first = layers.Concatenate(name="both")([seen.candidates, beside(user, seen.candidates)])
        for cross in crosses:
            x = cross(first, x)
        scores = verdict(config, x, inputs)

        super().__init__(spec, config, base, inputs, scores, embedding, name=kwargs.pop("name", "dcn_ranker"), **kwargs)
