"""Batches for training and evaluation from the per-user records."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from intentrec_tf.data_spec import DataSpec
from intentrec_tf.inputs import Columns, assemble_inputs
from intentrec_tf.records import intent_column, parse_user
from pipelines.packing import pack
from pipelines.prepared import PreparedData
from pipelines.split import TRAIN

USERS_PER_GROUP = 2_048


def user_sequences(prepared: PreparedData) -> tf.data.Dataset:
    """Parsed records, one user each, in file order."""
    files = tf.data.Dataset.from_tensor_slices(prepared.record_files)
    records = files.interleave(tf.data.TFRecordDataset, cycle_length=1)
    return records.map(lambda record: parse_user(prepared.spec, record), num_parallel_calls=2)


def training_batches(
    prepared: PreparedData,
    rows_per_batch: int = 16,
    row_length: int = 256,
    seed: int = 0,
    history: str = "last",
    together: bool = True,
) -> tf.data.Dataset:
    """Packed training batches ``(inputs, targets)``; every epoch in another order.

    Args:
        rows_per_batch, row_length: shape of a batch; ``row_length`` is raised to L if it is smaller.
        seed: of the order.
        history: ``last`` trains on the newest L transitions of a user, ``all`` on every window of L.
        together: several users share a row; False gives each a row of its own, to compare with.
    """
    spec = prepared.spec
    length = spec.schema.max_history
    row_length = max(row_length, length)

    def transitions(user: Columns) -> Columns:
        user.pop("user_id")
        kept = {name: column[user["split"] == TRAIN] for name, column in user.items()}
        return _shift(spec, kept)

    def windows(pairs: Columns) -> tf.data.Dataset:
        count = tf.shape(pairs["item_id"])[0]
        if history == "last":
            return tf.data.Dataset.from_tensors({name: column[-length:] for name, column in pairs.items()})
        starts = tf.range(tf.math.floormod(count, length) - length, count, length)
        cut = tf.data.Dataset.from_tensor_slices(starts)
        return cut.map(lambda s: {n: c[tf.maximum(s, 0) : s + length] for n, c in pairs.items()})

    sequences = user_sequences(prepared).map(transitions, num_parallel_calls=2)
    sequences = sequences.flat_map(windows).filter(lambda pairs: tf.shape(pairs["item_id"])[0] > 0).cache()
    shuffled = sequences.shuffle(50_000, seed=seed, reshuffle_each_iteration=True)
    rows = shuffled.ragged_batch(USERS_PER_GROUP).map(lambda group: _pack_group(group, row_length, together))
    rows = rows.unbatch().shuffle(4_096, seed=seed, reshuffle_each_iteration=True)
    batches = rows.batch(rows_per_batch).map(lambda batch: _pad_rows(batch, rows_per_batch))
    return batches.map(lambda batch: _inputs_and_targets(spec, batch)).prefetch(2)


def evaluation_batches(
    prepared: PreparedData, part: int, batch: int = 256, max_targets: int | None = None, seed: int = 0
) -> tf.data.Dataset:
    """One row per target event of a part, see :func:`question_batches`.

    Args:
        part: 1 validation, 2 test.
        max_targets: evaluate a seeded random subset of this size (all if None or larger).
    """
    chosen = np.flatnonzero(prepared.events["split"].to_numpy() == part)
    if max_targets is not None and len(chosen) > max_targets:
        chosen = np.sort(np.random.default_rng(seed).choice(chosen, max_targets, replace=False))
    return question_batches(prepared, chosen, batch)


def question_batches(prepared: PreparedData, chosen: np.ndarray, batch: int = 256) -> tf.data.Dataset:
    """One row per target event, its whole past before it: ``(inputs, targets)``.

    Inputs are [batch, seq], left-padded, seq being the longest history of the batch, at most L.  Targets come in order
    of the length of their past, so little of a batch is padding.  Targets: ``event`` int64 [batch], the place of the
    event in ``prepared.events``; ``item`` and intents [batch]; ``seen`` int32 [batch, any], each item row of the user's
    entire past once (0 = padding).  The request time is the target's own time.

    Args:
        chosen: int [any], places of the targets in ``prepared.events``; one without any past is left out.
    """
    sizes = prepared.events.groupby("user_id", sort=False).size().to_numpy()
    return questions_of(prepared.spec, all_events(prepared), sizes, chosen, batch)


def questions_of(
    spec: DataSpec, columns: Columns, sizes: np.ndarray, chosen: np.ndarray, batch: int = 256
) -> tf.data.Dataset:
    """:func:`question_batches` of any users.

    Args:
        spec: what the columns follow.
        columns: every column of the records (``split`` may be absent), [events(, width)], user after user.
        sizes: events of each user, in that order.
        chosen: places of the targets.
    """
    length = spec.schema.max_history
    past = chosen - np.repeat(sizes.cumsum() - sizes, sizes)[chosen]
    chosen, past = chosen[past > 0], past[past > 0]  # a target without any past is no question
    order = np.argsort(past, kind="stable")

    def examples(target: tf.Tensor, past: tf.Tensor) -> tuple[Columns, Columns]:
        inputs = history_before(spec, columns, target, past, tf.minimum(tf.reduce_max(past), length))
        goals = {name: tf.gather(columns[name], target) for name in _target_columns(spec)}
        targets = {"event": target, "item": goals["item_id"], "weight": goals["weight"]}
        targets |= {intent.name: goals[intent_column(intent.name)] for intent in spec.schema.single_label_intents}
        places, real = places_before(target, past, tf.reduce_max(past))
        return inputs, {**targets, "seen": _once(tf.where(real, tf.gather(columns["item_id"], places), 0))}

    questions = tf.data.Dataset.from_tensor_slices((chosen[order].astype(np.int64), past[order].astype(np.int64)))
    return questions.batch(batch).map(examples, num_parallel_calls=2).prefetch(2)


def events_before(prepared: PreparedData) -> np.ndarray:
    """How many earlier events of its user each event has, int64 [events], in the order of ``prepared.events``."""
    return prepared.events.groupby("user_id", sort=False).cumcount().to_numpy(np.int64)


def asked_events(prepared: PreparedData, part: int) -> np.ndarray:
    """Which events are targets that can be asked about, those of a part with a past, bool [events]."""
    return (prepared.events["split"].to_numpy() == part) & (events_before(prepared) > 0)


def all_events(prepared: PreparedData) -> Columns:
    """Every column of the records, [events(, width)], in the order of ``prepared.events``."""
    parts: dict[str, list[tf.Tensor]] = {}
    for group in user_sequences(prepared).map(_without_id).ragged_batch(USERS_PER_GROUP):
        for name, column in group.items():
            parts.setdefault(name, []).append(_flat(column))
    return {name: tf.concat(columns, axis=0) for name, columns in parts.items()}


def _without_id(user: Columns) -> Columns:
    return {name: column for name, column in user.items() if name != "user_id"}


def _flat(column: tf.RaggedTensor) -> tf.Tensor:
    """[users, (events)(, width)] -> [all events(, width)]."""
    return column.values.to_tensor() if isinstance(column.values, tf.RaggedTensor) else column.values


def places_before(target: tf.Tensor, past: tf.Tensor, length: int | tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Places of the ``length`` events before each target, [batch, length], and which of them are the user's."""
    back = tf.range(length, 0, -1, dtype=tf.int64)[None]
    real = back <= past[:, None]
    return tf.where(real, target[:, None] - back, 0), real


