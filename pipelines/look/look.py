"""Measure a prepared data set, draw the pictures, write the page."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from intentrec_tf.schema import Feature
from pipelines.environment import provenance
from pipelines.look.declared import declared_of
from pipelines.look.interests import interest_feature, interests_of
from pipelines.look.labels import Labels
from pipelines.look.log import Log
from pipelines.look.numbers import plain
from pipelines.look.quality import intents_of, quality_of
from pipelines.look.size import size_of
from pipelines.look.tail import tail_of
from pipelines.prepared import MANIFEST, PreparedData
from pipelines.progress import track
from pipelines.segments import BOUNDS, NAMES, segment_words
from pipelines.validate import DataError
from serving.atomic import atomic_files

NUMBERS, PAGE = "look.json", "README.md"
PICTURES = ("time", "activity", "tail", "interests", "categories", "declared", "declared-labels", "intents")


def look(
    prepared: PreparedData,
    out: Path,
    say: Callable[[str], None] = print,
    feature: str | None = None,
    bounds: tuple[int, int] = BOUNDS,
) -> dict[str, Any]:
    """Write ``README.md``, pictures and ``look.json`` into the folder ``out``.

    Args:
        prepared: what to look at.
        out: folder; what an earlier look wrote is replaced.
        say: receives sentences for people.
        feature: item feature whose labels count as interests, instead of the schema's.
        bounds: most training events of a new and of a casual user.

    Returns:
        All numbers, JSON ready.

    Raises:
        DataError: the folder holds something else, or the data cannot be looked at.
    """
    _check(out)
    numbers = measure(prepared, feature, bounds)
    from pipelines.drawing import save
    from pipelines.look.page import page, summary
    from pipelines.look.pictures import figures

    drawn = figures(numbers)
    with atomic_files(out, PAGE, (NUMBERS, *(f"{name}.png" for name in PICTURES))) as work:
        for name in track(drawn, "drawing", len(drawn)):
            save(drawn[name], work / f"{name}.png")
        (work / NUMBERS).write_text(as_json(numbers), encoding="utf-8")
        (work / PAGE).write_text(page(numbers), encoding="utf-8")
    for line in summary(numbers):
        say(line)
    say(f"written: {out / PAGE}")
    return numbers


def measure(prepared: PreparedData, feature: str | None = None, bounds: tuple[int, int] = BOUNDS) -> dict[str, Any]:
    """All numbers of a look, without pictures and page."""
    schema, manifest = prepared.schema, prepared.manifest
    chosen = interest_feature(schema, feature)
    events, items = prepared.events, prepared.items
    log = Log.of(events, items["item_id"])
    if not log.training.any():
        raise DataError(f"{prepared.folder}: holds no training event; run 'intentrec prepare' again.")
    parts: dict[str, Callable[[], Any]] = {
        "size": lambda: size_of(log),
        "tail": lambda: tail_of(log),
        "interests": lambda: None,
        "declared": lambda: None,
        "intents": lambda: intents_of(manifest, log, events, items, schema),
        "quality": lambda: quality_of(manifest, events, items, schema),
    }

    def labels_of(one: Feature, more: Iterable[str] = ()) -> Labels:
        return Labels.of(items[one.name].set_axis(items["item_id"]).reindex(log.item_ids), one.kind, more)

    if chosen:
        one, why = chosen
        parts["interests"] = lambda: {
            "feature": one.name,
            "chosen": why,
            **interests_of(log, labels_of(one), bounds),
        }
    declared = prepared.interests
    explicit = next((one for one in schema.item_features if one.name == schema.explicit_interests), None)
    if declared is not None and len(declared) and explicit:
        interests, of = declared, explicit
        parts["declared"] = lambda: {
            "feature": of.name,
            "derived": bool(manifest["request"].get("derive_interests")),
            **declared_of(log, labels_of(of, interests["interest"]), interests, bounds),
        }
    numbers: dict[str, Any] = {
        "dataset": schema.name,
        "fingerprint": prepared.fingerprint,
        "split": manifest["request"]["split"],
        "segments": dict(zip(NAMES, segment_words(bounds), strict=True)),
    }
    for name, part in track(parts.items(), "measuring", len(parts)):
        numbers[name] = part()
    return plain(numbers | provenance())


def as_json(numbers: dict[str, Any]) -> str:
    """The numbers as JSON text."""
    return json.dumps(numbers, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _check(out: Path) -> None:
    """Refuse to write over somebody's README.md or into prepared data."""
    if (out / MANIFEST).exists():
        raise DataError(f"{out}: holds prepared data; name another folder with --out.")
    if (out / PAGE).exists() and not (out / NUMBERS).exists():
        raise DataError(f"{out}: holds a {PAGE} that no look wrote; name a new or empty folder with --out.")
