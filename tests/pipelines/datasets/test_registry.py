"""Data sets by name, and the schemas that come with them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from intentrec_tf.schema import Schema
from pipelines.datasets import registry
from pipelines.datasets.contract import check_contract
from pipelines.datasets.fetch import Fetched
from pipelines.datasets.registry import NAMES, load, packaged_schema
from pipelines.datasets.simulation.config import SimulationConfig
from pipelines.validate import DataError, ValidationReport


@pytest.mark.parametrize("name", [name for name in NAMES if name != "tables"])
def test_packaged_schema(name: str) -> None:
    schema = packaged_schema(name)
    assert schema.name == name
    assert schema.intents
    assert Schema.parse(schema.to_dict()) == schema


def test_every_schema_file_belongs_to_a_name() -> None:
    folder = Path(registry.__file__).parents[1] / "schemas"
    assert {path.stem for path in folder.glob("*.yaml")} == set(NAMES) - {"tables"}


def test_repeats_are_never_filtered_where_they_are_the_point() -> None:
    assert not packaged_schema("foursquare-nyc").exclude_seen
    assert not packaged_schema("simulated").exclude_seen
    assert packaged_schema("movielens-1m").exclude_seen


def test_unknown_name_lists_the_names() -> None:
    with pytest.raises(DataError, match=r"unknown data set 'netflix'; choose one of movielens-100k, .*tables"):
        load("netflix")


def test_tables_needs_a_schema_and_events(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'tables' has no schema of its own"):
        load("tables", events=tmp_path / "e.csv")
    with pytest.raises(DataError, match="'tables' needs events"):
        load("tables", schema=Schema.parse({"name": "x"}))


@pytest.mark.parametrize(
    ("name", "argument"), [("movielens-1m", "events"), ("simulated", "raw"), ("movielens-100k", "size")]
)
def test_argument_that_does_not_belong(name: str, argument: str) -> None:
    with pytest.raises(DataError, match=f"'{name}' takes no {argument}"):
        load(name, **{argument: "x"})


def test_needs_raw(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("INTENTREC_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"'movielens-32m' is not at hand; .* holds ml-32m"):
        load("movielens-32m")
    folder = tmp_path / "ml-32m"
    folder.mkdir()
    (folder / "ratings.csv").write_text("userId,movieId,rating,timestamp\n1,1,4.5,964982703\n")
    (folder / "movies.csv").write_text("movieId,title,genres\n1,A (1995),Comedy\n")
    assert load("movielens-32m").events["rating"].tolist() == ["4.5"]


def test_movielens_100k_is_fetched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "u.data").write_text("1\t10\t3\t881250949\n")
    (tmp_path / "u.item").write_text("10|A (1995)|01-Jan-1995||x|" + "|".join("0" * 19) + "\n")
    asked = []

    def fake(name, progress, *, cache_dir):
        asked.append((name, cache_dir))
        return Fetched(tmp_path, ())

    monkeypatch.setattr(registry, "fetch", fake)
    assert len(load("movielens-100k", cache_dir="there").events) == 1
    assert asked == [("movielens-100k", "there")]


def test_simulated_takes_seed_and_size() -> None:
    by_word = load("simulated", size="tiny", seed=4)
    by_config = load("simulated", size=SimulationConfig(users=60, titles=80, days=40, seed=4))
    pd.testing.assert_frame_equal(by_word.events, by_config.events)


def test_own_schema_file_replaces_the_packaged_one(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("name: mine\nevent_features:\n  - {name: action_type, kind: categorical}\n")
    data = load("simulated", size="tiny", schema=path)
    assert data.schema.name == "mine"
    assert list(data.events.columns) == ["user_id", "item_id", "timestamp", "action_type"]
    assert list(data.items.columns) == ["item_id"]
    assert data.interests is None


def test_contract_names_frame_and_column() -> None:
    data = load("simulated", size="tiny")
    broken = data.events.assign(timestamp=data.events["timestamp"].astype("float64"))
    with pytest.raises(DataError, match="events of 'simulated' break the adapter contract at column 'timestamp'"):
        check_contract(type(data)(broken, data.items, data.schema, ValidationReport()))
    twice = pd.concat([data.items, data.items.head(1)], ignore_index=True)
    with pytest.raises(DataError, match="items of 'simulated' break the adapter contract at column 'item_id'"):
        check_contract(type(data)(data.events, twice, data.schema, ValidationReport()))
    with pytest.raises(DataError, match="which the items lack"):
        check_contract(type(data)(data.events, data.items.iloc[5:], data.schema, ValidationReport()))


def test_loading_data_does_not_import_tensorflow() -> None:
    code = "import sys, pipelines.datasets.registry; sys.exit('tensorflow' in sys.modules)"
    root = Path(registry.__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
