"""Numbers and names in words."""

from __future__ import annotations

import datetime
import re

from pipelines.drawing import ELLIPSIS, one_line

LETTERS = 48
_SPECIAL = re.compile(r"([\\|<>*_`\[\]#~])")
_UNITS = (("year", 365.25 * 86_400), ("day", 86_400.0), ("hour", 3_600.0), ("minute", 60.0))
NOTHING = "-"


def percent(value: float | None) -> str:
    """``12.3%``; what rounds to nothing and is not, or to all and is not, says so."""
    if value is None:
        return NOTHING
    if 0 < value < 0.0005:
        return "<0.1%"
    if 0.9995 <= value < 1:
        return ">99.9%"
    return f"{value:.1%}"


def number(value: float | None, digits: int = 1) -> str:
    """With commas, without decimals that are zero."""
    if value is None:
        return NOTHING
    return f"{value:,.{digits}f}".removesuffix("." + "0" * digits)


def duration(seconds: float | None) -> str:
    """``3.2 days``."""
    if seconds is None:
        return NOTHING
    for unit, size in _UNITS:
        if seconds >= 2 * size:
            return f"{number(seconds / size)} {unit}s"
    return f"{number(seconds)} seconds"


def moment(seconds: int | None, first: int, dated: bool) -> str:
    """A date, or the day since the log's first event where dates are unknown."""
    if seconds is None:
        return NOTHING
    if dated:
        return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%d")
    return f"day {number((seconds - first) / 86_400)}"


def literal(text: str, letters: int = LETTERS) -> str:
    """A text of the data as it is: on one line, cut at so many letters, nothing in it read as Markdown."""
    text = one_line(text)
    if len(text) > letters:
        text = text[: letters - 1].rstrip() + ELLIPSIS
    return _SPECIAL.sub(r"\\\1", text)


def counted(count: int, what: str) -> str:
    """``1 user``, ``2 users``."""
    return f"{count:,} {what}" + ("" if count == 1 else "s")
