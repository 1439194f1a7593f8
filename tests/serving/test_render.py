"""Text for people: alignment, width, ASCII fallback, nothing that could upset a terminal."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import pytest

from serving.client import IntentPrediction, Recommendations, ScoredItem, ScoredLabel
from serving.render import Canvas, columns_of, render_history, render_intents, render_recommendations

PREDICTION = IntentPrediction(
    intents={
        "action_type": (ScoredLabel("play", 0.75), ScoredLabel("skip", 0.25), ScoredLabel("", 0.0)),
        "genre": (ScoredLabel("Ciné", 0.5),),
    },
    attention={"action_type": 0.2, "genre": 0.8},
    embedding=np.zeros(2, np.float32),
    model_version=3,
)
ITEMS = Recommendations((ScoredItem("1", 0.8), ScoredItem("22", 0.4), ScoredItem("3", 0.0)), 3)
TITLES = {"1": "Toy Story (1995)", "3": "千と千尋の神隠し"}


def test_intents_in_ascii() -> None:
    # 40 columns less margin 2, name 11, gaps 2 + 2, percentage 6: bars of 17 columns, 0.75 of 17 is 12.75
    assert render_intents(PREDICTION, Canvas(40, unicode=False)).splitlines() == [
        "Intent action_type:",
        "  play         #############       75.0%",
        "  skip         ####                25.0%",
        "  (none)                            0.0%",
        "",
        "Intent genre:",
        "  Cine         ########            50.0%",
        "",
        "Attention (how much each intent counts):",
        "  genre        ##############      80.0%",
        "  action_type  ###                 20.0%",
    ]


def test_intents_show_as_many_labels_as_asked() -> None:
    text = render_intents(PREDICTION, limit=1)
    assert "play" in text
    assert "skip" not in text


def test_recommendations_in_unicode() -> None:
    lines = render_recommendations(ITEMS, TITLES, Canvas(60)).splitlines()
    # the best score has the full bar, half of it the half
    assert lines[0] == "Recommended:"
    assert lines[1].startswith("  1. Toy Story (1995) [1]  ")
    assert lines[2].startswith("  2. 22 ")
    assert lines[3].startswith("  3. 千と千尋の神隠し [3]  ")
    bars = [line.count("█") for line in lines[1:]]
    assert bars[0] // 2 == bars[1] >= 10
    assert bars[2] == 0
    assert {columns_of(line) for line in lines[1:]} == {60}


@pytest.mark.parametrize("width", [40, 57, 80, 120])
@pytest.mark.parametrize("unicode", [True, False])
def test_no_line_is_wider_than_the_canvas(width: int, unicode: bool) -> None:
    canvas = Canvas(width, unicode)
    long = Recommendations((ScoredItem("x" * 300, 1.0), ScoredItem("語" * 100, -1e-30)), 1)
    history = [{"item_id": "y" * 200, "timestamp": 1, "action_type": "z" * 200}]
    texts = [
        render_recommendations(long, None, canvas),
        render_intents(PREDICTION, canvas),
        render_history(history, None, canvas),
    ]
    for line in "\n".join(texts).splitlines():
        assert columns_of(line) <= width
        assert unicode or line.isascii()


def test_negative_and_equal_scores_have_bars() -> None:
    negative = Recommendations((ScoredItem("a", -1.0), ScoredItem("b", -2.0)), 1)
    first, second = render_recommendations(negative, None, Canvas(60)).splitlines()[1:]
    assert first.count("█") > second.count("█") > 0
    equal = Recommendations((ScoredItem("a", 0.0), ScoredItem("b", 0.0)), 1)
    assert len({line.count("█") for line in render_recommendations(equal).splitlines()[1:]}) == 1


def test_nothing_to_recommend() -> None:
    assert "nothing" in render_recommendations(Recommendations((), 1))


@dataclass
class Event:
    item_id: str
    timestamp: int
    action_type: str = ""
    duration: float = float("nan")
    genres: tuple[str, ...] = ()


def test_history_is_newest_last_with_titles_and_details() -> None:
    history = [
        Event("3", 1_700_000_060, "play", 12.5, ("x", "y")),
        {"item_id": "1", "timestamp": 1_700_000_000},
        {"item_id": "old", "timestamp": 5},
    ]
    assert render_history(history, TITLES, limit=2).splitlines() == [
        "History: last 2 of 3 events",
        "  2023-11-14 22:13  Toy Story (1995)",
        "  2023-11-14 22:14  千と千尋の神隠し (play, 12.5, x|y)",
    ]
    assert render_history([]) == "History: no events"


def test_control_characters_do_not_reach_the_terminal() -> None:
    evil = Recommendations((ScoredItem("\x1b[2J\nid\udcff", 1.0),), 1)
    text = render_recommendations(evil, {"\x1b[2J\nid\udcff": "a\rb\x07"})
    assert "\x1b" not in text
    assert "a?b?" in text
    assert text.isprintable() or text.replace("\n", "").isprintable()
    assert len(text.splitlines()) == 2


@pytest.mark.parametrize(("encoding", "unicode"), [("utf-8", True), ("ascii", False), ("latin-1", False)])
def test_the_stream_decides_about_unicode(encoding: str, unicode: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "72")
    assert Canvas.of(io.TextIOWrapper(io.BytesIO(), encoding=encoding)) == Canvas(72, unicode)
    monkeypatch.setenv("COLUMNS", "7")
    assert Canvas.of(io.TextIOWrapper(io.BytesIO(), encoding=encoding)).width == 40


def test_bars_are_exact_to_an_eighth_and_survive_odd_shares() -> None:
    canvas = Canvas()
    assert canvas.bar(0.5, 4) == "██  "
    assert canvas.bar(0.53125, 4) == "██▏ "
    assert canvas.bar(7.0, 4) == "████"
    assert canvas.bar(-1.0, 4) == canvas.bar(float("nan"), 4) == "    "
