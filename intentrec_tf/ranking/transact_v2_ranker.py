"""A short Transformer over the events that matter for the candidate."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from intentrec_tf.data_spec import DataSpec
from intentrec_tf.layers import EarlyFusion, NearestEvents, TransformerEncoder
from intentrec_tf.masking import NEVER
from intentrec_tf.models.config import ModelConfig
from intentrec_tf.models.parts import item_embedding
from intentrec_tf.ranking.config import RankingConfig
from intentrec_tf.ranking.parts import beside, ranking_inputs, sides, verdict
from intentrec_tf.ranking.ranker import Ranker

layers = tf.keras.layers


class TransActV2Ranker(Ranker):
    """TransAct V2, adapted: the candidate's nearest events of the older part, then the newest events, each fused with
    the candidate (:class:`NearestEvents`, :class:`EarlyFusion`); a causal Transformer of one head; its newest row and
    its maximum beside candidate and user, through a hidden layer.

    What differs from the paper: one history of one kind of event instead of lifelong, real-time and impression
    sequences; nearest by this model's own item vectors, not by a content embedding; the loss is the list's softmax
    instead of several actions' cross-entropies, and there is no Next Action Loss (the IntentRec model, whose state and
    Z are features here, is trained on the next event); events have times as well as positions.

    Args:
        spec: what the data set is.
        config: what the ranker is.
        base: of the IntentRec model.

    Source: Xia et al. 2025 (arXiv 2506.02267).
    """

    def __init__(self, spec: DataSpec, config: RankingConfig, base: ModelConfig, **kwargs: Any) -> None:
        inputs = ranking_inputs(spec, config, base)
        length = config.nearest + config.newest

        # --- layers
        embedding = item_embedding(spec, base)
        nearest = NearestEvents(config.nearest, name="nearest_events")
        fusion = EarlyFusion(config.width, config.nearest, config.newest, name="early_fusion")
        encoder = TransformerEncoder(config.blocks, 1, dropout=config.dropout, ffn_dim=config.width, name="transformer")

        # --- functional graph
        seen = sides(spec, config, base, embedding, inputs)
        user = layers.LayerNormalization(epsilon=1e-6, name="user_norm")(seen.user)
        older = tf.range(tf.shape(seen.valid)[1]) < tf.shape(seen.valid)[1] - config.newest
        places, there = nearest(seen.candidates, events=seen.items, valid=seen.valid & older)
        rows, real = fusion(seen.candidates, events=seen.events, valid=seen.valid, places=places, there=there)
        flat, known = tf.reshape(rows, [-1, length, config.width]), tf.reshape(real, [-1, length])
        index = tf.range(length)
        mask = known[:, None] & known[:, :, None] & (index[None, None] <= index[None, :, None])
        flat = encoder(flat, mask=mask)
        some = tf.reduce_any(known, axis=1, keepdims=True)
        largest = tf.reduce_max(tf.where(known[..., None], flat, tf.cast(NEVER, flat.dtype)), axis=1)
        both = tf.concat([flat[:, -1], largest], axis=1)
        both = tf.where(some, both, tf.zeros_like(both))
        read = tf.reshape(both, tf.concat([tf.shape(inputs["candidate"]), [2 * config.width]], axis=0))
        read = tf.ensure_shape(read, [None, None, 2 * config.width])
        parts = [read, seen.candidates, beside(user, seen.candidates)]
        scores = verdict(config, layers.Concatenate(name="both")(parts), inputs)

        super().__init__(
            spec, config, base, inputs, scores, embedding, name=kwargs.pop("name", "transact_v2_ranker"), **kwargs
        )
