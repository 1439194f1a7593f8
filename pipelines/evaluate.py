"""Full-ranking evaluation of a model, beside baselines, over every target event of a part."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from intentrec_tf.data_spec import DataSpec
from intentrec_tf.inputs import Columns
from intentrec_tf.metrics import (
    candidate_rank,
    hit_rate,
    intent_hits,
    intent_metrics,
    ndcg,
    reciprocal_rank,
    target_rank,
)
from intentrec_tf.metrics.ranking import UNREACHABLE, ScoreChunk
from intentrec_tf.models import NextItemModel
from intentrec_tf.ranking import Ranker
from intentrec_tf.retrieval import RetrievalModel
from intentrec_tf.vocabulary import FIRST
from pipelines.baselines import baselines
from pipelines.input_fn import evaluation_batches
from pipelines.prepared import PreparedData
from pipelines.progress import track
from pipelines.retrieval_input import with_topics
from pipelines.split import TEST

CUTOFFS = {"HR": (1, 5, 10, 20, 50, 100, 200, 500, 1000), "NDCG": (5, 10, 20)}
VALIDATED = ("NDCG@10", "HR@10", "HR@100")
ITEMS_AT_ONCE = 65_536
Step = Callable[[Columns, Columns], dict[str, Any]]


@dataclass(frozen=True)
class Evaluation:
    """Outcome of :func:`evaluate`.

    Attributes:
        metrics: system name -> metric name -> mean over targets; the model is called ``intentrec``.
        intents: intent name -> metrics of :func:`intentrec_tf.metrics.intent_metrics`.
        ranks: system name -> int32 [targets], in the order of the events.
        intent_hits: intent name -> int8 [targets], likewise; see :func:`intentrec_tf.metrics.intent_hits`.
        events: int [targets], places of the targets in ``prepared.events``, rising.
        targets_per_user: int [users with a target], in the order of the events.
        targets: number of target events.
        outside_catalogue: targets whose item training never saw; every system misses them.
        without_history: events of the part that are a user's very first and so were no question.
        seconds: wall time.
    """

    metrics: dict[str, dict[str, float]]
    intents: dict[str, dict[str, float]]
    ranks: dict[str, np.ndarray]
    intent_hits: dict[str, np.ndarray]
    events: np.ndarray
    targets_per_user: np.ndarray
    targets: int
    outside_catalogue: int
    without_history: int
    seconds: float


def ranking_metrics(ranks: np.ndarray) -> dict[str, float]:
    """HR@K, NDCG@K and MRR of 1-based ranks, each a mean over targets; 0 where there are none."""
    rank = tf.constant(ranks if len(ranks) else [UNREACHABLE])
    metrics = {f"HR@{k}": hit_rate(rank, k) for k in CUTOFFS["HR"]}
    metrics |= {f"NDCG@{k}": ndcg(rank, k) for k in CUTOFFS["NDCG"]}
    metrics["MRR"] = reciprocal_rank(rank)
    return {name: float(tf.reduce_mean(values)) for name, values in metrics.items()}


def ranking_step(
    model: NextItemModel | RetrievalModel | Ranker, batches: tf.data.Dataset, among: np.ndarray | None = None
) -> Step:
    """The function that ranks one of ``batches``: ``rank`` int32 [batch], ``intents`` probabilities [batch, d_i].

    The rank is among the whole catalogue, a ranker's among the candidates.

    Trace it once and use it for every validation.

    Args:
        model: of any kind.
        batches: of its questions.
        among: bool [V], the items that a target is compared with; None takes all.
    """

    @tf.function(input_signature=batches.element_spec)  # one trace for batches of every size
    def step(inputs: Columns, targets: Columns) -> dict[str, Any]:
        if isinstance(model, Ranker):
            scores = model(inputs, training=False)
            return {"rank": candidate_rank(scores, inputs["candidate"], targets["item"]), "intents": {}}
        if isinstance(model, RetrievalModel):
            scorer = model.item_scorer(model(inputs, training=False))
            return {"rank": rank_targets(scorer, model.spec, targets, among), "intents": {}}
        outputs = model.newest_model()(inputs, training=False)
        intents = {name: values[:, -1] for name, values in outputs["probabilities"].items()}
        scorer = model.item_scorer(model.newest(outputs))
        return {"rank": rank_targets(scorer, model.spec, targets, among), "intents": intents}

    return step


def validation_metrics(step: Step, batches: tf.data.Dataset) -> dict[str, float]:
    """``ndcg@10``, ``hr@10`` and ``hr@100`` of the model alone, for use while training; ``step`` is
    :func:`ranking_step`'s."""
    ranks = np.concatenate([step(inputs, targets)["rank"] for inputs, targets in batches])
    metrics = ranking_metrics(ranks)
    return {name.lower(): metrics[name] for name in VALIDATED}


