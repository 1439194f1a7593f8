"""Text fits its place, whatever it holds."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from pipelines.drawing import save, setting_words, shorten, shorten_to, style, text_inches
from tests.picture_checks import drawn_texts

LETTERS = [
    "Toy Story (1995)",
    "W" * 300,
    "i" * 300,
    "Ünïcödé Łódź Ελληνικά Кино " * 9,
    "千と千尋の神隠し" * 20,
    "$x_1$ ^{",
]


@pytest.mark.parametrize("text", LETTERS)
def test_a_shortened_text_is_as_wide_as_promised(text: str) -> None:
    short = shorten_to(text, 1.5, 9)
    assert text_inches(short, 9) <= 1.5
    figure = Figure(figsize=(4, 1))
    with style():
        figure.text(0.1, 0.5, short, fontsize=9)
        ((found, box),) = drawn_texts(figure)
    assert found == short
    assert box.width / figure.dpi <= 1.5
    if short != text:
        assert short.endswith("…")
        assert text.startswith(short[:-1])
        assert text_inches(text[: len(short) + 2] + "…", 9) > 1.5  # not shorter than it must be


def test_shortening_keeps_what_fits_and_ends_somewhere() -> None:
    assert shorten("two\nlines \t", lambda text: True) == "two lines"
    assert shorten("abc", lambda text: len(text) <= 3) == "abc"
    assert shorten("abcd", lambda text: len(text) <= 3) == "ab…"
    assert shorten("ab cd", lambda text: len(text) <= 4) == "ab…"
    assert shorten("abcd", lambda text: False) == "…"
    assert shorten("", lambda text: True) == ""


def test_a_picture_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(Figure(figsize=(1, 1)), tmp_path / "deep" / "picture.png")
    before = (tmp_path / "deep" / "picture.png").read_bytes()

    def half(figure: Figure, file: Path, **_: object) -> None:
        file.write_bytes(before[:50])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Figure, "savefig", half)
    with pytest.raises(OSError, match="No space left"):
        save(Figure(figsize=(1, 1)), tmp_path / "deep" / "picture.png")
    assert [path.read_bytes() for path in (tmp_path / "deep").iterdir()] == [before]


def test_letters_without_a_font_and_dollars_are_drawn_in_silence(tmp_path: Path) -> None:
    with style():
        figure = Figure()
        figure.text(0.1, 0.5, "\U0001f600 \U00013000 $\\frac{1$")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save(figure, tmp_path / "deep" / "picture.png")
    assert (tmp_path / "deep" / "picture.png").read_bytes()[:4] == b"\x89PNG"


def test_settings_in_words() -> None:
    assert setting_words("foursquare-nyc-T", "foursquare-nyc") == "foursquare-nyc (T)"
    assert setting_words("movielens-1m-P2-no-request-time", "movielens-1m") == "movielens-1m (P2, no request time)"
