"""Training batches for retrieval: a cut somewhere in a user's history, and the events that follow it."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from intentrec_tf.data_spec import DataSpec
from intentrec_tf.inputs import Columns
from intentrec_tf.retrieval import RetrievalConfig
from intentrec_tf.vocabulary import FIRST
from pipelines.input_fn import all_events, history_before
from pipelines.prepared import PreparedData
from pipelines.split import TRAIN
from pipelines.validate import DataError


def with_topics(batches: tf.data.Dataset, prepared: PreparedData, config: RetrievalConfig) -> tf.data.Dataset:
    """Questions of :func:`pipelines.input_fn.question_batches` with ``inputs["topic"]`` int32 [batch, 1].

    It is the topic the target was surfaced for, else one of the target's own, as in training: the question is then
    "what of this topic", and the answer says how well it is met, not how well topics are guessed.
    """
    topics = _Topics(prepared.spec, config, all_events(prepared))

    def ask(inputs: Columns, targets: Columns) -> tuple[Columns, Columns]:
        place, item = targets["event"][:, None], targets["item"][:, None]
        return {**inputs, "topic": topics(place, item, tf.stack([place[0, 0], 0]))}, targets

    return batches.map(ask)


def retrieval_batches(
    prepared: PreparedData, config: RetrievalConfig, users: int = 256, seed: int = 0
) -> tf.data.Dataset:
    """``(inputs, targets)`` as :class:`RetrievalModel` takes them; every epoch cuts elsewhere, in another order.

    A user's training events are cut every ``horizon`` events, at a random phase, so that an epoch has every event as a
    positive once; the first ones have no history, as new users do.  The request time is that of the first positive.

    Args:
        prepared: the data.
        config: of the model.
        users: rows of a batch; the last one is filled up with empty rows.
        seed: of phases and order.

    Raises:
        DataError: ``config.source_column`` is no categorical event feature of these data.
    """
    spec = prepared.spec
    columns = all_events(prepared)
    parts = prepared.events["split"].to_numpy() == TRAIN
    sizes = prepared.events.groupby("user_id", sort=False).size().to_numpy()
    firsts = np.r_[0, sizes.cumsum()[:-1]]
    training = np.add.reduceat(parts.astype(np.int64), firsts)  # never decreasing within a user: the first so many
    people = np.stack([firsts, training], axis=1)[training > 0].astype(np.int64)
    topics = _Topics(spec, config, columns, config.bootstrap) if config.interests == "conditional" else None
    horizon = config.horizon

    def cuts(user: tf.Tensor, number: tf.Tensor) -> tf.data.Dataset:
        phase = tf.math.floormod(number, horizon)
        starts = tf.range(phase - horizon, user[1], horizon)
        starts = tf.boolean_mask(starts, starts + horizon > 0)
        # first event of the user, number of training events, first and last but one positive
        fixed = tf.repeat(user[None], tf.shape(starts)[0], axis=0)
        ends = tf.minimum(starts + horizon, user[1])
        return tf.data.Dataset.from_tensor_slices(
            tf.concat([fixed, tf.maximum(starts, 0)[:, None], ends[:, None]], axis=1)
        )

    def example(rows: tf.Tensor) -> tuple[Columns, Columns]:
        rows = tf.pad(rows, [[0, users - tf.shape(rows)[0]], [0, 0]])
        rows = tf.ensure_shape(rows, [users, 4])
        cut, end = rows[:, 0] + rows[:, 2], rows[:, 0] + rows[:, 3]
        inputs = history_before(spec, columns, cut, rows[:, 2], config.history)
        positives = cut[:, None] + tf.range(horizon, dtype=tf.int64)
        wanted = positives < end[:, None]
        positives = tf.where(wanted, positives, 0)
        targets = {
            "item": tf.where(wanted, tf.gather(columns["item_id"], positives), 0),
            "weight": tf.where(wanted, tf.gather(columns["weight"], positives), 0.0),
        }
        if topics is not None:
            inputs["topic"] = topics(positives, targets["item"], tf.gather(rows[0], [0, 2]))
        return inputs, targets

    numbers = tf.data.Dataset.random(seed=seed, rerandomize_each_iteration=True)
    pairs = tf.data.Dataset.zip((tf.data.Dataset.from_tensor_slices(people), numbers))
    shuffled = pairs.flat_map(cuts).shuffle(200_000, seed=seed, reshuffle_each_iteration=True)
    return shuffled.batch(users).map(example, num_parallel_calls=2).prefetch(2)


class _Topics:
    """A topic for each positive: the one it was surfaced for where that was logged, else one of the item's."""

    def __init__(self, spec: DataSpec, config: RetrievalConfig, columns: Columns, ignore_sources: bool = False) -> None:
        name = spec.schema.explicit_interests
        assert name is not None
        self._labels = tf.constant(spec.catalogue[name].reshape(spec.items.size, -1))
        self._sources: tf.Tensor | None = None
        if config.source_column is not None and not ignore_sources:
            kinds = {feature.name: feature.kind for feature in spec.schema.event_features}
            if kinds.get(config.source_column) != "categorical":
                raise DataError(
                    f"retrieval.source_column names '{config.source_column}', which is no categorical event feature of "
                    f"schema '{spec.schema.name}'; name one, or leave it out to train with topics of the item."
                )
            tokens = spec.vocabularies[config.source_column].tokens
            known = spec.vocabularies[name].lookup(tokens)
            table = np.concatenate([np.zeros(FIRST, np.int32), np.where(known >= FIRST, known, 0).astype(np.int32)])
            self._sources = tf.gather(tf.constant(table), columns[config.source_column])

    def __call__(self, positives: tf.Tensor, items: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        """int32 [batch, P]; 0 where the item has none."""
        labels = tf.gather(self._labels, items)
        count = tf.reduce_sum(tf.cast(labels > 0, tf.int32), axis=-1)
        chance = tf.random.stateless_uniform(tf.shape(items), tf.cast(key, tf.int32))
        order = tf.sort(labels, axis=-1, direction="DESCENDING")
        place = tf.cast(chance * tf.cast(count, tf.float32), tf.int32)
        topic = tf.gather(order, tf.minimum(place, tf.maximum(count - 1, 0)), batch_dims=2)
        if self._sources is None:
            return topic
        source = tf.gather(self._sources, positives)
        return tf.where(source > 0, source, topic)
