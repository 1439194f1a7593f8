"""S3-Rec's sequences."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.datasets.contract import check_contract
from pipelines.datasets.registry import packaged_schema
from pipelines.datasets.s3rec import load_s3rec
from pipelines.validate import DataError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "Yelp.txt").write_text("1 5 6 5\n2 7 5\n")
    (tmp_path / "Yelp_time.txt").write_text("1 1546456309 1546456310 1546456311\n2 1546456320 1546456320\n")
    (tmp_path / "Yelp_item2attributes.json").write_text('{"5": [1, 2], "6": [2], "9": []}')
    return tmp_path


def run(folder: Path, **options):
    return check_contract(load_s3rec(folder, packaged_schema("s3rec-yelp"), stem="Yelp", **options))


def test_events_in_given_order_and_attributes(folder: Path) -> None:
    data = run(folder)
    assert data.events.to_dict("list") == {
        "user_id": ["1", "1", "1", "2", "2"],
        "item_id": ["5", "6", "5", "7", "5"],
        "timestamp": [1546456309, 1546456310, 1546456311, 1546456320, 1546456320],
    }
    # item 7 has no entry and item 9 an empty one: both exist without attributes
    assert dict(zip(data.items["item_id"], data.items["attributes"], strict=True)) == {
        "5": "a1|a2",
        "6": "a2",
        "9": "",
        "7": "",
    }


def test_line_that_does_not_match_its_times_is_rejected(folder: Path) -> None:
    (folder / "Yelp.txt").write_text("1 5 6 5\n2 7 5\n3 5 6\n")
    (folder / "Yelp_time.txt").write_text("1 1546456309 1546456310 1546456311\n2 1546456320\n3 1546456330 1546456331\n")
    data = run(folder, max_reject_share=0.5)
    assert data.events["user_id"].tolist() == ["1", "1", "1", "3", "3"]
    assert data.report.rejects["row"].tolist() == [2, 2]
    assert data.report.rows_read["Yelp.txt"] == 7


def test_another_user_in_the_line_of_times(folder: Path) -> None:
    (folder / "Yelp_time.txt").write_text("1 1546456309 1546456310 1546456311\n8 1546456320 1546456320\n")
    data = run(folder, max_reject_share=0.5)
    assert data.report.counts == {"Yelp_time.txt has another user in this line": 2}


def test_different_number_of_lines(folder: Path) -> None:
    (folder / "Yelp_time.txt").write_text("1 1546456309 1546456310 1546456311\n")
    with pytest.raises(DataError, match=r"Yelp\.txt: has 2 lines but Yelp_time\.txt has 1"):
        run(folder)


@pytest.mark.parametrize(("content", "problem"), [('{"5": [1', "not valid JSON"), ("[1, 2]", "must map each item")])
def test_bad_attributes(folder: Path, content: str, problem: str) -> None:
    (folder / "Yelp_item2attributes.json").write_text(content)
    with pytest.raises(DataError, match=problem):
        run(folder)


def test_missing_file(folder: Path) -> None:
    (folder / "Yelp_time.txt").unlink()
    with pytest.raises(DataError, match=r"holds no Yelp_time\.txt"):
        run(folder)


@pytest.mark.parametrize(
    ("stem", "users", "items", "events", "backward"),
    [("Yelp", 30_431, 20_033, 316_354, 0), ("Beauty", 22_363, 12_101, 198_502, 3)],
)
def test_real_files(shared_data: Path, stem: str, users: int, items: int, events: int, backward: int) -> None:
    folder = shared_data / f"s3rec-{stem.lower()}"
    if not folder.is_dir():
        pytest.skip(f"no {folder.name} in {shared_data}")
    data = check_contract(load_s3rec(folder, packaged_schema(folder.name), stem=stem))
    assert data.events["user_id"].nunique() == users
    assert len(data.items) == items
    assert len(data.events) == events
    assert any(f"{backward:,} users have times that go backwards" in sentence for sentence in data.sources)
