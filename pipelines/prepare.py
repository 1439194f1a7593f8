"""From a raw log to sharded per-user records: load, validate, derive, split, encode, write.

TensorFlow is imported once the input has proved usable, so that a bad one is told at once.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from intentrec_tf import __version__
from intentrec_tf.data_spec import DataSpec
from intentrec_tf.schema import Schema
from pipelines.datasets import registry
from pipelines.datasets.base import RawData
from pipelines.derived_interests import InterestRule, with_derived_interests
from pipelines.prepared import FORMAT, MANIFEST, PreparedData, read_manifest
from pipelines.progress import track
from pipelines.spec_files import save_spec
from pipelines.split import PARTS, TRAIN, SplitConfig, split_events
from pipelines.validate import DataError
from serving.atomic import atomic_directory

if TYPE_CHECKING:
    from pipelines.encode import EncodedData

USERS_PER_SHARD = 2_000
ADAPTED = ("request_time", "exclude_seen", "min_item_count")  # options that replace what the schema says
NEWER = ("min_item_count", "derive_interests")  # options that earlier preparations did not know
PATHS = ("raw", "events", "items", "interests", "schema_file")
OUTPUTS = {
    *(MANIFEST, "schema.yaml", "spec.json", "catalogue.npz", "vocabulary", "sequences", "rejected.csv"),
    *("events.parquet", "items.parquet", "interests.parquet", "truth.parquet"),
}


class PrepareConfig(BaseModel):
    """What to prepare and how.

    Attributes:
        dataset: name in :mod:`pipelines.datasets.registry`.
        raw, events, items, interests, schema_file: paths of the input, where the data set needs them.
        seed, size: of the simulated service.
        split: how to split.
        max_reject_share: largest share of a file's rows that may be rejected.
        min_interactions: items with fewer events in the whole log are left out, and counted (P2 uses 5).
        request_time: replaces the schema's, to compare with systems that do not use it.
        exclude_seen: replaces the schema's, for protocols that leave seen items out.
        min_item_count: replaces the schema's; 0 makes the whole catalogue known.
        derive_interests: how to make interests of ratings where users declared none; None makes none.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    dataset: str
    raw: str | None = None
    events: str | None = None
    items: str | None = None
    interests: str | None = None
    schema_file: str | None = None
    seed: int = 0
    size: str | None = None
    split: SplitConfig = SplitConfig()
    max_reject_share: float = Field(0.2, ge=0, le=1)
    min_interactions: int = Field(1, ge=1)
    request_time: bool | None = None
    exclude_seen: bool | None = None
    min_item_count: int | None = Field(None, ge=0)
    derive_interests: InterestRule | None = None


def prepare(config: PrepareConfig, out: str | Path, say: Callable[[str], None] = print) -> PreparedData:
    """Prepare a data set into the folder ``out``, which appears whole or not at all.

    A second call with the same input and options changes nothing.

    Args:
        config: what and how.
        out: output folder.
        say: receives sentences for people (sources, counts, rejected rows).

    Raises:
        DataError, SchemaError: the input cannot be used; one sentence.
    """
    out = Path(out)
    done = _finished(config, out)
    if done:
        say(f"{out}: already prepared from the same input (fingerprint {done.fingerprint[:12]}); nothing to do.")
        return done
    foreign = _foreign(out)
    if foreign:
        raise DataError(f"{out}: exists and holds something else ({foreign}); name a new or empty folder with --out.")
    if (out / MANIFEST).is_file():
        say(f"{out}: input or options have changed; runs trained on the earlier data can no longer be evaluated.")
    raw = registry.load(
        config.dataset,
        raw=config.raw,
        events=config.events,
        items=config.items,
        interests=config.interests,
        schema=config.schema_file,
        seed=config.seed,
        size=config.size,
        max_reject_share=config.max_reject_share,
        progress=say,
    )
    read, schema = len(raw.events), _adapted(raw.schema, config)
    raw = dataclasses.replace(_ordered(raw, config.min_interactions), schema=schema)
    if config.derive_interests is not None:
        raw = with_derived_interests(raw, config.derive_interests)
    for line in (*raw.sources, *raw.report.summary()):
        say(line)
    events, dropped = raw.events, read - len(raw.events)
    if dropped:
        say(f"{dropped:,} events of items with fewer than {config.min_interactions} interactions left out")
    from pipelines.encode import encode

    parts = split_events(events, config.split)
    if not (parts == TRAIN).any():
        raise DataError("no event is left for training, for too many share one timestamp; check it or split otherwise.")
    encoded = encode(events, raw.items, raw.schema, parts)
    statistics = _statistics(encoded, dropped)
    with atomic_directory(out) as work:
        _write(encoded, raw, work)
        manifest = _manifest(config, raw, encoded.spec, statistics)
        (work / MANIFEST).write_text(json.dumps(manifest, indent=1, ensure_ascii=False), encoding="utf-8")
    for line in statistics_lines(statistics):
        say(line)
    say(f"{out}: prepared (fingerprint {manifest['fingerprint'][:12]}).")
    return PreparedData(out)


