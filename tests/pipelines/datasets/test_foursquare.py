"""Check-ins and the parts of town they lie in, on a few rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from intentrec_tf.schema import Schema
from pipelines.datasets.contract import check_contract
from pipelines.datasets.foursquare import areas, load_foursquare
from pipelines.datasets.registry import load, packaged_schema
from pipelines.validate import DataError

AREA = {"name": "area", "kind": "multi_label"}
COORDINATES = [{"name": "latitude", "kind": "numeric"}, {"name": "longitude", "kind": "numeric"}]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four places, one of them nowhere, and three check-ins."""
    (tmp_path / "places.csv").write_text(
        "place_id,latitude,longitude\n1,40.7335,-74.0031\n2,40.7563,-73.9676\n3,,\n4,40.7399,\n", encoding="utf-8"
    )
    (tmp_path / "checkins.csv").write_text("user_id,place_id,minute\n7,1,10\n7,3,20\n8,2,15\n", encoding="utf-8")
    return tmp_path


def schema(features: list[dict[str, Any]], intents: list[dict[str, Any]] | None = None) -> Schema:
    ids = {"item_id": "place_id", "timestamp": "minute", "timestamp_unit": "min"}
    return Schema.parse({"name": "mine", **ids, "item_features": features, "intents": intents or []})


@pytest.mark.parametrize(
    ("latitude", "longitude", "area"),
    [
        (40.7335, -74.0031, "40.72,-74.02"),
        (40.7563, -73.9676, "40.74,-73.98"),
        (40.72, -74.0, "40.72,-74.00"),  # a corner lies in its own cell
        (40.739999, -73.980001, "40.72,-74.00"),
        (0.58, -0.01, "0.58,-0.02"),  # 0.58 / 0.02 is a little less than 29
        (-0.001, 0.0, "-0.02,0.00"),
        (np.nan, -74.0, ""),
        (40.7, np.nan, ""),
        (np.nan, np.nan, ""),
    ],
)
def test_areas_by_hand(latitude: float, longitude: float, area: str) -> None:
    assert areas(pd.Series([latitude]), pd.Series([longitude])).tolist() == [area]


def test_areas_keep_the_index() -> None:
    made = areas(pd.Series([40.7, np.nan], index=[5, 9]), pd.Series([-74.0, -74.0], index=[5, 9]))
    assert made.to_dict() == {5: "40.70,-74.00", 9: ""}
    assert areas(pd.Series([], dtype=float), pd.Series([], dtype=float)).tolist() == []


def test_with_the_packaged_schema(folder: Path) -> None:
    data = check_contract(load("foursquare-nyc", raw=folder))
    assert data.items.set_index("item_id")["area"].to_dict() == {
        "1": "40.72,-74.02",
        "2": "40.74,-73.98",
        "3": "",
        "4": "",
    }
    assert data.events[["user_id", "item_id", "timestamp"]].to_numpy().tolist() == [
        ["7", "1", 600],
        ["7", "3", 1200],
        ["8", "2", 900],
    ]
    assert data.schema == packaged_schema("foursquare-nyc")
    assert data.files == (folder / "checkins.csv", folder / "places.csv")
    assert "unstated origin" in data.sources[0]


def test_a_schema_without_area_gets_none(folder: Path) -> None:
    mine = schema(COORDINATES)
    data = check_contract(load_foursquare(folder, mine))
    assert "area" not in data.items
    assert data.schema == mine
    assert data.items["latitude"].tolist()[:2] == [40.7335, 40.7563]


def test_area_without_the_coordinates_as_features(folder: Path) -> None:
    """And under another name as an intent."""
    district = {"name": "district", "derive": "category", "feature": "area"}
    mine = schema([AREA], [district, {"name": "new", "derive": "category_novelty", "feature": "area"}])
    data = check_contract(load_foursquare(folder, mine))
    assert data.items.columns.tolist() == ["item_id", "area"]
    assert data.items["area"].tolist()[:2] == ["40.72,-74.02", "40.74,-73.98"]
    assert data.schema == mine
    one = schema([COORDINATES[0], AREA])
    assert sorted(load_foursquare(folder, one).items.columns) == ["area", "item_id", "latitude"]


def test_an_intent_called_area_of_something_else_stays(folder: Path) -> None:
    mine = schema(COORDINATES, [{"name": "area", "derive": "rank_bucket", "column": "popularity"}])
    assert load_foursquare(folder, mine).schema == mine


def test_missing_files_and_columns_are_one_sentence(folder: Path) -> None:
    (folder / "places.csv").write_text("place_id,latitude\n1,40.7\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"places\.csv: line 1 lacks the column longitude"):
        load_foursquare(folder, schema([AREA]))
    (folder / "places.csv").unlink()
    with pytest.raises(DataError, match=r"places\.csv"):
        load_foursquare(folder, schema([AREA]))


def test_a_zip_is_refused(tmp_path: Path) -> None:
    (tmp_path / "nyc.zip").write_bytes(b"PK")
    with pytest.raises(DataError, match="is no folder; unpack it"):
        load_foursquare(tmp_path / "nyc.zip", packaged_schema("foursquare-nyc"))
