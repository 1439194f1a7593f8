"""Ranking and intent metrics; each is a plain function, so trainer, evaluator and tests share it."""

from intentrec_tf.metrics.intents import intent_hits, intent_metrics
from intentrec_tf.metrics.ranking import candidate_rank, hit_rate, ndcg, reciprocal_rank, target_rank

__all__ = ["candidate_rank", "hit_rate", "intent_hits", "intent_metrics", "ndcg", "reciprocal_rank", "target_rank"]
