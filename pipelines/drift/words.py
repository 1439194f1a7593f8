"""Measures in words."""

from __future__ import annotations

from typing import Any

from pipelines.drawing import one_line
from pipelines.look.words import NOTHING, duration, number, percent

_STATISTICS = {"rise": "rise", "psi": "PSI", "ks": "KS"}


def statistic_words(statistic: str) -> str:
    """A statistic's usual name."""
    return _STATISTICS[statistic]


def amount(value: float | None) -> str:
    """A statistic with three digits, none as a dash."""
    return NOTHING if value is None else f"{value:.3f}"


def quantity(value: float | None, unit: str) -> str:
    """A number of a measure: a span of time, or four digits that count."""
    if value is None:
        return NOTHING
    if unit == "seconds":
        return duration(value)
    return number(value) if abs(value) >= 100 else f"{value:.4g}"


def change_words(measure: dict[str, Any], change: tuple[str, float, float] | None) -> str:
    """``play 70.0% -> 40.0%``."""
    if change is None:
        return NOTHING
    label, training, new = change
    if measure["statistic"] == "ks":
        unit = measure["detail"]["unit"]
        return f"{label} {quantity(training, unit)} -> {quantity(new, unit)}"
    return f"{one_line(label)} {percent(training)} -> {percent(new)}".strip()
