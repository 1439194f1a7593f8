"""Recall, tail recall, coverage and variety of candidates side by side."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from pipelines.drawing import INK, OURS, PAPER, setting_words, shorten_to, style
from pipelines.reproduce.coverage import counts_of, values_of
from pipelines.reproduce.protocols import Setting

_PANELS = {
    "recall": ("recall", "all"),
    "recall of the tail": ("recall", "tail"),
    "coverage of the catalogue": ("coverage",),
    "entropy of a list's categories, nats": ("category_entropy",),
}
_COLOURS = (PAPER, OURS)


@style()
def coverage_figure(records: dict[str, list[dict[str, Any]]], setting: Setting) -> Figure:
    """A panel per measure; in each a group of bars per system, a bar per list length.

    Args:
        records: system -> its records, one per seed.
        setting: for the title.
    """
    names, counts = list(records), counts_of(records)
    figure = Figure(figsize=(10.5, 1.4 + 1.1 * len(names)), layout="constrained")
    for axis, (title, keys) in zip(figure.subplots(2, 2).ravel(), _PANELS.items(), strict=True):
        columns = {
            count: [values_of(group, "candidates", count, *keys) for group in records.values()] for count in counts
        }
        if not all(all(column) for column in columns.values()):  # items without a category
            axis.remove()
            continue
        _bars(axis, columns)
        axis.set_yticks(range(len(names)), names)
        axis.set_ylim(len(names) - 0.5, -0.5)  # first on top
        axis.tick_params(axis="y", length=0)
        axis.set_title(title, fontsize=10)
        axis.grid(axis="x")
    handles, labels = figure.axes[0].get_legend_handles_labels()
    words = [f"{label} candidates" for label in labels]
    figure.legend(handles, words, loc="outside lower center", ncols=len(words), frameon=False)
    several = max(map(len, records.values())) > 1
    whiskers = " (whiskers: ± a standard deviation)" if several else ""
    title = f"{setting_words(setting.name, setting.dataset)}: what candidates reach{whiskers}"
    figure.suptitle(shorten_to(title, 10.0, 11.5), fontsize=11.5)
    return figure


def _bars(axis: Any, columns: dict[str, list[list[float]]]) -> None:
    """Horizontal bars of means over seeds, those of a system side by side, each with its number."""
    width, reach = 0.8 / len(columns), 0.0
    for place, (count, values) in enumerate(columns.items()):
        means = np.array([np.mean(one) for one in values])
        spread = np.array([np.std(one, ddof=1) if len(one) > 1 else 0.0 for one in values])
        rows = np.arange(len(means)) + (place - (len(columns) - 1) / 2) * width
        colour, whisker = _COLOURS[place % len(_COLOURS)], spread if any(len(one) > 1 for one in values) else None
        axis.barh(rows, means, 0.9 * width, color=colour, xerr=whisker, ecolor=INK, capsize=2, label=count)
        for row, mean, end in zip(rows, means, means + spread, strict=True):
            axis.annotate(f"{mean:.3f}", (end, row), (4, 0), textcoords="offset points", va="center", size=8)
        reach = max(reach, float((means + spread).max()))
    axis.set_xlim(0, 1.18 * (reach or 1.0))
