"""Catalogue files: what is read, searched and refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from serving.client import InvalidInputError
from serving.web.catalogue import Catalogue
from tests.serving.web.catalogue_file import CONTENT, write_catalogue


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    return Catalogue.read(write_catalogue(tmp_path))


def test_reads_all_parts(catalogue: Catalogue) -> None:
    assert list(catalogue.items) == ["1", "2", "3", "4", "5", "6"]
    assert catalogue.rows[0].within == 1000
    assert [column.usual for column in catalogue.columns] == ["play", None, 60]
    assert list(catalogue.users) == ["carla", "emil"]
    assert (catalogue.title("3"), catalogue.title("unknown")) == ("Heat", "unknown")
    assert (catalogue.labels("3", "genres"), catalogue.labels("unknown", "genres")) == (("x", "y"), ())


@pytest.mark.parametrize(
    ("text", "found"),
    [("amelie", ["1"]), ("AMÉLIE x", ["1"]), ("y", ["2", "3"]), ("", ["1", "2", "3"]), ("nothing", []), ("6", ["6"])],
)
def test_search_knows_no_case_and_no_accents_and_wants_every_word(
    catalogue: Catalogue, text: str, found: list[str]
) -> None:
    assert [item.item_id for item in catalogue.search(text, 3)] == found


def test_items_of_a_label_best_known_first(catalogue: Catalogue) -> None:
    assert catalogue.of_label("genres", "x", 2) == ["1", "3"]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"format": 2}, "no catalogue of format 1"),
        ({"items": []}, "'items'"),
        ({"items": [{"title": "no id"}]}, "item 0"),
        ({"items": [{"id": "1", "labels": {"genres": "x"}}]}, "'genres' of item 0"),
        ({"moment": "now"}, "'moment'"),
        ({"topics": [1]}, "'topics'"),
        ({"columns": [{"name": "a", "kind": "picture"}]}, "event column 0"),
        ({"users": [{"id": "u", "history": [{"item_id": "1"}]}]}, "user 0"),
        ({"rows": [{"intent": "a"}]}, "row 0"),
        ({"rows": [{"intent": "a", "show": "label", "colour": "red"}]}, "row 0"),
        ({"rows": [{"intent": "a", "show": "everything"}]}, "'show' of row 0"),
        ({"rows": [{"intent": "a", "show": "label"}]}, "'feature'"),
        ({"rows": [{"intent": "a", "show": "new", "label": "b"}]}, "'title'"),
        ({"rows": [{"intent": "a", "show": "new", "within": "1d"}]}, "'within' of row 0"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, changes: dict[str, Any], problem: str) -> None:
    with pytest.raises(InvalidInputError, match=problem):
        Catalogue.read(write_catalogue(tmp_path, **changes))


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="cannot be read"):
        Catalogue.read(tmp_path / "absent.json")
    broken = tmp_path / "broken.json"
    broken.write_text(json.dumps(CONTENT)[:-1], encoding="utf-8")
    with pytest.raises(InvalidInputError, match="no JSON"):
        Catalogue.read(broken)
