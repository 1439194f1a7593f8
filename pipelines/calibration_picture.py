"""Reliability diagrams of the intent heads, before and after calibration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipelines.drawing import INK, OURS, PAPER, save, spoken, style

_COLUMNS = 3


@style()
def reliability_figure(record: dict[str, Any]) -> Figure:
    """One diagram a head: how often a bin's most probable labels were true, over how probable they were said to be.

    Args:
        record: of :func:`pipelines.calibrate.calibrate`; heads without a labelled test event are left out.
    """
    heads = {name: head for name, head in record["heads"].items() if "test" in head}
    rows = max(-(-len(heads) // _COLUMNS), 1)
    columns = max(-(-len(heads) // rows), 1)
    figure = Figure(figsize=(max(3.6 * columns + 0.4, 6.0), 3.75 * rows + 0.5), layout="constrained")
    figure.suptitle(f"{record['dataset']}, {record['model']}: do the intents' scores come true? (test part)")
    panels = np.ravel(figure.subplots(rows, columns, squeeze=False))
    for panel, (name, head) in zip(panels, heads.items(), strict=False):
        _panel(panel, name, head)
    for panel in panels[len(heads) :]:
        panel.set_visible(False)
    return figure


def write_reliability(record: dict[str, Any], picture: Path) -> None:
    """:func:`reliability_figure` as PNG."""
    save(reliability_figure(record), picture)


def _panel(axis: Axes, name: str, head: dict[str, Any]) -> None:
    axis.plot([0, 1], [0, 1], color="#888888", linewidth=1, linestyle=":")
    for when, colour, marker in (("before", PAPER, "o"), ("after", OURS, "s")):
        found = head["test"][when]
        label = f"{when}: error {found['ece']:.3f}"
        bins = found["bins"]
        axis.plot(bins["confidence"], bins["outcome"], color=colour, marker=marker, markersize=4, label=label)
    axis.set_title(f"{spoken(name)}, temperature {head['temperature']:.2f}", fontsize=10, color=INK)
    axis.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xlabel="predicted probability", ylabel="came true")
    axis.grid(visible=True)
    axis.legend(frameon=False, loc="upper left", fontsize=9)
