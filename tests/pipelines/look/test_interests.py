"""Interests per user: from training events alone, beside what chance would give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from intentrec_tf.schema import Schema
from pipelines.look.interests import HISTOGRAM_BINS, histogram_edges, interest_feature, interests_of
from pipelines.look.labels import Labels
from pipelines.look.log import Log
from pipelines.segments import BOUNDS
from pipelines.validate import DataError

FEATURES = [
    {"name": "price", "kind": "numeric"},
    {"name": "brand", "kind": "categorical"},
    {"name": "genres", "kind": "multi_label"},
    {"name": "tags", "kind": "multi_label"},
]


def schema(*kept: str, **more: Any) -> Schema:
    features = [feature for feature in FEATURES if feature["name"] in kept]
    return Schema.parse({"name": "s", "item_features": features, **more})


@pytest.mark.parametrize(
    ("kept", "explicit", "wanted", "expected"),
    [
        (("price", "brand", "genres", "tags"), None, None, ("genres", "the first multi-label item feature")),
        (("price", "brand", "genres", "tags"), "tags", None, ("tags", "the schema's explicit_interests")),
        (("price", "brand", "genres", "tags"), "tags", "brand", ("brand", "as asked")),
        (("price", "brand"), None, None, ("brand", "the first categorical item feature")),
        (("price",), None, None, None),
        ((), None, None, None),
    ],
)
def test_which_feature_is_taken(
    kept: tuple[str, ...], explicit: str | None, wanted: str | None, expected: tuple[str, str] | None
) -> None:
    found = interest_feature(schema(*kept, explicit_interests=explicit), wanted)
    assert (found and (found[0].name, found[1])) == expected


def test_a_feature_without_labels_is_refused() -> None:
    with pytest.raises(DataError, match=r"--feature price: .* choose one of brand, genres\.$"):
        interest_feature(schema("price", "brand", "genres"), "price")
    with pytest.raises(DataError, match=r"--feature x: .*the schema has none\.$"):
        interest_feature(schema("price"), "x")


ITEMS = {"a1": "a", "a2": "a", "b1": "b", "c1": "c", "ab": "a|b", "none": ""}
LABELS = Labels.of(pd.Series(list(ITEMS.values())), "multi_label")


def measured(log_of: Callable[..., Log], events: list[tuple[str, str, int]], **options: Any) -> dict[str, Any]:
    rows = [(user, item, second, part) for second, (user, item, part) in enumerate(events)]
    return interests_of(log_of(rows, list(ITEMS)), LABELS, options.pop("bounds", BOUNDS), **options)


def test_only_training_events_count(log_of: Callable[..., Log]) -> None:
    found = measured(log_of, [("u", "a1", 0), ("u", "a2", 0), ("u", "b1", 1), ("u", "c1", 2), ("late", "b1", 2)])
    assert (found["users"], found["users_without"]) == (1, 1)
    assert found["distinct"]["max"] == found["effective"]["max"] == 1
    assert found["entropy"]["max"] == 0
    assert [row["share_of_events"] for row in found["categories"]] == [1, 0, 0]


def test_an_event_of_two_labels_counts_half_for_each(log_of: Callable[..., Log]) -> None:
    found = measured(log_of, [("u", "ab", 0), ("u", "a1", 0), ("v", "none", 0), ("w", "c1", 0)])
    rows = {row["label"]: row for row in found["categories"]}
    assert [row["label"] for row in found["categories"]] == ["a", "c", "b"]
    assert {name: row["share_of_events"] for name, row in rows.items()} == pytest.approx(
        {"a": 1.5 / 3, "b": 0.5 / 3, "c": 1 / 3}
    )
    assert {name: row["share_of_items"] for name, row in rows.items()} == pytest.approx(
        {"a": 2.5 / 5, "b": 1.5 / 5, "c": 1 / 5}
    )
    assert {name: row["share_of_users"] for name, row in rows.items()} == {"a": 0.5, "b": 0.5, "c": 0.5}
    assert found["users_without"] == 1
    assert found["labels_per_event"] == pytest.approx(4 / 3)
    assert found["share_of_items_without"] == pytest.approx(1 / 6)
    assert found["share_of_events_without"] == pytest.approx(1 / 4)


def test_segments_go_by_training_events(log_of: Callable[..., Log]) -> None:
    events = [("nothing", "a1", 2), ("new", "a1", 0)] + [("new", "b1", 1)] * 30
    events += [("casual", item, 0) for item in ("a1", "b1", "a2")]
    events += [("core", item, 0) for item in ("a1", "b1", "c1") * 2]
    found = measured(log_of, events, bounds=(1, 3))
    rows = {row["segment"]: row for row in found["segments"]}
    assert {name: (row["users"], row["measured"]) for name, row in rows.items()} == {
        "new": (2, 1),
        "casual": (1, 1),
        "core": (1, 1),
    }
    effective = [rows[name]["effective"]["median"] for name in ("new", "casual", "core")]
    assert effective == pytest.approx([1, np.exp(-2 / 3 * np.log(2 / 3) - 1 / 3 * np.log(1 / 3)), 3])
    assert sum(row["share_of_users"] for row in rows.values()) == pytest.approx(1)
    assert [rows[name]["share_of_training_events"] for name in rows] == pytest.approx([0.1, 0.3, 0.6])


def test_an_empty_segment_has_no_numbers(log_of: Callable[..., Log]) -> None:
    rows = measured(log_of, [("u", "a1", 0)])["segments"]
    assert [row["measured"] for row in rows] == [1, 0, 0]
    assert [row["effective"] for row in rows[1:]] == [None, None]
    assert rows[2]["dealt_out_effective_median"] is None


def test_taste_lies_below_items_dealt_out(log_of: Callable[..., Log]) -> None:
    """Users of one category each are told from users who take anything, though everybody's events are the same."""
    rng = np.random.default_rng(0)
    items = np.array(["a1", "b1", "c1"])
    devoted = [(f"u{n}", str(items[n % 3]), 0) for n in range(60) for _ in range(12)]
    anything = [(f"u{n}", str(item), 0) for n in range(60) for item in rng.permutation(np.repeat(items, 4))]
    one, all_three = measured(log_of, devoted), measured(log_of, anything)
    assert one["effective"]["median"] == 1
    assert all_three["effective"]["median"] == pytest.approx(3)
    for found in (one, all_three):
        assert 2.5 < found["dealt_out"]["effective"]["median"] <= 3
    assert measured(log_of, devoted) == one  # the dealing repeats


