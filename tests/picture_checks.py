"""What a person would see in a picture: texts that cover each other or leave it, and its colours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.image import imread
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from pipelines.drawing import style


@style()
def drawn_texts(figure: Figure) -> list[tuple[str, Bbox]]:
    """Every text that is drawn with its place in pixels."""
    found: list[tuple[str, Bbox]] = []
    draw = Text.draw

    def record(text: Text, renderer: object) -> None:
        if text.get_visible() and text.get_text():
            found.append((text.get_text(), text.get_window_extent(renderer)))
        draw(text, renderer)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Text, "draw", record)
        FigureCanvasAgg(figure).draw()
    return found


def check_texts(figure: Figure) -> list[str]:
    """No two texts overlap and none leaves the picture; returns the texts."""
    found = drawn_texts(figure)
    frame = figure.bbox
    for i, (text, box) in enumerate(found):
        assert frame.x0 <= box.x0 < box.x1 <= frame.x1, f"{text!r} leaves the picture at a side"
        assert frame.y0 <= box.y0 < box.y1 <= frame.y1, f"{text!r} leaves the picture at top or bottom"
        for other, place in found[:i]:
            assert not box.padded(-0.5).overlaps(place.padded(-0.5)), f"{text!r} lies over {other!r}"
    return [text for text, _ in found]


def colours(picture: Path) -> set[tuple[int, ...]]:
    """All colours of a PNG, 0 to 255."""
    pixels = np.round(imread(picture)[..., :3] * 255).astype(int)
    return {tuple(int(part) for part in colour) for colour in np.unique(pixels.reshape(-1, 3), axis=0)}


def colour(name: str) -> tuple[int, ...]:
    """A colour's name as :func:`colours` gives it."""
    return tuple(round(255 * part) for part in to_rgb(name))
