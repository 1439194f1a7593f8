"""The tables as pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from pipelines.drawing import INK, OURS, PAPER, save, setting_words, shorten_to, spoken, style
from pipelines.reproduce.claims import LEVEL
from pipelines.reproduce.comparison import Column, Row, compare
from pipelines.reproduce.page import rows_of, settings_of
from pipelines.reproduce.paper import BASES, published
from pipelines.reproduce.protocols import schema_of
from pipelines.reproduce.systems import TABLES, systems_of
from pipelines.reproduce.tables import base_of, measure_of

_WIDTH, _BAR, _SIZE = 9.5, 0.3, 9
_NAME_INCHES = 3.2
_NAMES = {"windows": "short-term window H", "weights": "weight of the intents' losses", "times": "time encoding"}
_NAMES |= {"retrieval": "candidates", "interests": "what makes DCM", "topics": "candidates of a topic"}


@dataclass(frozen=True)
class Gain:
    """A system's relative gain in percent; ``ours`` is NaN without a value, ``paper`` None where the paper has none."""

    system: str
    ours: float
    p_value: float
    paper: float | None


@dataclass(frozen=True)
class Score:
    """A system's mean over so many seeds, with its standard deviation if there are several."""

    system: str
    mean: float
    deviation: float | None
    seeds: int


def draw_tables(results: Path) -> None:
    """Draw every table of every setting that has two rows or more, the base among them.

    Args:
        results: folder that holds ``runs/<setting>/<system>-seed<k>.json``; pictures go to
            ``pictures/<setting>-<table>.png`` in it.
    """
    for setting in settings_of(results):
        rows = rows_of(results / "runs" / setting)
        dataset: str = next(iter(rows.values())).records[0]["dataset"]
        title, schema = setting_words(setting, dataset), schema_of(setting, dataset)
        for table in TABLES:
            chosen = [rows[system.name] for system in systems_of(table, schema) if system.name in rows]
            base, measure = base_of(table, chosen), measure_of(table)
            if len(chosen) < 2 or (table in BASES and base is None):
                continue
            if table in BASES:
                assert base is not None
                heading = f"{title}, {spoken_table(table)}: item {measure.name} against {base.system}, in percent"
                figure = gain_figure(gains_of(table, chosen, base), heading, measure.name)
            else:
                heading = f"{title}, {_NAMES[table]}: item {measure.name}"
                figure = score_figure(scores_of(chosen, measure), heading, measure.name)
            save(figure, results / "pictures" / f"{setting}-{table}.png")


def spoken_table(table: str) -> str:
    """``table2`` as ``table 2``."""
    return table.replace("table", "table ")


def gains_of(table: str, rows: list[Row], base: Row) -> list[Gain]:
    """What a picture of relative gains shows, in the order of the rows, without the base."""
    found = []
    for row in rows:
        difference = compare(row, base, measure_of(table))
        if difference is not None:
            paper = published(table, row.system, "item")
            found.append(Gain(row.system, difference.relative, difference.p_value, paper))
    return found


def scores_of(rows: list[Row], measure: Column) -> list[Score]:
    """What a picture of means shows, in the order of the rows."""
    return [Score(row.system, row.mean(measure) or 0.0, row.deviation(measure), len(row.records)) for row in rows]


@style()
def gain_figure(gains: list[Gain], title: str, measure: str) -> Figure:
    """Horizontal bars of gains, the paper's below ours, first system on top."""
    figure = Figure(figsize=(_WIDTH, 1.9 + 0.66 * len(gains)), layout="constrained")
    axis = figure.add_subplot()
    for place, gain in enumerate(gains):
        offset = 0.0 if gain.paper is None else _BAR / 2 + 0.01
        star = " *" if gain.p_value < LEVEL else ""
        _gain_bar(axis, place - offset, gain.ours, OURS, star)
        if gain.paper is not None:
            _gain_bar(axis, place + offset, gain.paper, PAPER, "")
    values = [value for gain in gains for value in (gain.ours, gain.paper or 0.0) if value == value]
    low, high = min(0.0, *values), max(0.0, *values)
    room = 0.2 * ((high - low) or 1.0)  # for the numbers beside the bars
    axis.set_xlim(low - (room if low < 0 else 0.1 * room), high + (room if high > 0 or low == 0 else 0.1 * room))
    axis.axvline(0, color="#555555", linewidth=1)
    axis.spines["left"].set_visible(False)
    _name_rows(axis, [gain.system for gain in gains])
    axis.set_xlabel("relative gain in percent   (* p < .05, paired permutation test by user)", fontsize=_SIZE)
    handles = [Patch(color=OURS)]
    words = [f"here ({measure})"]
    if any(gain.paper is not None for gain in gains):
        handles.append(Patch(color=PAPER))
        words.append("the paper (Netflix data, metric unnamed)")
    figure.legend(handles, words, loc="outside lower center", ncols=2, frameon=False, fontsize=_SIZE)
    figure.suptitle(shorten_to(title, _WIDTH - 0.3, 11.5), fontsize=11.5)
    return figure


@style()
def score_figure(scores: list[Score], title: str, measure: str) -> Figure:
    """Horizontal bars of means from zero, with a whisker of one standard deviation over seeds to either side."""
    figure = Figure(figsize=(_WIDTH, 1.5 + 0.5 * len(scores)), layout="constrained")
    axis = figure.add_subplot()
    reach = max(score.mean + (score.deviation or 0.0) for score in scores) or 1.0
    for place, score in enumerate(scores):
        axis.barh(place, score.mean, 0.6, color=OURS, xerr=score.deviation, capsize=4, ecolor=INK)
        spread = f" ± {score.deviation:.4f}, {score.seeds} seeds" if score.deviation is not None else ""
        end = score.mean + (score.deviation or 0.0)
        axis.annotate(
            f"{score.mean:.4f}{spread}", (end, place), (6, 0), textcoords="offset points", va="center", fontsize=_SIZE
        )
    axis.set_xlim(0, 1.4 * reach)
    _name_rows(axis, [score.system for score in scores])
    several = any(score.deviation is not None for score in scores)
    axis.set_xlabel(f"item {measure}" + (" (mean ± standard deviation over seeds)" if several else ""), fontsize=_SIZE)
    figure.suptitle(shorten_to(title, _WIDTH - 0.3, 11.5), fontsize=11.5)
    return figure


def _gain_bar(axis, place: float, value: float, colour: str, star: str) -> None:
    """A bar with its number at its end, on the side away from zero."""
    if value != value:  # NaN: the base is at zero
        axis.annotate("no number", (0, place), (5, 0), textcoords="offset points", va="center", fontsize=_SIZE)
        return
    axis.barh(place, value, _BAR, color=colour)
    side = -1 if value < 0 else 1
    axis.annotate(
        f"{value:+.2f}%{star}",
        (value, place),
        (5 * side, 0),
        textcoords="offset points",
        ha="left" if side > 0 else "right",
        va="center",
        fontsize=_SIZE,
    )


def _name_rows(axis, names: list[str]) -> None:
    axis.set_yticks(range(len(names)), [shorten_to(spoken(name), _NAME_INCHES, 10) for name in names])
    axis.set_ylim(len(names) - 0.5, -0.5)  # first on top
    axis.tick_params(axis="y", length=0)
    axis.tick_params(axis="x", labelsize=_SIZE)
    axis.xaxis.set_major_locator(MaxNLocator(7))
    axis.grid(axis="x")
