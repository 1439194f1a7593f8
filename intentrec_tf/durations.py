"""Time spans as people write them: ``"30m"``, ``"7d"``, ``3600``."""

import re

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 31_557_600}
MAX_SPAN = 1000 * _SECONDS["y"]
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdwy])")


def parse_span(value: int | float | str) -> int:
    """Return a time span in whole seconds.

    Args:
        value: seconds, or a number followed by ``s``, ``m`` (minutes), ``h``, ``d``, ``w`` or ``y`` (365.25 days).

    Raises:
        ValueError: the text is not such a span, or it is not positive.
    """
    if isinstance(value, str):
        match = _SPAN.fullmatch(value.strip())
        if not match:
            raise ValueError(f"'{value}' is not a time span; write for example 30m, 1h, 7d, 4w or a number of seconds")
        seconds = int(float(match[1]) * _SECONDS[match[2]])
    elif isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < MAX_SPAN:
        seconds = int(value)
    else:
        raise ValueError(f"{value!r} is not a time span; write for example 30m, 1h, 7d, 4w or a number of seconds")
    if seconds >= MAX_SPAN:
        raise ValueError(f"a time span must be shorter than 1000 years, got {value!r}")
    if seconds <= 0:
        raise ValueError(f"a time span must be positive, got {value!r}")
    return seconds


def format_span(seconds: int) -> str:
    """Return the shortest exact text for a span, e.g. ``604800 -> "1w"``."""
    for unit in ("w", "d", "h", "m"):
        if seconds % _SECONDS[unit] == 0:
            return f"{seconds // _SECONDS[unit]}{unit}"
    return f"{seconds}s"
