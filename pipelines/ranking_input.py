"""Batches for rankers: questions with candidates, as in training and as in serving."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from intentrec_tf.inputs import Columns
from intentrec_tf.ranking import JointRanker
from intentrec_tf.vocabulary import FIRST
from pipelines.config import RankingRunConfig
from pipelines.input_fn import all_events, evaluation_batches, events_before, history_before
from pipelines.prepared import PreparedData
from pipelines.ranking_questions import CandidatesOf, RankingQuestions, among

SHUFFLED = 8_192
PAIRS_AT_ONCE = 2**13


def listed_batches(
    prepared: PreparedData,
    joint: JointRanker,
    find: CandidatesOf,
    part: int,
    candidates: int,
    max_targets: int | None,
    seed: int,
) -> tf.data.Dataset:
    """:func:`evaluation_batches` with the ranker's inputs: every candidate of each target, as in serving.

    Args:
        prepared: the data.
        joint: the ranker and its model.
        find: of :func:`candidates_of`.
        part: 1 validation, 2 test.
        candidates: of a question.
        max_targets, seed: a random subset.
    """
    batches = evaluation_batches(prepared, part, max(1, PAIRS_AT_ONCE // candidates), max_targets, seed)

    def ask(inputs: Columns, targets: Columns) -> tuple[Columns, Columns]:
        return joint.complete(inputs, joint.features(inputs), find(inputs, targets)), targets

    return batches.map(ask)


def ranking_batches(
    prepared: PreparedData,
    config: RankingRunConfig,
    joint: JointRanker,
    questions: RankingQuestions,
    rows: int = 64,
    seed: int = 0,
) -> tf.data.Dataset:
    """``(inputs, targets)`` as :class:`Ranker` takes them; every epoch has other negatives, in another order.

    Negatives are ``negatives - popular`` of the question's candidates, each as likely, without replacement, and
    ``popular`` of all items by how often training saw them, with replacement.  The true item is none, and where the
    schema never recommends an item again, neither are the newest L items of the history.

    Args:
        prepared: the data.
        config: how many negatives of each kind.
        joint: the ranker and its model.
        questions: written.
        rows: questions of a batch; the last one is filled up with questions of no weight.
        seed: of order and negatives.
    """
    spec = prepared.spec
    columns = all_events(prepared)
    past = tf.constant(events_before(prepared))
    length = spec.schema.max_history
    listed = 0 if config.retrieval is None else config.negatives - config.popular
    drawn = config.negatives - listed
    shares = spec.item_prior[FIRST:].astype(np.float64)
    shares = shares / shares.sum()
    popularity = tf.constant(np.r_[np.zeros(FIRST), shares].astype(np.float32))
    cumulated = tf.constant(np.cumsum(shares))

    def example(records: tf.Tensor, number: tf.Tensor) -> tuple[Columns, Columns]:
        count = tf.shape(records)[0]
        records = tf.concat([records, tf.repeat(records[:1], rows - count, axis=0)], axis=0)
        asked = questions.parse(tf.ensure_shape(records, [rows]))
        event = asked["event"]
        inputs = history_before(spec, columns, event, tf.gather(past, event), length)
        inputs = {name: tf.ensure_shape(x, [rows, length, *x.shape[2:]]) for name, x in inputs.items()}
        item = tf.gather(columns["item_id"], event)[:, None]
        never = tf.concat([item, inputs["item_id"]], axis=1) if spec.schema.exclude_seen else item

        # --- draw from the question's candidates, then from all items
        usable = (asked["rows"] >= FIRST) & ~among(asked["rows"], never)
        chance = tf.random.stateless_uniform(tf.shape(usable), tf.stack([number, 0]))
        order, place = tf.math.top_k(tf.where(usable, chance, -1.0), min(listed, asked["rows"].shape[1]))
        found = tf.where(order >= 0, tf.gather(asked["rows"], place, batch_dims=1), 0)
        found = tf.pad(found, [[0, 0], [0, listed - found.shape[1]]])
        total = tf.reduce_sum(tf.cast(usable, tf.float32), axis=1, keepdims=True)
        share = tf.minimum(1.0, tf.math.divide_no_nan(float(listed), total))
        spots = tf.random.stateless_uniform([rows, drawn], tf.stack([number, 1]), dtype=tf.float64)
        popular = tf.searchsorted(cumulated, tf.reshape(spots, [-1]), side="right")
        popular = tf.reshape(tf.minimum(popular, len(shares) - 1), [rows, drawn]) + FIRST
        popular = tf.where(among(popular, never), 0, popular)

        # --- how often each was expected
        negatives = tf.concat([found, popular], axis=1)
        mine = tf.where(usable, asked["rows"], 0)
        expected = share * tf.cast(among(negatives, mine), tf.float32) + drawn * tf.gather(popularity, negatives)
        expected = tf.where(negatives >= FIRST, tf.math.log(tf.maximum(expected, 1e-12)), 0.0)
        weight = tf.gather(columns["weight"], event) * tf.cast(tf.range(rows) < count, tf.float32)
        targets = {"log_expected": tf.pad(expected, [[0, 0], [1, 0]]), "weight": weight}
        features = {name: asked[name] for name in asked if name not in ("event", "rows")}
        return joint.complete(inputs, features, tf.concat([item, negatives], axis=1)), targets

    files = tf.data.Dataset.from_tensor_slices(questions.files)
    files = files.shuffle(len(questions.files), seed=seed, reshuffle_each_iteration=True)
    stored = files.interleave(tf.data.TFRecordDataset, cycle_length=2)
    stored = stored.shuffle(SHUFFLED, seed=seed, reshuffle_each_iteration=True).batch(rows)
    numbers = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True)
    return tf.data.Dataset.zip((stored, numbers)).map(example, num_parallel_calls=2).prefetch(2)
