"""Figure 7: the right weights and events of the right users, readable whatever the titles are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from pipelines.drawing import OURS, QUIET
from pipelines.prepared import PreparedData
from pipelines.reproduce import figure7
from pipelines.reproduce.cli import app
from pipelines.reproduce.figure7 import (
    EVENTS,
    USERS,
    Event,
    Intent,
    Portrait,
    earlier,
    events_of_users,
    last_events,
    most_different,
    portrait,
    portrait_figure,
)
from pipelines.reproduce.questions import ask
from pipelines.reproduce.systems import System
from pipelines.run_folder import RunFolder
from pipelines.validate import DataError
from tests.picture_checks import check_texts, colour, colours, drawn_texts

DAY = 86_400


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "at the same time"),
        (1, "1 second earlier"),
        (119, "1 minute earlier"),
        (7_200, "2 hours earlier"),
        (DAY, "1 day earlier"),
        (10 * DAY, "10 days earlier"),
        (15 * DAY, "2 weeks earlier"),
        (70 * DAY, "2 months earlier"),
        (366 * DAY, "1 year earlier"),
        (3_000 * DAY, "8 years earlier"),
    ],
)
def test_how_long_ago_in_words(seconds: int, words: str) -> None:
    assert earlier(seconds) == words


def test_users_are_chosen_for_their_difference() -> None:
    weights = np.array([[0.5, 0.5]] * 20 + [[0.9, 0.1], [0.1, 0.9], [0.52, 0.48]])
    assert set(most_different(weights, 2)) == {20, 21}
    assert len(set(most_different(weights, 4))) == 4
    assert sorted(most_different(np.ones((3, 2)), 4)) == [0, 1, 2]


@pytest.fixture(scope="module")
def loaded(trained: RunFolder) -> tuple[Any, PreparedData, Any]:
    return trained.load_model()


def test_answers_are_in_the_order_of_the_events_whatever_is_asked_first(loaded: Any) -> None:
    model, prepared, _ = loaded
    places = last_events(prepared, 3)
    answers = ask(model, prepared, places[::-1].copy(), batch=7)
    np.testing.assert_array_equal(answers.events, places)
    np.testing.assert_allclose(answers.attention.sum(axis=1), 1, atol=1e-5)
    assert list(answers.probabilities) == sorted(prepared.spec.intent_labels)
    row = len(places) // 2
    alone = ask(model, prepared, places[row : row + 1])
    np.testing.assert_allclose(alone.attention[0], answers.attention[row], atol=1e-5)
    np.testing.assert_allclose(alone.embedding[0], answers.embedding[row], atol=1e-5)
    np.testing.assert_allclose(alone.probabilities["genre"][0], answers.probabilities["genre"][row], atol=1e-5)


def test_only_the_past_answers(loaded: Any) -> None:
    """The first event of a user has no past; it is left out, and with nothing left it is said."""
    model, prepared, _ = loaded
    first = np.flatnonzero(~prepared.events["user_id"].duplicated())
    with pytest.raises(DataError, match="no event asked for has an earlier one"):
        ask(model, prepared, first)


def test_a_portrait_holds_that_users_newest_events(loaded: Any) -> None:
    model, prepared, _ = loaded
    answers = ask(model, prepared, last_events(prepared, 1))
    assert len(answers.events) > 9
    for row, place in enumerate(answers.events):
        user = prepared.events["user_id"].iloc[place]
        assert events_of_users(prepared, [user]).tolist() == [place]
        history = prepared.history(user)
        one = portrait(prepared, answers, row)
        assert one.user == user
        assert one.following == history["item_id"].iloc[-1]  # the shop's items have no titles
        assert [event.title for event in one.events] == history["item_id"].tolist()[-EVENTS - 1 : -1]
        gaps = history["timestamp"].iloc[-1] - history["timestamp"].iloc[:-1]
        assert [event.when for event in one.events] == [earlier(int(gap)) for gap in gaps[-EVENTS:]]
        assert [intent.name for intent in one.intents] == ["action", "genre", "phase", "repeat"]
        assert sum(intent.weight for intent in one.intents) == pytest.approx(1, abs=1e-4)
        for intent in one.intents:
            assert intent.label in prepared.spec.intent_labels[intent.name]


def test_titles_stand_for_items(loaded: Any) -> None:
    prepared = PreparedData(loaded[1].folder)
    prepared.__dict__["titles"] = {"i1": "Léon", "i2": float("nan"), "i3": " "}
    assert [figure7.title_of(prepared, item) for item in ("i1", "i2", "i3", "i4")] == ["Léon", "i2", "i3", "i4"]


LONG = "Dr. Strangelove or: How I Learned to Stop Worrying and Love the Bomb " * 5
TITLES = {
    "usual": "Toy Story (1995)",
    "long": LONG,
    "foreign": "千と千尋の神隠し Кино ünïcödé " * 8,
    "dollars": "$9.99_{",
    "W": "W" * 500,
}


def someone(intents: int, title: str, name: str = "time_since_release") -> Portrait:
    shares = np.full(intents, 1 / intents)
    return Portrait(
        title,
        [Intent(f"{name}_{i}", float(share), title, 1.0) for i, share in enumerate(shares)],
        [Event(title, earlier(1_000 * 3 ** (EVENTS - i))) for i in range(EVENTS)],
        title,
    )


@pytest.mark.parametrize("title", TITLES.values(), ids=TITLES)
@pytest.mark.parametrize("intents", [1, 4, 14])
def test_the_picture_is_readable(title: str, intents: int) -> None:
    texts = check_texts(portrait_figure([someone(intents, title, title), someone(intents, title)], title))
    assert sum(text.endswith("%") for text in texts) == 2 * intents
    assert sum(text.endswith("(100%)") for text in texts) == 2 * intents  # a long label does not push it out
    assert not any("_" in text for text in texts if text.startswith("time since"))
    assert texts.count("then") == 2


def test_a_user_with_one_event_and_one_intent() -> None:
    one = Portrait("7", [Intent("action_type", 1.0, "watch_again", 0.5)], [Event("A", "1 day earlier")], "B")
    texts = check_texts(portrait_figure([one], "title"))
    assert {"user 7", "action type", "watch again (50%)", "100%", "A", "B", "then", "1 day earlier"} <= set(texts)


def test_the_strongest_intent_is_the_dark_one(tmp_path: Path) -> None:
    one = Portrait("7", [Intent("a", 0.7, "x", 0.5), Intent("b", 0.3, "y", 0.5)], [Event("A", "now")], "B")
    axis = portrait_figure([one], "title").axes[0]
    faces = [tuple(round(255 * part) for part in bar.get_facecolor()[:3]) for bar in axis.patches]
    assert faces == [colour(OURS), colour(QUIET)]
    assert [text for text, _ in drawn_texts(axis.figure)].index("a") >= 0


@pytest.fixture
def own_run(loaded: Any, monkeypatch: pytest.MonkeyPatch) -> PreparedData:
    """The tiny shop's run in place of a V3 of a public data set."""
    model, prepared, config = loaded
    answer = (System("V3, 1 week", {"variant": "V3"}), model, prepared, config)
    monkeypatch.setattr(figure7, "trained_v3", lambda *_: answer)
    return prepared