def statistics_lines(statistics: dict[str, Any]) -> list[str]:
    """The statistics as sentences for people."""
    split = ", ".join(f"{name} {statistics['events_' + name]:,}" for name in PARTS)
    lines = [
        f"{statistics['users']:,} users, {statistics['items']:,} items, {statistics['events']:,} events ({split})",
    ]
    for name, shares in statistics["intent_shares"].items():
        best = sorted(shares.items(), key=lambda pair: -pair[1])[:6]
        lines.append(f"intent {name}: " + ", ".join(f"{label} {share:.1%}" for label, share in best))
    return lines


def _finished(config: PrepareConfig, out: Path) -> PreparedData | None:
    try:
        done = PreparedData(out)
    except DataError:
        return None
    if done.manifest["request"] != _request(config):
        return None
    if config.schema_file is None and done.manifest["schema"] != _packaged(config).to_dict():
        return None
    for path, digest in done.manifest["inputs"].items():
        if not Path(path).is_file() or _digest(Path(path)) != digest:
            return None
    return done


def _packaged(config: PrepareConfig) -> Schema:
    return _adapted(registry.packaged_schema(config.dataset), config)


def _adapted(schema: Schema, config: PrepareConfig) -> Schema:
    """The schema with what the options replace.

    Raises:
        DataError: interests are to be labels of an item feature that has none.
    """
    wanted = {name: getattr(config, name) for name in ADAPTED}
    if config.derive_interests is not None:
        wanted["explicit_interests"] = name = config.derive_interests.feature
        labelled = [feature.name for feature in schema.item_features if feature.kind != "numeric"]
        if name not in labelled:
            has = f"it has {', '.join(labelled)}" if labelled else "it has none"
            raise DataError(
                f"--derive-interests {name}: schema '{schema.name}' has no such item feature with labels; {has}."
            )
    return schema.model_copy(update={name: value for name, value in wanted.items() if value is not None})


def _foreign(out: Path) -> str | None:
    """Name of something in the way of ``out`` that no preparation wrote, if there is any."""
    if not out.is_dir():
        return out.name if out.exists() else None
    names = sorted(path.name for path in out.iterdir())
    if MANIFEST in names:
        try:
            read_manifest(out)
        except DataError:
            return MANIFEST
    elif names:
        return names[0]
    return next((name for name in names if name not in OUTPUTS), None)


def _request(config: PrepareConfig) -> dict[str, Any]:
    """The options with absolute paths, so that the same words in another folder are another request."""
    values = config.model_dump(mode="json")
    for name in PATHS:
        values[name] = str(Path(values[name]).resolve()) if values[name] else None
    return _without_new_defaults(values)


def _without_new_defaults(values: dict[str, Any]) -> dict[str, Any]:
    """The options but those that came later and are not used, so that earlier preparations stay what they were."""
    return {name: value for name, value in values.items() if name not in NEWER or value is not None}


def _ordered(raw: RawData, min_interactions: int) -> RawData:
    """Events (and their truth) sorted by user, in order of appearance, and time; ties keep the file's order."""
    events, truth = raw.events, raw.truth
    counts = events["item_id"].map(events["item_id"].value_counts()).to_numpy()
    kept = np.flatnonzero(counts >= min_interactions)
    if len(kept) == 0:
        raise DataError(f"no event is left with min_interactions {min_interactions}; choose a smaller number.")
    user = pd.factorize(events["user_id"].iloc[kept])[0]
    order = kept[np.lexsort((kept, events["timestamp"].to_numpy()[kept], user))]
    return dataclasses.replace(
        raw,
        events=events.iloc[order].reset_index(drop=True),
        truth=truth if truth is None else truth.iloc[order].reset_index(drop=True),
    )


