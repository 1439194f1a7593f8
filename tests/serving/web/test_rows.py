"""The order of rows and what is in them."""

from __future__ import annotations

from typing import Any

import pytest

from serving.client import IntentPrediction, ScoredLabel
from serving.web.catalogue import Catalogue
from serving.web.rows import RowMaker
from tests.serving.web.catalogue_file import CONTENT

RULES = [
    {"intent": "again", "label": "continue", "show": "resume", "title": "Continue", "within": 100},
    {"intent": "again", "label": "return", "show": "return", "title": "Once more", "within": 100},
    {"intent": "again", "label": "discover", "show": "new", "title": "Discover"},
    {"intent": "taste", "label": "known", "show": "familiar", "title": "More", "feature": "genres"},
    {"intent": "taste", "label": "new", "show": "different", "title": "Different", "feature": "genres"},
    {"intent": "genre", "show": "label", "feature": "genres"},
]
HISTORY = [{"item_id": "1", "timestamp": 100}, {"item_id": "5", "timestamp": 450}]
RANKED = ["6", "5", "4", "3", "2", "1"]


def make(history: list[dict[str, Any]] = HISTORY) -> RowMaker:
    catalogue = Catalogue.parse("the test", {**CONTENT, "rows": RULES})
    return RowMaker(catalogue, history, 500, lambda item_id: [f"because {item_id}"])


def predict(**intents: dict[str, float]) -> IntentPrediction:
    ordered = {name: sorted(labels.items(), key=lambda pair: -pair[1]) for name, labels in intents.items()}
    return IntentPrediction(
        {n: tuple(ScoredLabel(*pair) for pair in pairs) for n, pairs in ordered.items()}, {}, None, 1
    )


def test_the_likeliest_mood_is_first_and_the_others_are_last() -> None:
    genres = {"x": 0.7, "y": 0.2, "z": 0.1}
    for continuing, first, last in ((0.8, "Continue", "Discover"), (0.1, "Discover", "Continue")):
        again = {"continue": continuing, "discover": 0.9 - continuing, "return": 0.1}
        titles = [row.title for row in make().rows(predict(again=again, genre=genres), ["4"], RANKED)]
        assert titles[:2] == [first, "Picked for you"]
        assert titles[2:4] == ["X", "Y"]  # z is not half as likely as by drawing lots
        assert set(titles[4:]) == {"Once more", last}


def test_label_rows_follow_their_lift_over_drawing_lots() -> None:
    rules = [*RULES[-1:], {"intent": "kind", "show": "label", "feature": "genres"}]
    maker = RowMaker(Catalogue.parse("the test", {**CONTENT, "rows": rules}), [], 500, lambda _: [])
    # "x" of two labels at 60% is 1.2 times as likely as lots, "y" of three at 50% is 1.5 times
    rows = maker.rows(predict(kind={"x": 0.6, "z": 0.4}, genre={"y": 0.5, "x": 0.25, "z": 0.25}), [], RANKED)
    assert [row.key for row in rows] == ["genre/y", "kind/x", "kind/z", "genre/x", "genre/z"]


def test_what_each_kind_of_row_holds() -> None:
    moods = {"continue": 0.4, "discover": 0.35, "return": 0.25}
    prediction = predict(again=moods, taste={"known": 0.6, "new": 0.4}, genre={"x": 0.9, "y": 0.05, "z": 0.05})
    rows = {row.key: [card.item_id for card in row.items] for row in make().rows(prediction, ["4", "2"], RANKED)}
    assert rows == {
        "again/continue": ["5"],  # met 50 s ago
        "again/return": ["1"],  # met 400 s ago
        "again/discover": ["6", "4", "3", "2"],  # never met
        "taste/new": ["4", "3", "2"],  # a genre beside x; item 6 has none and is in neither
        "genre/x": ["3"],  # met ones are left to the rows above
        "picks": ["4", "2"],
    }


def test_rows_say_why_and_cards_are_named() -> None:
    rows = make().rows(predict(again={"discover": 0.75, "continue": 0.25}), ["9"], ["3"])
    assert (rows[0].title, rows[0].why, rows[0].share) == ("Discover", "again: discover, 75%", 0.75)
    card = rows[0].items[0]
    assert (card.title, card.labels, card.because) == ("Heat", ["x", "y"], ["because 3"])
    unknown = rows[1].items[0]
    assert (unknown.title, unknown.labels) == ("9", [])


@pytest.mark.parametrize("prediction", [None, predict(other={"a": 1.0})])
def test_without_a_known_intent_there_are_recommendations_alone(prediction: IntentPrediction | None) -> None:
    assert [row.key for row in make([]).rows(prediction, ["4"], RANKED)] == ["picks"]


def test_a_new_user_has_nothing_to_continue() -> None:
    rows = make([]).rows(predict(again={"continue": 0.9, "discover": 0.1}), ["4"], RANKED)
    assert [row.title for row in rows] == ["Discover", "Picked for you"]
