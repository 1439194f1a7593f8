"""Time spans."""

from __future__ import annotations

import pytest

from intentrec_tf.durations import format_span, parse_span


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        *[("90s", 90), ("30m", 1800), ("1h", 3600), ("7d", 604_800), ("1w", 604_800), ("1.5h", 5400)],
        *[(" 2 d ", 172_800), ("1y", 31_557_600), (3600, 3600), (60.0, 60)],
    ],
)
def test_parse(text: str | float, seconds: int) -> None:
    assert parse_span(text) == seconds
    assert parse_span(format_span(seconds)) == seconds


@pytest.mark.parametrize(
    "value", ["", "h", "7 days", "-1h", "1e3s", "3600", 0, -5, "0.1s", float("nan"), float("inf"), True, None, [1]]
)
def test_what_is_no_span(value: object) -> None:
    with pytest.raises(ValueError, match="time span"):
        parse_span(value)


@pytest.mark.parametrize("value", ["1000y", 10**30, 1e300])
def test_spans_that_would_overflow(value: object) -> None:
    with pytest.raises(ValueError, match="time span"):
        parse_span(value)


@pytest.mark.parametrize(("seconds", "text"), [(604_800, "1w"), (86_400, "1d"), (5400, "90m"), (61, "61s")])
def test_format(seconds: int, text: str) -> None:
    assert format_span(seconds) == text
