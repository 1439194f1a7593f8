"""Horizontal bars with their numbers written at the ends, and what all pictures of a look share."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter

from pipelines.drawing import shorten_to
from pipelines.look.words import percent

WIDTH, SIZE, TITLE = 9.5, 9.0, 11.5
HEAD_INCHES, ROW_INCHES, PAIR_INCHES = 1.2, 0.27, 0.4


def share_bars(
    axis: Axes, names: Sequence[str], series: Sequence[tuple[Sequence[float | None], str]], inches: float
) -> None:
    """One row a name, the first on top; in it a bar for each series, with the share at its end.

    Args:
        axis: where to draw.
        names: of the rows; cut to ``inches``.
        series: values (a share or None, which has no bar) and colour.
        inches: room for a name.
    """
    thick = 0.78 / len(series)
    reach = max((value for values, _ in series for value in values if value is not None), default=0.0) or 1.0
    for place, (values, colour) in enumerate(series):
        rows = [row + (place - (len(series) - 1) / 2) * thick for row in range(len(names))]
        axis.barh(rows, [value or 0.0 for value in values], 0.92 * thick, color=colour)
        for row, value in zip(rows, values, strict=True):
            if value is not None:
                end = (4, 0)
                axis.annotate(
                    percent(value), (value, row), end, textcoords="offset points", va="center", fontsize=SIZE - 1
                )
    axis.set_xlim(0, 1.22 * reach)
    axis.set_ylim(max(len(names), 1) - 0.5, -0.5)
    axis.set_yticks(range(len(names)), [shorten_to(name, inches, SIZE) for name in names], fontsize=SIZE)
    axis.tick_params(axis="y", length=0)
    axis.set_xticks([])
    axis.spines["bottom"].set_visible(False)


def panel_title(axis: Axes, text: str, inches: float) -> None:
    """A title above one of several panels, cut to its width."""
    axis.set_title(shorten_to(text, inches, SIZE + 1), fontsize=SIZE + 1, loc="left")


def percents(*axes: Axis) -> None:
    """Shares along these axes as percents."""
    for axis in axes:
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g}%"))


def headline(figure: Figure, dataset: str, text: str) -> None:
    """The picture's title; a long name of the data set leaves room for the rest."""
    name = shorten_to(dataset, 0.4 * WIDTH, TITLE)
    figure.suptitle(shorten_to(f"{name}: {text}", WIDTH - 0.3, TITLE), fontsize=TITLE)


def legend(figure: Figure, entries: dict[str, str]) -> None:
    """Words and colours below the picture."""
    handles = [Patch(color=colour) for colour in entries.values()]
    words = list(entries)
    figure.legend(handles, words, loc="outside lower center", ncols=len(words), frameon=False, fontsize=SIZE)
