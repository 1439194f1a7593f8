"""Pictures show the numbers: bars as long and thick as they should be, names cut, nothing hidden."""

from __future__ import annotations

from typing import Any

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from pipelines.drawing import OURS, PAPER, style
from pipelines.look.bars import WIDTH, headline, share_bars
from pipelines.look.pictures import LABELS, intents_figure
from tests.picture_checks import check_texts, drawn_texts


def intent(name: str, labels: int, test: bool = True, several: bool = False) -> dict[str, Any]:
    rows = [
        {"label": f"{name}{n}", "training": 1 / labels, "test": 1 / labels if test else None} for n in range(labels)
    ]
    return {"intent": name, "labels": rows, "several_labels": several}


def look_at(*intents: dict[str, Any]) -> dict[str, Any]:
    return {"dataset": "shop", "intents": list(intents)}


@style()
def bars_of(figure: Figure) -> list[list[tuple[str, float, float]]]:
    """Colour, thickness and length of every bar in pixels, panel by panel."""
    FigureCanvasAgg(figure).draw()
    found = []
    for axis in figure.axes:
        boxes = [(to_hex(bar.get_facecolor()), bar.get_window_extent()) for bar in axis.patches]
        found.append([(colour, box.height, box.width) for colour, box in boxes])
    return found


def test_bars_of_neighbours_are_equally_thick() -> None:
    panels = bars_of(intents_figure(look_at(intent("few", 2), intent("many", 9))))
    assert [len(panel) for panel in panels] == [18, 4]  # the intent with the most labels first
    thick = [height for panel in panels for _, height, _ in panel]
    assert max(thick) == pytest.approx(min(thick), rel=0.02)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize("labels", [1, LABELS, 300])
def test_any_number_of_intents_and_labels_is_readable(count: int, labels: int) -> None:
    intents = [intent("abcde"[n], labels, several=n == 0) for n in range(count)]
    texts = check_texts(intents_figure(look_at(*intents)))
    titles = [text for text in texts if "share of" in text]
    assert len(titles) == count
    assert all((f"{LABELS} of 300" in title) == (labels == 300) for title in titles)
    assert sum("all labels" in title for title in titles) == 1
    assert sum(text.endswith("%") for text in texts) == 2 * count * min(labels, LABELS)


def test_without_a_test_part_there_is_one_bar_a_label_and_no_word_of_it() -> None:
    figure = intents_figure(look_at(intent("a", 4, test=False)))
    assert {colour for colour, _, _ in bars_of(figure)[0]} == {OURS}
    assert "test" not in check_texts(figure)


@style()
def two_bars(values: list[float | None], names: list[str]) -> Figure:
    figure = Figure(figsize=(WIDTH, 3), layout="constrained")
    share_bars(figure.add_subplot(), names, [(values, OURS), (values[::-1], PAPER)], 1.0)
    return figure


def test_bars_are_as_long_as_their_shares() -> None:
    ((first, second, *_),) = bars_of(two_bars([0.6, 0.2], ["a", "b"]))
    assert first[2] == pytest.approx(3 * second[2], rel=0.01)
    assert {"60.0%", "20.0%"} <= set(check_texts(two_bars([0.6, 0.2], ["a", "b"])))


def test_what_does_not_exist_has_no_number() -> None:
    texts = check_texts(two_bars([None, 0.0], ["a", "b"]))
    assert sorted(text for text in texts if text.endswith("%")) == ["0.0%", "0.0%"]


def test_long_names_leave_room_for_bars_and_for_the_rest_of_the_title() -> None:
    figure = two_bars([0.5, 0.1], ["W" * 99, "ünïcödé 名前 " * 20])
    headline(figure, "d" * 300, "what it shows")
    texts = dict(drawn_texts(figure))
    assert any(text.endswith("…: what it shows") for text in texts)
    names = [text for text in texts if text[0] in "Wü"]
    assert len(names) == 2
    assert all(text.endswith("…") for text in names)
    assert figure.axes[0].get_window_extent().width > 0.8 * figure.bbox.width
