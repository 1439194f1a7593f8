"""The catalogue file of the web page: what a UI team needs beside the model server's address."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from intentrec_tf.data_spec import DataSpec
from intentrec_tf.schema import CategoryIntent, CategoryNoveltyIntent, Feature, Intent, RepeatIntent
from intentrec_tf.vocabulary import FIRST
from pipelines.prepared import PreparedData
from pipelines.split import TEST, TRAIN
from pipelines.validate import DataError
from serving.user_data import load_user
from serving.web.catalogue import FORMAT

CATALOGUE = "catalogue.json"
_MOST_VALUES = 100  # of an event column, to choose from


def catalogue(prepared: PreparedData, users: int = 0) -> str:
    """The file's content as JSON text.

    Args:
        prepared: The data that the served model was trained on.
        users: How many example users to put in, with their histories; drawn by a fixed seed from those with an event
            in the test part.

    Raises:
        DataError: there are not so many users.
    """
    spec = prepared.spec
    content = {
        "format": FORMAT,
        "name": spec.schema.name,
        "moment": int(prepared.events["timestamp"].max()),
        "columns": [_column(prepared, feature) for feature in spec.schema.event_features],
        "rows": [row for intent in spec.schema.intents for row in _rows(intent)],
        "topics": list(spec.vocabularies[topics].tokens) if (topics := spec.schema.explicit_interests) else [],
        "users": _users(prepared, users) if users else [],
        "items": list(_items(spec, prepared.titles)),
    }
    return json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n"


def _items(spec: DataSpec, titles: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Every item the model can recommend, those with the most training events first."""
    for row in np.argsort(-spec.item_prior, kind="stable"):
        if row < FIRST:
            continue
        item_id = spec.items.token(int(row))
        labels = {}
        for feature in spec.schema.item_features:
            if feature.kind != "numeric":
                words = [spec.vocabularies[feature.name].token(r) for r in np.ravel(spec.catalogue[feature.name][row])]
                labels[feature.name] = [word for word in words if word]
        title = titles.get(item_id)
        yield {"id": item_id, "title": title if isinstance(title, str) else item_id, "labels": labels}


def _rows(intent: Intent) -> list[dict[str, Any]]:
    """What the labels of derived intents ask for; a logged column's labels mean what its owner knows."""
    if isinstance(intent, RepeatIntent):
        shows = {"continue": ("resume", "Continue"), "discover": ("new", "Discover"), "return": ("return", "Once more")}
        return [
            {"intent": intent.name, "label": label, "show": show, "title": title, "within": int(intent.resume_gap)}
            for label, (show, title) in shows.items()
        ]
    if isinstance(intent, CategoryNoveltyIntent):
        shows = {"known": ("familiar", "More of your kinds"), "new": ("different", "Something different")}
        return [
            {"intent": intent.name, "label": label, "show": show, "title": title, "feature": intent.feature}
            for label, (show, title) in shows.items()
        ]
    if isinstance(intent, CategoryIntent):
        return [{"intent": intent.name, "show": "label", "feature": intent.feature}]
    return []


def _column(prepared: PreparedData, feature: Feature) -> dict[str, Any]:
    """An event column, with its usual value in training: the most frequent one, or the median."""
    events = prepared.events
    column = events.loc[events["split"] == TRAIN, feature.name].dropna()
    entry: dict[str, Any] = {"name": feature.name, "kind": feature.kind}
    if feature.kind == "numeric":
        return entry | ({"usual": float(column.median())} if len(column) else {})
    entry["values"] = list(prepared.spec.vocabularies[feature.name].tokens[:_MOST_VALUES])
    if feature.kind == "categorical" and len(column):
        entry["usual"] = str(column.mode().iloc[0])
    return entry


def _users(prepared: PreparedData, count: int) -> list[dict[str, Any]]:
    schema = prepared.spec.schema
    events = prepared.events
    known = np.sort(events.loc[events["split"] == TEST, "user_id"].unique())
    if count > len(known):
        raise DataError(f"--users {count}: only {len(known):,} users have an event in the test part; ask for fewer.")
    drawn = np.random.default_rng(0).choice(known, count, replace=False)
    types = {f.name: "float32" if f.kind == "numeric" else "string" for f in schema.event_features}
    columns = {"item_id": "string", "timestamp": "int64", **types}
    return [
        {"id": str(user), "history": [_without_gaps(event) for event in histories[-schema.max_history :]]}
        for user in drawn
        for histories in [load_user(prepared.folder, user, columns).history]
    ]


def _without_gaps(event: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in event.items() if value is not None}