def test_the_histogram_holds_everybody(log_of: Callable[..., Log]) -> None:
    events = [(f"u{n}", item, 0) for n in range(40) for item in ("a1", "b1", "c1")[: 1 + n % 3]]
    found = measured(log_of, events)
    assert sum(found["histogram"]["users"]) == sum(found["histogram"]["dealt_out"]) == 40
    assert found["histogram"]["users"][0] == 14  # of one category


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 1.0], [3.96, 13.45], [12.1, 12.2], [1.0, 5_000.0]])
def test_edges_hold_all_values(values: list[float]) -> None:
    edges = histogram_edges(np.array(values))
    assert len(edges) == HISTOGRAM_BINS + 1
    assert np.all(np.diff(edges) > 0)
    assert edges[-1] >= 2 * edges[0] * 0.999
    assert np.histogram(values, edges)[0].sum() == len(values)


def test_no_labels_at_all(log_of: Callable[..., Log]) -> None:
    found = interests_of(log_of([("u", "x", 0, 0)]), Labels.of(pd.Series([""]), "multi_label"), BOUNDS)
    assert (found["users"], found["users_without"], found["labels"]) == (0, 1, 0)
    assert found["categories"] == []
    assert found["effective"] is None
    assert found["labels_per_event"] is None
    assert found["share_of_events_without"] == 1
