"""A result in words: sentences and cells."""

from __future__ import annotations

from typing import Any

from pipelines.abtest.statistics import ALPHA, METRICS
from pipelines.look.words import NOTHING, percent

SIMULATION = (
    "This is a simulation: the people are programs whose hidden intents and tastes decide what they do. It says which "
    "model serves these programs better; it says nothing of real viewers and replaces no test with them."
)


def signed(value: float | None, digits: int = 4) -> str:
    """``+0.0123``."""
    return NOTHING if value is None else f"{value:+.{digits}f}"


def interval(values: list[float] | None, digits: int = 4) -> str:
    """``-0.0100 to +0.0200``."""
    return NOTHING if values is None else f"{signed(values[0], digits)} to {signed(values[1], digits)}"


def plain_number(value: float | None) -> str:
    """Four decimals."""
    return NOTHING if value is None else f"{value:.4f}"


def verdicts(record: dict[str, Any]) -> list[str]:
    """What stands out, a sentence each."""
    metrics, lines = record["metrics"], []
    for name, one in metrics.items():
        if one["adjusted_p"] is not None and one["adjusted_p"] < ALPHA:
            side = "higher" if one["difference"] > 0 else "lower"
            lines.append(
                f"B is {side} in {METRICS[name]}: {signed(one['difference'])}, {percent_change(one['relative'])} "
                f"(p {luck(one['adjusted_p'])} after Holm)."
            )
    if not lines:
        lines.append(f"No metric differs between A and B at {ALPHA:.0%} after Holm's correction for {len(metrics)}.")
    shared = record.get("interleaving")
    if shared and shared["share"] is not None:
        low, high = (percent(end) for end in shared["interval"])
        lines.append(
            f"On shared pages {percent(shared['share'])} of the users with a preference open more titles of B "
            f"(95% interval {low} to {high}, p {luck(shared['p'])})."
        )
    return lines


def percent_change(value: float | None) -> str:
    """``+1.2%``."""
    return NOTHING if value is None else f"{value:+.1%}".replace("-0.0%", "0.0%").replace("+0.0%", "0.0%")


def luck(p: float | None) -> str:
    """A p-value; what rounds to nothing says so."""
    if p is None:
        return NOTHING
    return "<.0001" if p < 0.0001 else f"{p:.3g}"
