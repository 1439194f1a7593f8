"""Colours that people with weak sight can tell apart (WCAG 2.2, level AA)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

STYLE = (Path(__file__).parents[3] / "serving" / "web" / "static" / "style.css").read_text(encoding="utf-8")
TEXT = [("text", "ground"), ("text", "surface"), ("text", "accent-soft"), ("quiet", "ground"), ("quiet", "surface")]
TEXT += [("quiet", "accent-soft"), ("bad", "bad-soft"), ("surface", "accent"), ("ground", "accent")]
SHAPES = [("control", "surface"), ("control", "ground"), ("accent", "ground"), ("bar", "track"), ("quiet", "track")]


def palettes() -> dict[str, dict[str, str]]:
    """The custom properties of the two colour schemes."""
    blocks = [dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block)) for block in STYLE.split(":root {")[1:3]]
    return dict(zip(("light", "dark"), blocks, strict=True))


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb`, as WCAG defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """From 1 to 21."""
    light, dark = sorted([luminance(one), luminance(other)], reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_measure_itself() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_4_5_and_shapes_have_3(scheme: str) -> None:
    colours = palettes()[scheme]
    pairs = [(pair, 4.5) for pair in TEXT] + [(pair, 3.0) for pair in SHAPES]
    ratios = {pair: contrast(colours[pair[0]], colours[pair[1]]) for pair, _ in pairs}
    assert not {pair: round(ratios[pair], 2) for pair, least in pairs if ratios[pair] < least}
