"""Records, labelled events and statistics of partitions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.parquet

from intentrec_tf.data_spec import DataSpec
from pipelines.encode import Encoder
from pipelines.partitions import POPULARITY, ROW, Partitions
from pipelines.split import PARTS, Split

USERS_PER_SHARD = 2_000
SEQUENCES, EVENTS = "sequences", "events.parquet"


@dataclass(frozen=True)
class Written:
    """What a partition held.

    Attributes:
        lengths: events of each user, [users].
        parts: events of training, validation and test, [3].
        unknown: events of items that training does not know.
        repeats: events of items the user met before.
        counts: see :meth:`pipelines.encode.Encoder.count`.
        shards: record files.
    """

    lengths: np.ndarray
    parts: np.ndarray
    unknown: int
    repeats: int
    counts: dict[str, np.ndarray]
    shards: int


class PartitionWriter:
    """Encode a partition and write it under its number into a folder.

    Args:
        encoder: what training taught.
        split: of the log.
        folder: where to write; every process that runs this must see it.
    """

    def __init__(self, encoder: Encoder, split: Split, folder: Path) -> None:
        self.encoder, self.split, self.folder = encoder, split, folder

    def __call__(self, number: int, events: pd.DataFrame) -> Written:
        parts = self.split(events)
        columns = self.encoder(events, parts)
        labelled(events, columns, self.encoder.spec).to_parquet(_events_file(self.folder, number), index=False)
        users = events["user_id"].to_numpy()
        starts = np.flatnonzero(np.r_[True, users[1:] != users[:-1]])
        shards = write_records(self.encoder.spec, users, starts, columns, self.folder, number)
        return Written(
            np.diff(np.r_[starts, len(users)]),
            np.bincount(parts, minlength=len(PARTS)),
            int((columns["item_id"] < 2).sum()),
            int(events.duplicated(["user_id", "item_id"]).sum()),
            self.encoder.count(columns),
            shards,
        )


def write_partitions(
    partitions: Partitions, encoder: Encoder, split: Split, work: Path
) -> tuple[DataSpec, dict[str, Any]]:
    """Write ``sequences`` and ``events.parquet`` into ``work``.

    Returns:
        The specification with its priors, and the statistics of the whole log.
    """
    folder = work / SEQUENCES
    folder.mkdir()
    written = list(partitions.each(PartitionWriter(encoder, split, folder), "writing users"))
    shards = [_shard_file(folder, i, shard) for i, part in enumerate(written) for shard in range(part.shards)]
    events = [_events_file(folder, number) for number in range(len(written))]
    for i, path in enumerate(shards):
        path.rename(folder / f"part-{i:05d}-of-{len(shards):05d}.tfrecord")
    _join(events, work / EVENTS)
    counts = {name: np.sum([part.counts[name] for part in written], axis=0) for name in written[0].counts}
    spec = encoder.with_priors(counts)
    return spec, _statistics(spec, written)


def labelled(events: pd.DataFrame, columns: dict[str, np.ndarray], spec: DataSpec) -> pd.DataFrame:
    """Events with their ``split`` and the name of each intent's label."""
    from intentrec_tf.records import intent_column

    names = {
        intent_column(intent.name): np.asarray([*spec.intent_labels[intent.name], ""], object)
        for intent in spec.schema.single_label_intents
    }
    plain = events.drop(columns=[name for name in (ROW, POPULARITY) if name in events])
    return plain.assign(split=columns["split"], **{name: labels[columns[name]] for name, labels in names.items()})


def write_records(
    spec: DataSpec, users: np.ndarray, starts: np.ndarray, columns: dict[str, np.ndarray], folder: Path, number: int
) -> int:
    """Write the records of a partition's users and return the number of files.

    Args:
        users: user of every event.
        starts: place of every user's first event.
        number: of the partition.
    """
    import tensorflow as tf

    from intentrec_tf.records import serialize_user

    ends = np.r_[starts[1:], len(users)]
    shards = max(1, -(-len(starts) // USERS_PER_SHARD))
    for shard, members in enumerate(np.array_split(np.arange(len(starts)), shards)):
        with tf.io.TFRecordWriter(str(_shard_file(folder, number, shard))) as writer:
            for i in members:
                mine = {name: values[starts[i] : ends[i]] for name, values in columns.items()}
                writer.write(serialize_user(spec, users[starts[i]], mine))
    return shards


def _shard_file(folder: Path, number: int, shard: int) -> Path:
    return folder / f"{number:05d}-{shard:05d}.tfrecord"


def _events_file(folder: Path, number: int) -> Path:
    return folder / f"{number:05d}.parquet"


def _join(parts: list[Path], whole: Path) -> None:
    """One Parquet file out of several, which are removed."""
    if len(parts) == 1:
        parts[0].rename(whole)
        return
    with pyarrow.parquet.ParquetWriter(whole, pyarrow.parquet.read_schema(parts[0])) as writer:
        for path in parts:
            writer.write_table(pyarrow.parquet.read_table(path).cast(writer.schema))
            path.unlink()


def _statistics(spec: DataSpec, written: list[Written]) -> dict[str, Any]:
    lengths = pd.Series(np.concatenate([part.lengths for part in written]))
    parts = np.sum([part.parts for part in written], axis=0)
    events = int(parts.sum())
    shares = {}
    for name, prior in spec.intent_priors.items():
        total = max(float(prior.sum()), 1.0)
        shares[name] = dict(zip(spec.intent_labels[name], (prior / total).round(4).tolist(), strict=True))
    return {
        "users": len(lengths),
        "items": len(spec.items.tokens),
        "events": events,
        **{f"events_{name}": int(parts[part]) for part, name in enumerate(PARTS)},
        "events_left_out_min_interactions": 0,
        "events_of_items_unknown_in_training": sum(part.unknown for part in written),
        "events_per_user": {q: float(lengths.quantile(p)) for q, p in (("p10", 0.1), ("median", 0.5), ("p90", 0.9))},
        "repeat_share": sum(part.repeats for part in written) / events,
        "intents_multi_label": [intent.name for intent in spec.schema.category_intents],
        "intent_shares": shares,
    }
