"""What a ranker's training asks: events, their candidates, and what the IntentRec model says, computed once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from intentrec_tf.inputs import Columns
from intentrec_tf.ranking import JointRanker
from intentrec_tf.retrieval import Retriever
from intentrec_tf.vocabulary import FIRST
from pipelines.input_fn import events_before, question_batches
from pipelines.prepared import PreparedData
from pipelines.progress import track
from pipelines.split import TRAIN
from serving.atomic import atomic_directory

SHARD = 4_096
AT_ONCE = 64
CandidatesOf = Callable[[Columns, Columns], tf.Tensor]


def candidates_of(prepared: PreparedData, retriever: Retriever | None, count: int) -> CandidatesOf:
    """A function of ``(inputs, targets)`` of :func:`question_batches` that finds candidates, int32 [batch, count].

    They are those of the retriever, without declared topics, or the most popular items of training.  What the schema
    never recommends again is left out, 0 where nothing is left.

    Args:
        prepared: the data.
        retriever: None takes the most popular items.
        count: of them; without a retriever at most the number of items.
    """
    spec = prepared.spec
    popular = np.argsort(-spec.item_prior[FIRST:], kind="stable")[:count].astype(np.int32) + FIRST

    def find(inputs: Columns, targets: Columns) -> tf.Tensor:
        size = tf.shape(targets["item"])[0]
        never = targets["seen"] if spec.schema.exclude_seen else tf.zeros([size, 0], tf.int32)
        if retriever is not None:
            return retriever(inputs, tf.zeros([size, 0], tf.int32), never).rows
        rows = tf.repeat(tf.constant(popular)[None], size, axis=0)
        return tf.where(among(rows, never), 0, rows)

    return find


def among(rows: tf.Tensor, others: tf.Tensor) -> tf.Tensor:
    """Which of ``rows`` int32 [batch, n] are among ``others`` int32 [batch, any], bool [batch, n]."""
    return tf.reduce_any(rows[:, :, None] == others[:, None, :], axis=-1)


class Field(NamedTuple):
    """A part of a stored question: ``width`` numbers of ``dtype``."""

    name: str
    dtype: tf.DType
    width: int

    @property
    def size(self) -> int:
        """Bytes."""
        return self.width * self.dtype.size


class RankingQuestions:
    """Questions on disk, each of a fixed number of bytes, in shards that are random subsets.

    A question is the place of a training event, the rows of its candidates, and what :meth:`JointRanker.features` says.

    Args:
        folder: of the shards; need not exist.
        joint: tells the sizes of features.
        count: candidates of a question.
    """

    def __init__(self, folder: Path, joint: JointRanker, count: int) -> None:
        self.folder = folder
        base, config = joint.model.config, joint.ranker.config
        fields = [Field("event", tf.int64, 1), Field("rows", tf.int32, count)]
        if config.intent:
            fields.append(Field("intent", tf.float32, base.intent_dim))
        if config.state:
            fields.append(Field("state", tf.float32, base.dim))
            if "repeat" in joint.model.output:
                length = joint.spec.schema.max_history
                fields += [Field("share", tf.float32, 1), Field("pointer", tf.float32, length)]
        self.fields = tuple(fields)

    @property
    def files(self) -> list[str]:
        """The shards."""
        return [str(path) for path in sorted(self.folder.glob("part-*.tfrecord"))]

    def write(self, prepared: PreparedData, joint: JointRanker, find: CandidatesOf, count: int, seed: int) -> None:
        """Ask about a random subset of the training events; all of the folder appears, or nothing.

        Args:
            prepared: the data.
            joint: says what the ranker reads of the IntentRec model.
            find: of :func:`candidates_of`.
            count: events at most.
            seed: of the choice.
        """
        chosen = question_places(prepared, count, seed)
        batches = question_batches(prepared, chosen, AT_ONCE)

        @tf.function(input_signature=batches.element_spec)
        def step(inputs: Columns, targets: Columns) -> Columns:
            return {"event": targets["event"], "rows": find(inputs, targets), **joint.features(inputs)}

        shards = max(1, -(-len(chosen) // SHARD))
        rng = np.random.default_rng(seed)
        with atomic_directory(self.folder) as work:
            names = [str(work / f"part-{number:05d}.tfrecord") for number in range(shards)]
            writers = [tf.io.TFRecordWriter(name) for name in names]
            try:
                steps = -(-len(chosen) // AT_ONCE)
                for inputs, targets in track(batches, "computing candidates and features", steps):
                    answer = {name: value.numpy() for name, value in step(inputs, targets).items()}
                    for record, shard in zip(
                        self._records(answer), rng.integers(0, shards, len(answer["event"])), strict=True
                    ):
                        writers[shard].write(record)
            finally:
                for writer in writers:
                    writer.close()

    def _records(self, answer: dict[str, np.ndarray]) -> list[bytes]:
        parts = []
        for field in self.fields:
            values = answer[field.name].reshape(len(answer["event"]), -1).astype(field.dtype.as_numpy_dtype)
            short = field.width - values.shape[1]  # histories are as long as the longest of their batch
            values = np.pad(values, ((0, 0), (short, 0)))
            parts.append(np.ascontiguousarray(values).view(np.uint8))
        return [row.tobytes() for row in np.concatenate(parts, axis=1)]

    def parse(self, records: tf.Tensor) -> Columns:
        """Columns [batch, width] (of width 1: [batch]) of records string [batch]."""
        columns, start = {}, 0
        for field in self.fields:
            values = tf.io.decode_raw(tf.strings.substr(records, start, field.size), field.dtype)
            values = tf.ensure_shape(values, [None, field.width])
            columns[field.name] = values[:, 0] if field.width == 1 and field.name != "rows" else values
            start += field.size
        return columns


def question_places(prepared: PreparedData, count: int, seed: int) -> np.ndarray:
    """Places in ``prepared.events`` of a random subset of the training events that have an earlier event, ascending."""
    training = prepared.events["split"].to_numpy() == TRAIN
    known = prepared.spec.items.lookup(prepared.events["item_id"].tolist()) >= FIRST
    places = np.flatnonzero(training & known & (events_before(prepared) > 0))
    if len(places) > count:
        places = np.sort(np.random.default_rng(seed).choice(places, count, replace=False))
    return places
