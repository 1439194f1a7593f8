"""What all pictures share: colours that everyone tells apart, fonts, text that fits its place."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib import font_manager
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.figure import Figure

from serving.atomic import atomic_file

OURS, PAPER, QUIET, INK = "#1b6ca8", "#e69f00", "#9ec3de", "#222222"
ELLIPSIS = "…"
_FALLBACKS = ("Noto Sans", "Noto Sans CJK JP", "Noto Sans Arabic", "WenQuanYi Zen Hei", "Arial Unicode MS")


@contextmanager
def style() -> Iterator[None]:
    """The look of all pictures, around drawing and saving; also a decorator.

    A ``$`` in a title is a dollar; a letter that no font at hand has becomes a box without a warning.
    """
    look: Any = {
        "font.family": _fonts(),
        "font.size": 10,
        "text.parse_math": False,
        "text.color": INK,
        "axes.edgecolor": "#888888",
        "axes.labelcolor": INK,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.axisbelow": True,
        "figure.constrained_layout.w_pad": 0.12,
        "figure.constrained_layout.h_pad": 0.12,
        "grid.alpha": 0.25,
        "figure.dpi": 120,
        "savefig.dpi": 120,
    }
    with matplotlib.rc_context(look), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"(?s)Glyph .* missing from")
        yield


@cache
def _fonts() -> list[str]:
    known = set(font_manager.get_font_names())
    return ["DejaVu Sans", *(name for name in _FALLBACKS if name in known)]


@style()
def save(figure: Figure, picture: Path) -> None:
    """Write as PNG, whole or not at all."""
    with atomic_file(picture) as work:
        figure.savefig(work, format="png")


@lru_cache(10_000)
@style()
def text_inches(text: str, size: float, bold: bool = False) -> float:
    """Width of a line of text in inches at a font size in points."""
    font = font_manager.FontProperties(size=size, weight="bold" if bold else "normal")
    width: float = RendererAgg(1, 1, 72).get_text_width_height_descent(text, font, False)[0]
    return 1.03 * width / 72  # letters snap to pixels, which widens a line a little


def shorten(text: str, fits: Callable[[str], bool]) -> str:
    """On one line, with an ellipsis at the end if it would not fit otherwise."""
    text = one_line(text)
    if fits(text):
        return text
    low, high = 0, len(text)  # the longest beginning that fits is at least low, less than high letters
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(text[:middle].rstrip() + ELLIPSIS) else (low, middle)
    return text[:low].rstrip() + ELLIPSIS


def shorten_to(text: str, inches: float, size: float, bold: bool = False) -> str:
    """:func:`shorten` to a width."""
    return shorten(text, lambda part: text_inches(part, size, bold) <= inches)


def wrap_to(parts: list[str], inches: float, size: float, lines: int) -> list[str]:
    """Parts joined by commas on so many lines at most, broken behind a part; each part and the end are shortened."""
    found: list[str] = []
    for i, part in enumerate(parts):
        text = shorten_to(part, inches - text_inches(",", size), size) + ("," if i < len(parts) - 1 else "")
        if found and text_inches(f"{found[-1]} {text}", size) <= inches:
            found[-1] += f" {text}"
        elif len(found) < lines:
            found.append(text)
        else:
            found[-1] = shorten_to(f"{found[-1]} {text}", inches, size)
            break
    return found


def one_line(text: str) -> str:
    """Without line breaks and other letters that have no picture."""
    return " ".join(re.sub(r"[\x00-\x1f\x7f]", " ", str(text)).split())


def spoken(name: str) -> str:
    """A column's or intent's name in words."""
    return name.replace("_", " ")


def setting_words(setting: str, dataset: str) -> str:
    """``foursquare-nyc-T`` as ``foursquare-nyc (T)``."""
    protocol, *rest = setting.removeprefix(f"{dataset}-").split("-")
    return f"{dataset} ({', '.join([protocol, *([' '.join(rest)] if rest else [])])})"
