"""Pictures of a comparison, made from its numbers alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from pipelines.drawing import INK, OURS, PAPER, QUIET, shorten_to, style
from pipelines.drift.measures import DRIFT, MOVED
from pipelines.drift.words import amount, quantity, statistic_words
from pipelines.look.bars import (
    HEAD_INCHES,
    PAIR_INCHES,
    ROW_INCHES,
    SIZE,
    WIDTH,
    headline,
    legend,
    panel_title,
    percents,
    share_bars,
)

COLOURS = {DRIFT: PAPER, MOVED: OURS}
PARTS = {"training": QUIET, "new": OURS}
BEHIND = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}  # a number beside a bar covers the grid
LABELS, PANEL, FARTHEST = 12, 2.3, 4.0
WIDE = 1_000  # numbers that span more than this are drawn by their logarithms


def figures(drift: dict[str, Any]) -> dict[str, Figure]:
    """Every picture that the numbers allow, by name of its file."""
    drawn = {"overview": overview_figure(drift)}
    if _of(drift, "psi"):
        drawn["mixes"] = mixes_figure(drift)
    if _of(drift, "ks"):
        drawn["numbers"] = numbers_figure(drift)
    return drawn


def _of(drift: dict[str, Any], statistic: str) -> list[dict[str, Any]]:
    return [one for one in drift["measures"] if one["statistic"] == statistic and one["value"] is not None]


@style()
def overview_figure(drift: dict[str, Any]) -> Figure:
    """Every measure as a multiple of its limit."""
    measures = drift["measures"]
    figure = Figure(figsize=(WIDTH, HEAD_INCHES + 0.4 + ROW_INCHES * len(measures)), layout="constrained")
    axis = figure.add_subplot()
    reach = [min(_times(one), FARTHEST) for one in measures]
    colours = [COLOURS.get(one["verdict"], QUIET) for one in measures]
    axis.barh(range(len(measures)), reach, 0.7, color=colours)
    for row, one in enumerate(measures):
        words = f"{statistic_words(one['statistic'])} {amount(one['value'])}"
        words += f", {one['verdict']}" if one["verdict"] not in (*COLOURS, "steady") else ""
        axis.annotate(
            words, (reach[row], row), (4, 0), textcoords="offset points", va="center", fontsize=SIZE - 1, bbox=BEHIND
        )
    axis.axvline(1, color=INK, linewidth=1, zorder=0.5)
    axis.set_xlim(0, 1.35 * max(1.2, *reach))
    axis.set_ylim(len(measures) - 0.5, -0.5)
    axis.set_yticks(range(len(measures)), [shorten_to(one["name"], 3.4, SIZE) for one in measures], fontsize=SIZE)
    axis.tick_params(axis="y", length=0)
    axis.tick_params(axis="x", labelsize=SIZE)
    axis.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axis.set_xlabel("times the limit" + (" (cut at 4)" if max(map(_times, measures)) > FARTHEST else ""), fontsize=SIZE)
    axis.grid(axis="x")
    headline(figure, drift["dataset"], "how far the new log is from the training part")
    shown = {one["verdict"] for one in measures}
    entries = {word: colour for word, colour in COLOURS.items() if word in shown}
    legend(figure, {**entries, **({"neither": QUIET} if shown - set(COLOURS) else {})})
    return figure


def _times(measure: dict[str, Any]) -> float:
    """Value over limit; what cannot be judged, or fell, has no bar; above a limit of zero is the farthest."""
    value = max(measure["value"] or 0.0, 0.0)
    return value / measure["limit"] if measure["limit"] else FARTHEST * (value > 0)


@style()
def mixes_figure(drift: dict[str, Any]) -> Figure:
    """Shares of labels in training and in the new log; those with the most labels first."""
    mixes = sorted(_of(drift, "psi"), key=lambda one: -len(one["detail"]["labels"]))
    heights = [min(len(one["detail"]["labels"]), LABELS) for one in mixes[::2]]
    inches = HEAD_INCHES + 0.5 * len(heights) + PAIR_INCHES * sum(heights)
    figure = Figure(figsize=(WIDTH, inches), layout="constrained")
    grid = figure.add_gridspec(len(heights), min(2, len(mixes)), height_ratios=heights)
    for i, one in enumerate(mixes):
        axis = figure.add_subplot(grid[divmod(i, 2)])
        detail = one["detail"]
        changed = np.abs(np.subtract(detail["training"], detail["new"]))
        rows = sorted(np.argsort(-changed, kind="stable")[:LABELS])  # those that changed most, in their order
        series = [([detail[part][row] for row in rows], colour) for part, colour in PARTS.items()]
        share_bars(axis, [detail["labels"][row] for row in rows], series, 1.6)
        axis.set_ylim(heights[i // 2] - 0.5, -0.5)
        axis.spines["left"].set_bounds(len(rows) - 0.5, -0.5)
        many = len(detail["labels"])
        cut = f", {len(rows)} of {many}" if many > len(rows) else ""
        panel_title(axis, f"{one['name']}{cut}, PSI {amount(one['value'])}", WIDTH / 2 - 1.7)
    headline(figure, drift["dataset"], "shares of labels")
    legend(figure, {"training": QUIET, "new log": OURS})
    return figure


@style()
def numbers_figure(drift: dict[str, Any]) -> Figure:
    """Distribution functions of the numbers, through every twentieth quantile."""
    measures = _of(drift, "ks")
    rows = -(-len(measures) // 2)
    figure = Figure(figsize=(WIDTH, HEAD_INCHES + PANEL * rows), layout="constrained")
    grid = figure.add_gridspec(rows, min(2, len(measures)))
    for i, one in enumerate(measures):
        axis = figure.add_subplot(grid[divmod(i, 2)])
        detail = one["detail"]
        for part, colour, width in (("training", QUIET, 4), ("new", OURS, 2)):
            axis.plot(detail[part], np.asarray(detail["percents"]) / 100, color=colour, linewidth=width)
        _along(axis, [*detail["training"], *detail["new"]], detail["unit"])
        axis.set_ylim(0, 1)
        percents(axis.yaxis)
        axis.tick_params(labelsize=SIZE)
        axis.grid()
        panel_title(axis, f"{one['name']}, KS {amount(one['value'])}", WIDTH / 2 - 1.0)
    headline(figure, drift["dataset"], "share of values up to x")
    legend(figure, {"training (scores: validation)": QUIET, "new log": OURS})
    return figure


def _along(axis: Axes, values: list[float], unit: str) -> None:
    """The axis of the numbers: by logarithms where they span a lot, zero included."""
    positive = [value for value in values if value > 0]
    if min(values) >= 0 and positive and max(positive) > WIDE * min(max(min(positive), 1e-9), max(positive)):
        smallest = max(min(positive), 1e-9)
        axis.set_xscale("symlog", linthresh=smallest)
        low, high = np.floor(np.log10(smallest)), np.ceil(np.log10(max(positive)))
        step = max(1, int(np.ceil((high - low) / 4)))
        axis.set_xticks([10.0**power for power in range(int(low), int(high) + 1, step)])
        axis.set_xlim(0 if min(values) == 0 else smallest, 1.1 * max(positive))
        axis.xaxis.set_minor_formatter(NullFormatter())
    else:
        axis.xaxis.set_major_locator(MaxNLocator(4))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: quantity(value, unit)))