def history_before(
    spec: DataSpec, columns: Columns, target: tf.Tensor, past: tf.Tensor, length: int | tf.Tensor
) -> Columns:
    """Model inputs [batch, length]: the newest events before each target, asked at the target's own time.

    Args:
        spec: of the data.
        columns: of :func:`all_events`.
        target: int64 [batch], places of events.
        past: int64 [batch], how many events before each are of the same user.
        length: of the histories, left-padded.
    """
    names = ["item_id", "timestamp", *(feature.name for feature in spec.schema.event_features)]
    places, real = places_before(target, past, length)
    rows = {name: tf.gather(columns[name], places) for name in names}
    after = tf.concat([places[:, 1:], target[:, None]], axis=1)
    return assemble_inputs(spec, rows, tf.cast(real, tf.int32), tf.gather(columns["timestamp"], after))


def _once(rows: tf.Tensor) -> tf.Tensor:
    """Rows [batch, any] with every repetition within a batch row replaced by 0."""
    rows = tf.sort(rows, axis=1)
    repeated = tf.concat([tf.zeros_like(rows[:, :1], tf.bool), rows[:, 1:] == rows[:, :-1]], axis=1)
    return tf.where(repeated, 0, rows)


def _shift(spec: DataSpec, user: Columns) -> Columns:
    """Pairs of event k (input) and event k+1 (target, under ``target/``), [events - 1]."""
    pairs = {name: user[name][:-1] for name in ("item_id", "timestamp")}
    pairs |= {f.name: user[f.name][:-1] for f in spec.schema.event_features}
    pairs["next_timestamp"] = user["timestamp"][1:]
    for name in _target_columns(spec):
        pairs[f"target/{name}"] = user[name][1:]
    return pairs


def _target_columns(spec: DataSpec) -> list[str]:
    return ["item_id", "weight", *(intent_column(intent.name) for intent in spec.schema.single_label_intents)]


def _inputs_and_targets(spec: DataSpec, rows: Columns) -> tuple[Columns, Columns]:
    real = rows["segment"] > 0
    targets = {
        "item": tf.where(real, rows["target/item_id"], 0),
        "weight": tf.where(real, rows["target/weight"], 0.0),
    }
    for intent in spec.schema.single_label_intents:
        targets[intent.name] = tf.where(real, rows[f"target/{intent_column(intent.name)}"], -1)
    return assemble_inputs(spec, rows, rows["segment"], rows["next_timestamp"]), targets


def _pack_group(group: dict[str, tf.RaggedTensor], row_length: int, together: bool) -> Columns:
    names = sorted(group)
    lengths = group[names[0]].row_lengths()
    flats = [_flat(group[name]) for name in names]
    dtypes = [tf.int32, *(flat.dtype for flat in flats)]

    def pack_columns(lengths: np.ndarray, *columns: np.ndarray) -> list[np.ndarray]:
        return pack(lengths, row_length, *columns, together=together)

    packed = tf.numpy_function(pack_columns, [lengths, *flats], dtypes)
    for wide, flat in zip(packed[1:], flats, strict=True):
        wide.set_shape([None, row_length, *flat.shape[1:]])
    packed[0].set_shape([None, row_length])
    return dict(zip(["segment", *names], packed, strict=True))


def _pad_rows(batch: Columns, rows: int) -> Columns:
    """Fill the last batch with empty rows, so that every step has one shape and XLA compiles once."""
    missing = rows - tf.shape(batch["segment"])[0]
    padded = {}
    for name, column in batch.items():
        paddings = [[0, missing]] + [[0, 0]] * (column.shape.rank - 1)
        padded[name] = tf.ensure_shape(tf.pad(column, paddings), [rows, *column.shape[1:]])
    return padded
