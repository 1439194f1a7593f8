"""What preparation found wrong, what features leave empty, and which labels the intents have."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

import numpy as np
import pandas as pd

from intentrec_tf.schema import CategoryIntent, Feature, Intent, Schema
from pipelines.look.labels import Labels
from pipelines.look.log import Log
from pipelines.look.numbers import share
from pipelines.split import TEST, TRAIN


def quality_of(manifest: dict[str, Any], events: pd.DataFrame, items: pd.DataFrame, schema: Schema) -> dict[str, Any]:
    """The validation report of the manifest, and how complete the features are."""
    report, statistics = manifest["validation"], manifest["statistics"]
    rejected = report["rows_rejected"]
    unknown = statistics["events_of_items_unknown_in_training"]
    return {
        "files": [
            {"file": PurePath(file).name, "read": rows, "rejected": rejected.get(file, 0)}
            | {"share_rejected": share(rejected.get(file, 0), rows)}
            for file, rows in report["rows_read"].items()
        ],
        "reasons": dict(report["reasons"]),
        "notes": [_without_folders(note, report["rows_read"]) for note in report["notes"]],
        "sources": list(manifest["sources"]),
        "events_left_out_min_interactions": statistics["events_left_out_min_interactions"],
        "items_the_model_knows": statistics["items"],
        "events_of_items_unknown_in_training": unknown,
        "share_of_events_of_items_unknown_in_training": share(unknown, statistics["events"]),
        "features": [
            *(_feature(feature, "items", items[feature.name]) for feature in schema.item_features),
            *(_feature(feature, "events", events[feature.name]) for feature in schema.event_features),
        ],
    }


def intents_of(
    manifest: dict[str, Any], log: Log, events: pd.DataFrame, items: pd.DataFrame, schema: Schema
) -> list[dict[str, Any]]:
    """Shares of every intent's labels in training and test, labels in the intent's order or the most frequent first."""
    known = manifest["statistics"]["intent_shares"]
    return [_intent(intent, set(known[intent.name]), log, events, items) for intent in schema.intents]


def _intent(intent: Intent, known: set[str], log: Log, events: pd.DataFrame, items: pd.DataFrame) -> dict[str, Any]:
    if isinstance(intent, CategoryIntent):
        labels = Labels.of(items[intent.feature].set_axis(items["item_id"]).reindex(log.item_ids), "multi_label")
        names = list(labels.names)
        place, code = labels.of_items(log.item)
        part = log.part[place]
        without = (labels.widths[log.item] == 0).sum()
    else:
        code, unique = pd.factorize(events[f"intent/{intent.name}"].replace("", None))
        names, part = list(map(str, unique)), log.part
        without = (code < 0).sum()
    counts = {which: np.bincount(code[(part == which) & (code >= 0)], minlength=len(names)) for which in (TRAIN, TEST)}
    order = _order(intent, names, counts[TRAIN])
    totals = {which: int(values.sum()) for which, values in counts.items()}
    return {
        "intent": intent.name,
        "derive": intent.derive,
        "of": getattr(intent, "feature", getattr(intent, "column", None)),
        "several_labels": isinstance(intent, CategoryIntent),
        "share_of_events_without": share(without, log.events),
        "share_unknown": {
            part: share(sum(counts[which][i] for i in order if names[i] not in known), totals[which])
            for part, which in (("training", TRAIN), ("test", TEST))
        },
        "labels": [
            {
                "label": names[i],
                "known": names[i] in known,
                "training": share(counts[TRAIN][i], totals[TRAIN]),
                "test": share(counts[TEST][i], totals[TEST]),
            }
            for i in order
        ],
    }


def _order(intent: Intent, names: list[str], counts: np.ndarray) -> list[int]:
    """Labels with an order of their own, or that are numbers, keep it; the others go by their training events."""
    own = getattr(intent, "labels", None)
    if own:
        return sorted(range(len(names)), key=lambda i: own.index(names[i]) if names[i] in own else len(own))
    numbers = pd.to_numeric(pd.Series(names, dtype="object"), errors="coerce").to_numpy(float)
    return np.argsort(-counts if np.isnan(numbers).any() else numbers, kind="stable").tolist()


def _feature(feature: Feature, where: str, values: pd.Series) -> dict[str, Any]:
    found: dict[str, Any] = {"feature": feature.name, "of": where, "kind": feature.kind, "labels": None}
    if feature.kind == "numeric":
        return {**found, "share_empty": share(values.isna().sum(), len(values))}
    code, texts = pd.factorize(values.fillna(""))
    labels = Labels.of(pd.Series(texts), feature.kind)
    return {
        **found,
        "labels": len(labels.names),
        "share_empty": share((labels.widths[code] == 0).sum(), len(values)),
    }


def _without_folders(note: str, files: dict[str, int]) -> str:
    """Names of files without the machine's folders."""
    for file in sorted(files, key=len, reverse=True):
        note = note.replace(file, PurePath(file).name)
    return note
