"""How sure a model is, on questions of a new log and on those of the run's validation part.

Not on questions of the training part: the model knows their answers and is too sure of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf

from intentrec_tf.data_spec import DataSpec
from intentrec_tf.inputs import Columns
from intentrec_tf.metrics import hit_rate
from intentrec_tf.models import NextItemModel
from intentrec_tf.records import intent_column
from intentrec_tf.schema import CategoryIntent
from pipelines.drift.measures import Measure, numbers
from pipelines.drift.new_log import NewLog
from pipelines.encode import encode_feature
from pipelines.evaluate import rank_targets
from pipelines.input_fn import questions_of
from pipelines.prepared import PreparedData
from pipelines.progress import track
from pipelines.split import VALIDATION

QUESTIONS, CUTOFF = 1_000, 10
Step = Callable[[Columns, Columns], Columns]
LARGEST_BATCH, SCORES_AT_ONCE = 256, 2**24


@dataclass(frozen=True)
class ScoreMeasures:
    """What a model's answers say.

    Attributes:
        measures: of the top-1 probability, and of the entropies of the items and of each intent.
        hit_rate: HR@10 ``{"training": ..., "new": ...}`` of the sampled questions, ``training`` being the validation
            part's; None where there is no question.
    """

    measures: list[Measure]
    hit_rate: dict[str, float | None]

    @classmethod
    def of(
        cls, model: NextItemModel, prepared: PreparedData, log: NewLog, questions: int = QUESTIONS, seed: int = 0
    ) -> ScoreMeasures:
        """Ask a model.

        Args:
            model: with trained weights.
            prepared: its data.
            log: the new log.
            questions: a seeded random sample of this size on either side; each event with a past is one.
            seed: of the sample.
        """
        own = prepared.events
        old = _questions(model.spec, own, (own["split"] == VALIDATION).to_numpy(), questions, seed)
        new = _questions(model.spec, log.events, log.new, questions, seed)
        step = _step(model, old.element_spec)
        answers = [_answers(step, side, what) for side, what in zip((old, new), _WHAT, strict=True)]
        names = ["top-1 probability", "entropy of items"]
        names += [f"entropy of {name}" for name in model.spec.schema.intent_names if name in model.output["intents"]]
        empty = np.zeros(0)
        before, after = answers
        measures = [numbers(name, "score", before.get(name, empty), after.get(name, empty)) for name in names]
        rates = [float(np.mean(hit_rate(tf.constant(found["rank"]), CUTOFF))) if found else None for found in answers]
        return cls(measures, dict(zip(("training", "new"), rates, strict=True)))


_WHAT = ("asking the validation part", "asking the new log")


def sampled(events: pd.DataFrame, asked: np.ndarray, questions: int, seed: int) -> np.ndarray:
    """Places of the targets, rising: a seeded sample of those of ``asked`` whose user has an earlier event.

    Args:
        events: sorted by user and time.
        asked: bool [events].
        questions: at most so many.
        seed: of the sample.
    """
    places = np.flatnonzero(asked & events["user_id"].duplicated().to_numpy())
    if len(places) > questions:
        places = np.sort(np.random.default_rng(seed).choice(places, questions, replace=False))
    return places


def _questions(spec: DataSpec, events: pd.DataFrame, asked: np.ndarray, questions: int, seed: int) -> tf.data.Dataset:
    """Batches of the sampled questions; only their users' events are encoded."""
    places = sampled(events, asked, questions, seed)
    users = events["user_id"].isin(events["user_id"].iloc[places].unique()).to_numpy()
    frame, chosen = events[users], (np.cumsum(users) - 1)[places]
    sizes = frame.groupby("user_id", sort=False).size().to_numpy()
    batch = max(1, min(LARGEST_BATCH, SCORES_AT_ONCE // spec.items.size))
    return questions_of(spec, _columns(spec, frame), sizes, chosen, batch)


def _answers(step: Step, batches: tf.data.Dataset, what: str) -> dict[str, np.ndarray]:
    """Each question's rank of the true item, top-1 probability and entropies (nats), all [questions]; empty if none."""
    found = [step(inputs, targets) for inputs, targets in track(batches, what, int(batches.cardinality()))]
    return {name: np.concatenate([part[name] for part in found]) for name in (found[0] if found else ())}


def _step(model: NextItemModel, signature: Any) -> Step:
    @tf.function(input_signature=signature)  # one trace for both sides
    def step(inputs: Columns, targets: Columns) -> Columns:
        outputs = model.newest_model()(inputs, training=False)
        question = model.newest(outputs)
        chances = model.item_probabilities(question)
        found = {
            "rank": rank_targets(model.item_scorer(question), model.spec, targets),
            "top-1 probability": tf.reduce_max(chances, axis=-1),
            "entropy of items": _entropy(chances),
        }
        several = {intent.name for intent in model.spec.schema.intents if isinstance(intent, CategoryIntent)}
        for name, values in outputs["probabilities"].items():
            chances = values[:, -1]
            if name in several and model.config.multi_label_loss == "sigmoid":  # each label may be true by itself
                chances = tf.stack([chances, 1 - chances], axis=-1)
                found[f"entropy of {name}"] = tf.reduce_sum(_entropy(chances), axis=-1)
            else:
                found[f"entropy of {name}"] = _entropy(chances)
        return found

    return step


def _entropy(chances: tf.Tensor) -> tf.Tensor:
    return -tf.reduce_sum(tf.math.xlogy(chances, chances), axis=-1)


def _columns(spec: DataSpec, events: pd.DataFrame) -> Columns:
    """Every column of the records but the split; labels and weights, which no answer needs, are absent ones."""
    columns: dict[str, np.ndarray] = {
        "item_id": spec.items.lookup(events["item_id"].tolist()).astype(np.int32),
        "timestamp": events["timestamp"].to_numpy(np.int64),
        "weight": np.ones(len(events), np.float32),
    }
    for feature in spec.schema.event_features:
        values = encode_feature(feature, events[feature.name], spec.vocabularies.get(feature.name))
        if feature.kind == "multi_label":
            width = spec.event_widths[feature.name]
            values = np.pad(values, [(0, 0), (0, max(0, width - values.shape[1]))])[:, :width]
        columns[feature.name] = values
    for intent in spec.schema.single_label_intents:
        columns[intent_column(intent.name)] = np.full(len(events), -1, np.int32)
    return {name: tf.constant(values) for name, values in columns.items()}
