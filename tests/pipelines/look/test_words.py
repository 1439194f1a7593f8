"""Numbers in words that say neither too much nor too little."""

from __future__ import annotations

import pytest

from pipelines.look.words import counted, duration, literal, moment, number, percent


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (0, "0.0%"),
        (0.0004, "<0.1%"),
        (0.0005, "0.1%"),
        (0.1234, "12.3%"),
        (0.9994, "99.9%"),
        (0.9999, ">99.9%"),
        (1, "100.0%"),
    ],
)
def test_percent(value: float | None, text: str) -> None:
    assert percent(value) == text


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(None, 1, "-"), (1234.0, 1, "1,234"), (0.25, 1, "0.2"), (3.999, 2, "4"), (10.5, 2, "10.50"), (100, 1, "100")],
)
def test_number(value: float | None, digits: int, text: str) -> None:
    assert number(value, digits) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0, "0 seconds"),
        (119, "119 seconds"),
        (120, "2 minutes"),
        (5_400, "90 minutes"),
        (36 * 3_600, "36 hours"),
        (90 * 86_400, "90 days"),
        (20 * 365.25 * 86_400, "20 years"),
    ],
)
def test_duration(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_moments() -> None:
    assert moment(1_700_000_000, 0, True) == "2023-11-14"
    assert moment(90_000 + 43_200, 90_000, False) == "day 0.5"
    assert moment(None, 0, True) == "-"


def test_a_text_of_the_data_stays_a_text() -> None:
    assert literal("a|b_c*d `e` <f> [g]") == r"a\|b\_c\*d \`e\` \<f\> \[g\]"
    assert literal("two\nlines\tof   it") == "two lines of it"
    assert literal("x" * 60) == "x" * 47 + "…"
    assert literal("x" * 48) == "x" * 48


def test_counted() -> None:
    assert [counted(n, "row") for n in (0, 1, 2_000)] == ["0 rows", "1 row", "2,000 rows"]
