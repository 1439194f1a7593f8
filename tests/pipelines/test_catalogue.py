"""The web page's catalogue file, from prepared data."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.catalogue import catalogue
from pipelines.prepared import PreparedData
from pipelines.validate import DataError
from serving.web.catalogue import Catalogue


def parsed(prepared: PreparedData, users: int = 0) -> Catalogue:
    return Catalogue.parse("the test", json.loads(catalogue(prepared, users)))


def test_items_are_those_the_model_can_recommend_best_known_first(prepared: PreparedData) -> None:
    found = parsed(prepared)
    assert set(found.items) == set(prepared.spec.items.tokens)
    train = prepared.events[prepared.events["split"] == 0]["item_id"].value_counts()
    counts = [int(train.get(item_id, 0)) for item_id in found.items]
    assert counts == sorted(counts, reverse=True)
    genres = dict(zip(prepared.items["item_id"], prepared.items["genres"], strict=True))
    for item in found.items.values():
        assert set(item.labels) == {"genres", "kind"}  # a price is no label
        assert set(item.labels["genres"]) == set(filter(None, (genres[item.item_id] or "").split("|")))


def test_rows_follow_from_the_schema_and_columns_from_training(prepared: PreparedData) -> None:
    found = parsed(prepared)
    assert [(rule.intent, rule.show, rule.label) for rule in found.rows] == [
        ("genre", "label", ""),
        ("repeat", "resume", "continue"),
        ("repeat", "new", "discover"),
        ("repeat", "return", "return"),
    ]
    assert found.rows[1].within == 86_400
    columns = {column.name: column for column in found.columns}
    assert columns["action"].usual == "play"  # twice as frequent as skip
    assert set(columns["action"].values) == {"play", "skip"}
    assert 20 < columns["seconds"].usual < 80  # type: ignore[operator]  # the median of uniform 0 to 100
    assert set(columns["places"].values) == {"home", "work", "bus"}
    assert found.moment == prepared.events["timestamp"].max()


def test_users_only_when_asked_for(prepared: PreparedData) -> None:
    assert parsed(prepared).users == {}
    users = parsed(prepared, 2).users
    assert len(users) == 2
    assert parsed(prepared, 2).users == users
    for user, history in users.items():
        events = prepared.history(user).tail(8)
        assert [event["item_id"] for event in history] == list(events["item_id"])
        assert [event["timestamp"] for event in history] == list(events["timestamp"])
        assert all(set(event) <= {"item_id", "timestamp", "action", "seconds", "places"} for event in history)
    with pytest.raises(DataError, match="--users 1000: only"):
        catalogue(prepared, 1000)


def test_an_export_holds_one_without_users(exported: Path, prepared: PreparedData) -> None:
    assert (exported / "catalogue.json").read_text(encoding="utf-8") == catalogue(prepared)