def _write(encoded: EncodedData, raw: RawData, work: Path) -> None:
    from intentrec_tf.records import intent_column

    save_spec(encoded.spec, work)
    raw.report.write_csv(work / "rejected.csv")
    split = encoded.columns["split"]
    intents = {
        name: np.asarray([*labels, ""], object)[encoded.columns[intent_column(name)]]
        for name, labels in encoded.spec.intent_labels.items()
        if intent_column(name) in encoded.columns
    }
    labelled = encoded.events.assign(split=split, **{intent_column(n): column for n, column in intents.items()})
    labelled.to_parquet(work / "events.parquet", index=False)
    raw.items.to_parquet(work / "items.parquet", index=False)
    if raw.interests is not None:
        raw.interests.to_parquet(work / "interests.parquet", index=False)
    if raw.truth is not None:
        raw.truth.to_parquet(work / "truth.parquet", index=False)
    _write_records(encoded, work / "sequences")


def _write_records(encoded: EncodedData, folder: Path) -> None:
    import tensorflow as tf

    from intentrec_tf.records import serialize_user

    folder.mkdir()
    users = encoded.events["user_id"].to_numpy()
    starts = np.flatnonzero(np.r_[True, users[1:] != users[:-1]])
    ends = np.r_[starts[1:], len(users)]
    shards = max(1, -(-len(starts) // USERS_PER_SHARD))
    for shard, members in enumerate(np.array_split(np.arange(len(starts)), shards)):
        with tf.io.TFRecordWriter(str(folder / f"part-{shard:05d}-of-{shards:05d}.tfrecord")) as writer:
            for i in track(members, f"writing users, shard {shard + 1} of {shards}", len(members)):
                columns = {name: values[starts[i] : ends[i]] for name, values in encoded.columns.items()}
                writer.write(serialize_user(encoded.spec, users[starts[i]], columns))


def _statistics(encoded: EncodedData, dropped: int) -> dict[str, Any]:
    split = encoded.columns["split"]
    lengths = encoded.events["user_id"].value_counts()
    shares = {}
    for name, prior in encoded.spec.intent_priors.items():
        total = max(float(prior.sum()), 1.0)
        shares[name] = dict(zip(encoded.spec.intent_labels[name], (prior / total).round(4).tolist(), strict=True))
    return {
        "users": len(lengths),
        "items": len(encoded.spec.items.tokens),
        "events": len(split),
        **{f"events_{name}": int((split == part).sum()) for part, name in enumerate(PARTS)},
        "events_left_out_min_interactions": int(dropped),
        "events_of_items_unknown_in_training": int((encoded.columns["item_id"] < 2).sum()),
        "events_per_user": {q: float(lengths.quantile(p)) for q, p in (("p10", 0.1), ("median", 0.5), ("p90", 0.9))},
        "repeat_share": float(encoded.events.duplicated(["user_id", "item_id"]).mean()),
        "intents_multi_label": [intent.name for intent in encoded.spec.schema.category_intents],
        "intent_shares": shares,
    }


def _manifest(config: PrepareConfig, raw: RawData, spec: DataSpec, statistics: dict[str, Any]) -> dict[str, Any]:
    inputs = {str(path.resolve()): _digest(path) for path in raw.files}
    if config.schema_file:
        inputs[str(Path(config.schema_file).resolve())] = _digest(Path(config.schema_file))
    # the schema holds what is adapted
    choices = _without_new_defaults(config.model_dump(mode="json", exclude={*PATHS, *ADAPTED}))
    content = [FORMAT, sorted(inputs.values()), raw.schema.to_dict(), choices]
    return {
        "format": FORMAT,
        "version": __version__,
        "fingerprint": hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest(),
        "request": _request(config),
        "inputs": inputs,
        "schema": raw.schema.to_dict(),
        "sources": list(raw.sources),
        "validation": raw.report.to_dict(),
        "statistics": statistics,
        "vocabulary_digests": {
            "item_id": spec.items.digest(),
            **{n: v.digest() for n, v in spec.vocabularies.items()},
        },
    }


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
