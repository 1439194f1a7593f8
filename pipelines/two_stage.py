"""Candidates and their ranking, end to end, beside ranking the whole catalogue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import tensorflow as tf

from intentrec_tf.inputs import Columns
from intentrec_tf.models import NextItemModel
from intentrec_tf.ranking import JointRanker
from intentrec_tf.retrieval import Queries, Retriever
from pipelines.candidate_tally import CandidateTally, tail_items
from pipelines.declared import declared_topics
from pipelines.evaluate import rank_targets
from pipelines.input_fn import evaluation_batches
from pipelines.merging import USUAL, Merging
from pipelines.prepared import PreparedData
from pipelines.progress import track
from pipelines.run_folder import RunFolder
from pipelines.split import TEST
from pipelines.validate import DataError

TOPICS = 5
MOST_TARGETS, MOST_SCORES = 64, 2**27  # at once; so many scores take half a GiB
MOST_PAIRS = 2**13  # of a target and a candidate, for rankers


def make_retriever(implicit: RunFolder, explicit: RunFolder | None, total: int, merging: Merging = USUAL) -> Retriever:
    """The retriever of one or two training runs.

    Args:
        implicit: a run whose ``retrieval.interests`` is anything but ``conditional``.
        explicit: a run with ``conditional``; None has no topics.
        total: candidates in all.
        merging: how they become one list.

    Raises:
        DataError: a run is missing, of another kind, or of other data than the other one.
    """
    if explicit is not None:
        implicit.check_same_data(explicit)
    models = implicit.load_retrieval_model()[0], explicit.load_retrieval_model()[0] if explicit else None
    versions = implicit.version(), explicit.version() if explicit else ""
    try:
        return Retriever(*models, total, **asdict(merging), versions=versions)
    except ValueError as error:
        raise DataError(f"{implicit.folder}: {error}.") from None


def tally_candidates(
    retriever: Retriever,
    prepared: PreparedData,
    counts: Sequence[int],
    model: NextItemModel | None = None,
    part: int = TEST,
    max_targets: int | None = None,
    rankers: Mapping[str, JointRanker] | None = None,
    overlap: bool = False,
) -> CandidateTally:
    """Find candidates for the targets of a part, rank them, and count what either is worth.

    Args:
        retriever: finds as many candidates as the largest count, or as there are items.
        prepared: its data; topics are those a user had declared by the time of the question, the newest five.
        counts: list lengths; each list is merged by budgets of its own.
        model: ranks the candidates; None leaves the ranking out.
        part: 1 validation, 2 test.
        max_targets: a seeded random subset of this size.
        rankers: by name; they rank the same candidates of the same targets.
        overlap: with an explicit model, also compare the lists that either side would make alone.

    Raises:
        DataError: no count, or one below 1.
    """
    if not counts or min(counts) < 1:
        raise DataError("--counts: name list lengths from 1 on, for example 100,500.")
    spec = prepared.spec
    config = retriever.implicit.config
    interests = 1 if config.interests == "single" else config.count
    rankers = rankers or {}
    batch = max(1, min(MOST_TARGETS, MOST_SCORES // ((interests + TOPICS) * spec.items.size)))
    if rankers:
        batch = max(1, min(batch, MOST_PAIRS // retriever.total))
    batches = evaluation_batches(prepared, part, batch, max_targets)
    lengths = sorted({min(count, retriever.total) for count in counts})
    topics = tf.constant(declared_topics(prepared, TOPICS)) if retriever.explicit is not None else None

    @tf.function(input_signature=batches.element_spec)
    def step(inputs: Columns, targets: Columns) -> dict[str, Any]:
        size = tf.shape(targets["item"])[0]
        asked = tf.zeros([size, 0], tf.int32) if topics is None else tf.gather(topics, targets["event"])
        excluded = targets["seen"] if spec.schema.exclude_seen else tf.zeros([size, 0], tf.int32)
        wanted = retriever.queries(inputs, asked)
        found = retriever.found(wanted, asked, excluded)
        question = None if model is None else model.question(inputs)
        answer: dict[str, Any] = {"mass": wanted.mass, "distance": _slot_distance(wanted), "lists": {}}
        for count in lengths:
            merged = retriever.merged(found, wanted, count)
            one: dict[str, Any] = {"rows": merged.rows, "source": merged.source}
            if overlap and retriever.explicit is not None:
                sides = (retriever.merged(found, side, count) for side in _sides(wanted))
                one["sides"] = [side.rows for side in sides]
            if model is not None and question is not None:
                one["scores"] = model.candidate_scores(question, merged.rows)
            one["rankers"] = {name: ranker.scores(inputs, merged.rows) for name, ranker in rankers.items()}
            answer["lists"][count] = one
        answer["slot"] = _winning_slot(retriever, wanted, targets["item"])
        if model is not None and question is not None:
            answer["full"] = rank_targets(model.item_scorer(question), spec, targets)
        return answer

    tally = CandidateTally(lengths, tail_items(spec.item_prior), _categories(prepared), interests)
    chosen = int((prepared.events["split"] == part).sum())
    total = -(-min(chosen, max_targets or chosen) // batch)
    for inputs, targets in track(batches, "finding candidates", total):
        answer = tf.nest.map_structure(lambda value: value.numpy(), step(inputs, targets))
        past = (inputs["segment"].numpy() > 0).sum(1)
        tally.add(targets["item"].numpy(), past, {**answer, "event": targets["event"].numpy()})
    return tally


def _sides(wanted: Queries) -> list[Queries]:
    """The implicit interests alone, and the topics alone."""
    implicit = tf.range(tf.shape(wanted.valid)[1]) < tf.shape(wanted.mass)[1]
    return [wanted._replace(valid=wanted.valid & side) for side in (implicit, ~implicit)]


def _slot_distance(wanted: Queries) -> tf.Tensor:
    """Mean of 1 - cosine over the pairs of a user's implicit interests, float32 [batch]; NaN below two of them."""
    slots = tf.shape(wanted.mass)[1]
    own = tf.cast(wanted.valid[:, :slots], tf.float32)
    summed = tf.reduce_sum(wanted.queries[:, :slots] * own[..., None], axis=1)
    count = tf.reduce_sum(own, axis=1)
    cosines = (tf.reduce_sum(summed**2, axis=1) - count) / (count * (count - 1))
    return tf.where(count > 1, 1 - cosines, float("nan"))


def _winning_slot(retriever: Retriever, wanted: Queries, items: tf.Tensor) -> tf.Tensor:
    """The implicit interest that scores each target highest, int32 [batch]."""
    slots = tf.shape(wanted.mass)[1]
    vectors = tf.gather(retriever.implicit_vectors, items)[:, None]
    return retriever.implicit.choice(wanted.queries[:, :slots], vectors, wanted.valid[:, :slots])[1][:, 0]


def _categories(prepared: PreparedData) -> np.ndarray | None:
    """Labels of each item, int32 [V, width]: of what users declare interest in, else of the first such feature."""
    schema = prepared.spec.schema
    names = [schema.explicit_interests] if schema.explicit_interests else []
    names += [feature.name for feature in schema.item_features if feature.kind != "numeric"]
    return prepared.spec.catalogue[names[0]].reshape(prepared.spec.items.size, -1) if names else None
