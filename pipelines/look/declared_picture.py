"""Pictures of declared interests beside behaviour."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from pipelines.drawing import OURS, PAPER, style
from pipelines.look.bars import (
    HEAD_INCHES,
    PAIR_INCHES,
    SIZE,
    WIDTH,
    headline,
    legend,
    panel_title,
    percents,
    share_bars,
)
from pipelines.look.declared import DIRECTIONS
from pipelines.look.words import percent

LABELS = 15
WORDS = {
    "declared_seen": ("declared labels", "that the user's events touch"),
    "events_declared": ("the user's events", "that touch a declared label"),
    "labels_declared": ("labels the user touches", "that are declared"),
}
OWN, OTHER = "with the user's own declarations", "with another user's declarations"


@style()
def declared_figure(look: dict[str, Any]) -> Figure:
    """Users by how much of the one lies in the other, in both directions."""
    found = look["declared"]
    figure = Figure(figsize=(WIDTH, 3.9), layout="constrained")
    edges, compared = np.linspace(0, 1, 11), False
    for axis, name in zip(figure.subplots(1, 3, sharey=True), DIRECTIONS, strict=True):
        direction, (what, which) = found[name], WORDS[name]
        own = np.asarray(direction["tenths"])
        axis.bar(edges[:-1], own / max(own.sum(), 1), 0.1, align="edge", color=OURS, edgecolor="white")
        means = f"mean {percent((direction['spread'] or {}).get('mean'))}"
        if direction["of_another_user"]:
            other, compared = np.asarray(direction["of_another_user"]["tenths"]), True
            axis.stairs(other / max(other.sum(), 1), edges, color=PAPER, linewidth=2)
            means += f", another's {percent(direction['of_another_user']['mean'])}"
        axis.set_xlim(0, 1)
        axis.set_xticks([0, 0.5, 1])
        percents(axis.xaxis, axis.yaxis)
        axis.tick_params(labelsize=SIZE)
        axis.grid(axis="y")
        axis.set_xlabel(f"share of {what}\n{which}", fontsize=SIZE)
        panel_title(axis, means, WIDTH / 3 - 0.6)
    figure.axes[0].set_ylabel("share of users", fontsize=SIZE)
    kind = "derived" if found["derived"] else "declared"
    headline(figure, look["dataset"], f"{kind} interests and behaviour")
    legend(figure, {OWN: OURS, **({OTHER: PAPER} if compared else {})})
    return figure


@style()
def declared_labels_figure(look: dict[str, Any]) -> Figure:
    """Share of events with a label: of the users who declared it, and of all others."""
    rows = look["declared"]["labels"][:LABELS]
    figure = Figure(figsize=(WIDTH, HEAD_INCHES + PAIR_INCHES * max(len(rows), 1)), layout="constrained")
    series = [
        ([row["share_of_their_events"] for row in rows], OURS),
        ([row["share_of_others_events"] for row in rows], PAPER),
    ]
    share_bars(figure.add_subplot(), [f"{row['label']} ({row['users']:,})" for row in rows], series, 2.6)
    headline(figure, look["dataset"], "events with a label, by who declared it (number of users)")
    legend(figure, {"of the users who declared it": OURS, "of all others": PAPER})
    return figure
