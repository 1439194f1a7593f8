"""From a raw log to sharded per-user records: load, validate, derive, split, encode, write.

TensorFlow is imported once the input has proved usable, so that a bad one is told at once.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from intentrec_tf import __version__
from intentrec_tf.data_spec import DataSpec
from intentrec_tf.schema import Schema
from pipelines.datasets import registry
from pipelines.datasets.parquetfiles import parquet_files
from pipelines.derived_interests import InterestRule, with_derived_interests
from pipelines.prepared import FORMAT, MANIFEST, PreparedData, read_manifest
from pipelines.sources import Source, whole_source
from pipelines.spec_files import save_spec
from pipelines.split import PARTS, SplitConfig, learn_split
from pipelines.streaming import streamed_source
from pipelines.validate import DataError
from serving.atomic import atomic_directory, recover_directory

if TYPE_CHECKING:
    from pipelines.spark import SparkEngine

ADAPTED = ("request_time", "exclude_seen", "min_item_count")  # options that replace what the schema says
NEWER = ("min_item_count", "derive_interests")  # options that earlier preparations did not know
TEMPORARY = "temporary"
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


def prepare(
    config: PrepareConfig, out: str | Path, say: Callable[[str], None] = print, spark: SparkEngine | None = None
) -> PreparedData:
    """Prepare a data set into the folder ``out``, which appears whole or not at all.

    A second call with the same input and options changes nothing.

    Args:
        config: what and how.
        out: output folder.
        say: receives sentences for people (sources, counts, rejected rows).
        spark: runs the passes over ``tables`` on Spark instead of in this process.

    Raises:
        DataError, SchemaError: the input cannot be used; one sentence.
    """
    out = Path(out)
    recover_directory(out)
    done = _finished(config, out)
    if done:
        say(f"{out}: already prepared from the same input (fingerprint {done.fingerprint[:12]}); nothing to do.")
        return done
    foreign = _foreign(out)
    if foreign:
        raise DataError(f"{out}: exists and holds something else ({foreign}); name a new or empty folder with --out.")
    if (out / MANIFEST).is_file():
        say(f"{out}: input or options have changed; runs trained on the earlier data can no longer be evaluated.")
    with atomic_directory(out) as work:
        source = _open(config, work / TEMPORARY, say, spark)
        if config.derive_interests is not None:
            source = with_derived_interests(source, config.derive_interests)
        for line in (*source.sources, *source.report.summary()):
            say(line)
        if source.dropped:
            say(f"{source.dropped:,} events of items with fewer than {config.min_interactions} interactions left out")
        from pipelines.encode import learn
        from pipelines.writing import write_partitions

        split = learn_split(source.partitions, config.split)
        encoder = learn(source.partitions, source.items, source.schema, split)
        spec, statistics = write_partitions(source.partitions, encoder, split, work)
        statistics["events_left_out_min_interactions"] = source.dropped
        save_spec(spec, work)
        _write_frames(source, work)
        manifest = _manifest(config, source, spec, statistics)
        (work / MANIFEST).write_text(json.dumps(manifest, indent=1, ensure_ascii=False), encoding="utf-8")
        shutil.rmtree(work / TEMPORARY, ignore_errors=True)
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
        lines.append(f"intent {name}: " + ", ".join(f"{_short(label)} {share:.1%}" for label, share in best))
    return lines


def _short(label: str) -> str:
    """A label as one line of at most 40 characters."""
    return textwrap.shorten(label, 40, placeholder=" ...") or "(blank)"


def _open(config: PrepareConfig, work: Path, say: Callable[[str], None], spark: SparkEngine | None) -> Source:
    """The log: tables by way of the new folder ``work``, here or on Spark, other data sets as a whole."""
    files = {name: getattr(config, name) for name in ("raw", "events", "items", "interests")}
    if config.dataset == "tables":
        schema = _adapted(registry.check_request("tables", config.schema_file, **files, size=config.size), config)
        assert config.events is not None  # check_request
        options: dict[str, Any] = {
            "items": config.items,
            "interests": config.interests,
            "max_reject_share": config.max_reject_share,
            "min_interactions": config.min_interactions,
        }
        if spark:
            return spark.open(config.events, schema, work, **options)
        return streamed_source(config.events, schema, work, **options)
    if spark:
        raise DataError(f"'{config.dataset}' does not run on Spark, only 'tables' do; leave out --engine spark.")
    raw = registry.load(
        config.dataset,
        **files,
        schema=config.schema_file,
        seed=config.seed,
        size=config.size,
        max_reject_share=config.max_reject_share,
        progress=say,
    )
    return whole_source(dataclasses.replace(raw, schema=_adapted(raw.schema, config)), config.min_interactions)


def _finished(config: PrepareConfig, out: Path) -> PreparedData | None:
    try:
        done = PreparedData(out)
    except DataError:
        return None
    if done.manifest["request"] != _request(config):
        return None
    if config.schema_file is None and done.manifest["schema"] != _packaged(config).to_dict():
        return None
    named = (config.events, config.items, config.interests)
    now = {str(file.resolve()) for path in named if path for file in parquet_files(path)}
    if not now <= set(done.manifest["inputs"]):  # a folder of Parquet files has got another one
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


def _write_frames(source: Source, work: Path) -> None:
    source.report.write_csv(work / "rejected.csv")
    source.items.to_parquet(work / "items.parquet", index=False)
    if source.interests is not None:
        source.interests.to_parquet(work / "interests.parquet", index=False)
    if source.truth is not None:
        source.truth.to_parquet(work / "truth.parquet", index=False)


def _manifest(config: PrepareConfig, source: Source, spec: DataSpec, statistics: dict[str, Any]) -> dict[str, Any]:
    inputs = {str(path.resolve()): _digest(path) for path in source.files} | source.digests
    if config.schema_file:
        inputs[str(Path(config.schema_file).resolve())] = _digest(Path(config.schema_file))
    # the schema holds what is adapted
    choices = _without_new_defaults(config.model_dump(mode="json", exclude={*PATHS, *ADAPTED}))
    content = [FORMAT, sorted(inputs.values()), source.schema.to_dict(), choices]
    return {
        "format": FORMAT,
        "version": __version__,
        "fingerprint": hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest(),
        "request": _request(config),
        "inputs": inputs,
        "schema": source.schema.to_dict(),
        "sources": list(source.sources),
        "validation": source.report.to_dict(),
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
