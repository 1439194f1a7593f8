"""Pictures of a simulated A/B test, made from its record alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from pipelines.abtest.statistics import ALPHA, METRICS
from pipelines.abtest.words import percent_change
from pipelines.drawing import INK, OURS, PAPER, QUIET, style
from pipelines.look.bars import HEAD_INCHES, SIZE, WIDTH, headline, legend, percents

ROW = 0.42
SMOOTH = 7
NAME = "simulation"
BEHIND = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}  # a number over the line of no difference


@style()
def effects_figure(record: dict[str, Any]) -> Figure:
    """Every metric's relative difference with its 95% interval."""
    shown = {name: one for name, one in record["metrics"].items() if one["interval"] is not None and one["a"]}
    figure = Figure(figsize=(WIDTH, HEAD_INCHES + 0.5 + ROW * max(1, len(shown))), layout="constrained")
    axis = figure.add_subplot()
    axis.axvline(0, color=INK, linewidth=1)
    for row, one in enumerate(shown.values()):
        scale = abs(one["a"])
        middle, low, high = (value / scale for value in (one["difference"], *one["interval"]))
        colour = (OURS if middle > 0 else PAPER) if one["adjusted_p"] < ALPHA else QUIET
        axis.plot([low, high], [row, row], color=colour, linewidth=4, solid_capstyle="butt")
        axis.plot([middle], [row], "o", color=colour, markersize=8, markeredgecolor="white")
        words, place = percent_change(middle), (middle, row)
        axis.annotate(words, place, (0, 8), textcoords="offset points", ha="center", fontsize=SIZE - 1, bbox=BEHIND)
    axis.set_yticks(range(len(shown)), [METRICS[name] for name in shown], fontsize=SIZE)
    axis.set_ylim(len(shown) - 0.4, -0.7)
    axis.margins(x=0.08)
    axis.tick_params(axis="y", length=0)
    axis.tick_params(axis="x", labelsize=SIZE)
    axis.xaxis.set_major_locator(MaxNLocator(6))
    percents(axis.xaxis)
    axis.set_xlabel("B - A, relative to A's mean, with 95% intervals", fontsize=SIZE)
    axis.grid(axis="x")
    headline(figure, NAME, f"A/B test of {record['models'][0]['title']} (A) and {record['models'][1]['title']} (B)")
    legend(figure, {"B has more": OURS, "B has less": PAPER, "no difference at 5% (Holm)": QUIET})
    return figure


@style()
def daily_figure(record: dict[str, Any]) -> Figure:
    """Hours watched a user, day by day, with means of a week."""
    figure = Figure(figsize=(WIDTH, 3.6), layout="constrained")
    axis = figure.add_subplot()
    for values, colour in zip(record["daily"], (QUIET, OURS), strict=True):
        days = np.arange(1, len(values) + 1)
        axis.plot(days, values, ".", color=colour, alpha=0.5)
        if len(values) >= SMOOTH:
            means = np.convolve(values, np.ones(SMOOTH) / SMOOTH, "valid")
            axis.plot(days[SMOOTH - 1 :], means, color=colour, linewidth=2.5)
        else:
            axis.plot(days, values, color=colour, linewidth=2.5)
    axis.set_ylim(0, None)
    axis.set_xlabel("day of the experiment", fontsize=SIZE)
    axis.set_ylabel("hours watched a user", fontsize=SIZE)
    axis.tick_params(labelsize=SIZE)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.grid()
    headline(figure, NAME, "hours watched, dots by day, lines of the last 7 days")
    legend(figure, {"A": QUIET, "B": OURS})
    return figure