def evaluate(
    model: NextItemModel | RetrievalModel,
    prepared: PreparedData,
    part: int = TEST,
    batch: int = 256,
    max_targets: int | None = None,
) -> Evaluation:
    """Rank the whole catalogue for every target event of a part.

    Args:
        model: with trained weights.
        prepared: its data.
        part: 1 validation, 2 test.
        batch: targets scored at once; they are compared with ``ITEMS_AT_ONCE`` items at a time, whatever the catalogue.
        max_targets: a seeded random subset of this size.
    """
    start = time.perf_counter()
    scorers = baselines(prepared)
    batches = evaluation_batches(prepared, part, batch, max_targets)
    if isinstance(model, RetrievalModel) and model.config.interests == "conditional":
        batches = with_topics(batches, prepared, model.config)
    model_step = ranking_step(model, batches)

    @tf.function(input_signature=batches.element_spec)
    def baseline_step(inputs: Columns, targets: Columns) -> dict[str, tf.Tensor]:
        return {name: rank_targets(score(inputs), model.spec, targets) for name, score in scorers.items()}

    found: dict[str, list[np.ndarray]] = {name: [] for name in ("intentrec", *scorers)}
    probabilities: dict[str, list[np.ndarray]] = {}
    labels: dict[str, list[np.ndarray]] = {}
    events: list[np.ndarray] = []
    outside = 0
    chosen = int((prepared.events["split"] == part).sum())
    total = -(-min(chosen, max_targets or chosen) // batch)
    for inputs, targets in track(batches, "evaluating", total):
        events.append(targets["event"].numpy())
        answer = model_step(inputs, targets)
        found["intentrec"].append(answer["rank"].numpy())
        for name, rank in baseline_step(inputs, targets).items():
            found[name].append(rank.numpy())
        for name, values in answer["intents"].items():
            probabilities.setdefault(name, []).append(values.numpy())
            labels.setdefault(name, []).append(model.intent_labels(name, targets).numpy())
        outside += int((targets["item"].numpy() < FIRST).sum())
    asked = np.concatenate(events) if events else np.zeros(0, int)
    order = np.argsort(asked)
    users = prepared.events["user_id"].iloc[asked[order]]
    predicted = {name: (np.concatenate(parts), np.concatenate(labels[name])) for name, parts in probabilities.items()}
    ranks = {name: np.concatenate(parts)[order] if parts else np.zeros(0, np.int32) for name, parts in found.items()}
    return Evaluation(
        metrics={name: ranking_metrics(values) for name, values in ranks.items()},
        intents={name: intent_metrics(*pair) for name, pair in predicted.items()},
        ranks=ranks,
        intent_hits={name: intent_hits(*pair)[order] for name, pair in predicted.items()},
        events=asked[order],
        targets_per_user=users.groupby(users, sort=False).size().to_numpy(),
        targets=len(ranks["intentrec"]),
        outside_catalogue=outside,
        without_history=min(chosen, max_targets or chosen) - len(ranks["intentrec"]),
        seconds=round(time.perf_counter() - start, 2),
    )


def rank_targets(scores_of: ScoreChunk, spec: DataSpec, targets: Columns, among: np.ndarray | None = None) -> tf.Tensor:
    """Rank of each target among the candidates the schema allows, int32 [batch]; ``among`` as of
    :func:`ranking_step`."""
    excluded = targets["seen"] if spec.schema.exclude_seen else None
    if among is not None:
        scores_of = _only(scores_of, tf.constant(among))
    return target_rank(scores_of, spec.items.size, targets["item"], excluded, ITEMS_AT_ONCE)


def _only(scores_of: ScoreChunk, among: tf.Tensor) -> ScoreChunk:
    """Scores of which those of the other items are ``-inf``."""
    return lambda start, stop: tf.where(among[None, start:stop], scores_of(start, stop), -float("inf"))
