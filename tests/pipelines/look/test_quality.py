"""Quality: the report as it is, features and intents as they are in the data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.look.log import Log
from pipelines.look.quality import intents_of, quality_of
from pipelines.prepared import PreparedData

ROWS = [("u", "x", 0, 0), ("u", "y", 1, 0), ("v", "x", 2, 0), ("v", "z", 3, 0), ("v", "y", 4, 2), ("v", "z", 5, 2)]
ITEMS: dict[str, list[Any]] = {
    "item_id": ["x", "y", "z"],
    "genres": ["a|b", "a", ""],
    "brand": ["k", "", ""],
    "price": [1.0, None, 3.0],
}
SCHEMA = {
    "event_features": [{"name": "stars", "kind": "categorical"}],
    "item_features": [
        {"name": "genres", "kind": "multi_label"},
        {"name": "brand", "kind": "categorical"},
        {"name": "price", "kind": "numeric"},
    ],
    "intents": [
        {"name": "genre", "derive": "category", "feature": "genres"},
        {"name": "stars", "derive": "column", "column": "stars"},
        {"name": "age", "derive": "rank_bucket", "column": "popularity", "labels": ["low", "high"]},
        {"name": "again", "derive": "repeat"},
    ],
}
COLUMNS = {
    "stars": ["10", "10", "10", "9", "2", ""],
    "intent/stars": ["10", "10", "10", "9", "2", ""],
    "intent/age": ["high", "high", "high", "low", "low", "low"],
    "intent/again": ["return", "discover", "return", "return", "discover", "discover"],
}
SHARES = {"genre": {"a": 1.0}, "stars": {"10": 0.7, "9": 0.3}, "age": {"low": 0.5, "high": 0.5}}
SHARES["again"] = {"discover": 0.2, "continue": 0.0, "return": 0.8}


@pytest.fixture
def data(write: Callable[..., PreparedData], tmp_path: Path) -> PreparedData:
    return write(tmp_path / "data", ROWS, ITEMS, SCHEMA, columns=COLUMNS, shares=SHARES)


def intents(data: PreparedData) -> dict[str, dict[str, Any]]:
    log = Log.of(data.events, data.items["item_id"])
    return {row["intent"]: row for row in intents_of(data.manifest, log, data.events, data.items, data.schema)}


def shares(intent: dict[str, Any], part: str) -> dict[str, float]:
    return {row["label"]: row[part] for row in intent["labels"]}


def test_the_report_without_the_machines_folders(data: PreparedData) -> None:
    found = quality_of(data.manifest, data.events, data.items, data.schema)
    assert found["files"] == [{"file": "log.csv", "read": 8, "rejected": 2, "share_rejected": 0.25}]
    assert found["reasons"] == {"id is empty": 2}
    assert found["notes"] == ["log.csv: odd ids."]
    assert found["events_left_out_min_interactions"] == 3
    assert found["share_of_events_of_items_unknown_in_training"] == pytest.approx(1 / 6)


def test_features(data: PreparedData) -> None:
    found = {row["feature"]: row for row in quality_of(data.manifest, data.events, data.items, data.schema)["features"]}
    assert {name: row["share_empty"] for name, row in found.items()} == pytest.approx(
        {"genres": 1 / 3, "brand": 2 / 3, "price": 1 / 3, "stars": 1 / 6}
    )
    assert {name: row["labels"] for name, row in found.items()} == {"genres": 2, "brand": 1, "price": None, "stars": 3}
    assert found["stars"]["of"] == "events"


def test_shares_are_of_labelled_events_of_the_part(data: PreparedData) -> None:
    found = intents(data)
    assert shares(found["stars"], "training") == {"2": 0, "9": 0.25, "10": 0.75}
    assert shares(found["stars"], "test") == {"2": 1, "9": 0, "10": 0}
    assert found["stars"]["share_of_events_without"] == pytest.approx(1 / 6)
    assert found["again"]["share_of_events_without"] == 0


def test_a_category_intent_is_of_the_items_labels(data: PreparedData) -> None:
    genre = intents(data)["genre"]
    assert genre["several_labels"]
    assert shares(genre, "training") == {"a": 0.6, "b": 0.4}  # two events of a and b, one of a
    assert shares(genre, "test") == {"a": 1, "b": 0}
    assert genre["share_of_events_without"] == pytest.approx(2 / 6)


def test_labels_with_an_order_keep_it(data: PreparedData) -> None:
    found = intents(data)
    assert [row["label"] for row in found["age"]["labels"]] == ["low", "high"]  # as declared, though rarer
    assert [row["label"] for row in found["stars"]["labels"]] == ["2", "9", "10"]  # numbers, not letters
    assert [row["label"] for row in found["again"]["labels"]] == ["return", "discover"]  # the most frequent first


def test_labels_that_the_model_does_not_know(data: PreparedData) -> None:
    found = intents(data)
    assert {row["label"]: row["known"] for row in found["genre"]["labels"]} == {"a": True, "b": False}
    assert found["genre"]["share_unknown"] == {"training": pytest.approx(0.4), "test": 0}
    assert found["stars"]["share_unknown"] == {"training": 0, "test": 1}


def test_an_intent_without_any_label(write: Callable[..., PreparedData], tmp_path: Path) -> None:
    columns = {name: [""] * 6 if name.startswith("intent") else values for name, values in COLUMNS.items()}
    found = intents(write(tmp_path / "data", ROWS, ITEMS, SCHEMA, columns=columns, shares=SHARES))["again"]
    assert found["labels"] == []
    assert found["share_of_events_without"] == 1
    assert found["share_unknown"] == {"training": None, "test": None}


def test_no_intents(write: Callable[..., PreparedData], tmp_path: Path) -> None:
    assert intents(write(tmp_path / "data", ROWS, ITEMS)) == {}