def run(results: Path, *more: str) -> Any:
    command = ["figure7", "--dataset", "foursquare-nyc", "--results", str(results), *more]
    return CliRunner().invoke(app, command, catch_exceptions=False)


def read(results: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((results / "figure7" / "foursquare-nyc-T.json").read_text())
    return record


def test_figure_7_from_the_command_line(own_run: PreparedData, tmp_path: Path) -> None:
    outcome = run(tmp_path)
    assert outcome.exit_code == 0
    picture = tmp_path / "pictures" / "foursquare-nyc-T-figure7.png"
    assert str(picture) in outcome.output.replace("\n", "")
    assert {colour(OURS), colour(QUIET), colour("white")} <= colours(picture)
    record = read(tmp_path)
    assert len({one["user"] for one in record["users"]}) == USERS
    assert all(len(one["events"]) == EVENTS for one in record["users"])
    assert record["fingerprint"] == own_run.fingerprint
    assert {"commit", "command", "config", "seed", "dataset", "request_time", "protocol"} <= set(record)


def test_named_users_come_in_the_order_named(own_run: PreparedData, tmp_path: Path) -> None:
    assert run(tmp_path, "--users", "u7, u3").exit_code == 0
    assert [one["user"] for one in read(tmp_path)["users"]] == ["u7", "u3"]


@pytest.mark.parametrize(
    ("users", "message"),
    [
        ("u3,nobody", "user 'nobody' has no event"),
        ("u0", "--users u0: has a single event"),
        ("", "user '' has no event"),
    ],
)
def test_users_that_cannot_be_drawn_are_one_sentence(
    own_run: PreparedData, tmp_path: Path, users: str, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        run(tmp_path, "--users", users)
    assert not list(tmp_path.iterdir())


def test_without_users_of_enough_events_it_says_so(
    own_run: PreparedData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figure7, "EVENTS", 1_000)
    with pytest.raises(DataError, match="nobody has 1000 events before the last one; name some with --users"):
        run(tmp_path)
