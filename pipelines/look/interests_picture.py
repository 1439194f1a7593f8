"""The picture of interests per user."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from pipelines.drawing import INK, OURS, PAPER, QUIET, spoken, style
from pipelines.look.bars import SIZE, WIDTH, headline, panel_title, percents

SPARSE = [factor * 10**power for power in range(6) for factor in (1, 2, 5)]
DENSE = [factor * 10**power for power in range(6) for factor in (1, 1.5, 2, 3, 4, 5, 6, 8)]


@style()
def interests_figure(look: dict[str, Any]) -> Figure:
    """Users by their effective number of categories, and its spread in each segment."""
    found = look["interests"]
    figure = Figure(figsize=(WIDTH, 4.0), layout="constrained")
    left, right = figure.subplots(1, 2)
    edges, users = np.asarray(found["histogram"]["edges"]), np.asarray(found["histogram"]["users"])
    left.bar(
        edges[:-1], users / users.sum(), np.diff(edges), align="edge", color=OURS, edgecolor="white", linewidth=0.5
    )
    dealt = np.asarray(found["histogram"]["dealt_out"])
    left.stairs(dealt / users.sum(), edges, color=PAPER, linewidth=2)
    percents(left.yaxis)
    left.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    left.grid(axis="y")
    left.tick_params(labelsize=SIZE)
    panel_title(left, "share of users", WIDTH / 2 - 1.0)
    names = []
    for row, segment in enumerate(found["segments"]):
        names.append(f"{segment['segment']} ({segment['measured']:,})")
        spread = segment["effective"]
        if spread is None:
            right.annotate("nobody", (edges[0], row), (4, 0), textcoords="offset points", va="center", fontsize=SIZE)
            continue
        right.plot([spread["p10"], spread["p90"]], [row, row], color=QUIET, linewidth=7, solid_capstyle="butt")
        right.plot([spread["p25"], spread["p75"]], [row, row], color=OURS, linewidth=14, solid_capstyle="butt")
        right.plot([spread["median"]] * 2, [row - 0.2, row + 0.2], color=INK, linewidth=2.5)
        right.plot(segment["dealt_out_effective_median"], row + 0.34, "D", color=PAPER, markersize=7)
    right.set_yticks(range(len(names)), names, fontsize=SIZE)
    right.set_ylim(len(names) - 0.5, -0.5)
    right.tick_params(axis="y", length=0)
    right.grid(axis="x")
    ticks = SPARSE if edges[-1] > 10 * edges[0] else DENSE
    for axis in (left, right):
        axis.set_xscale("log")
        axis.set_xlim(0.97 * edges[0], 1.03 * edges[-1])
        axis.set_xticks([tick for tick in ticks if edges[0] <= tick <= edges[-1]])
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
        axis.xaxis.set_minor_locator(NullLocator())
        axis.tick_params(axis="x", labelsize=SIZE)
        axis.set_xlabel("effective number of categories of a user", fontsize=SIZE)
    panel_title(right, "by segment (users)", WIDTH / 2 - 1.5)
    handles = [
        Patch(color=OURS),
        Patch(color=QUIET),
        Line2D([], [], color=PAPER, linewidth=2, marker="D"),
    ]
    words = ["users; right: middle half and median", "middle 80%", "items dealt out at random (right: median)"]
    figure.legend(handles, words, loc="outside lower center", ncols=3, frameon=False, fontsize=SIZE)
    headline(figure, look["dataset"], f"categories ({spoken(found['feature'])}) in a user's training events")
    return figure
