"""Pictures of a look, made from its numbers alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib import dates
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from pipelines.drawing import OURS, PAPER, QUIET, spoken, style
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
from pipelines.look.declared_picture import declared_figure, declared_labels_figure
from pipelines.look.interests_picture import interests_figure
from pipelines.look.words import moment, percent
from pipelines.split import PARTS

DAY = 86_400
CATEGORIES, LABELS = 15, 12
PART_COLOURS = dict(zip(PARTS, (OURS, QUIET, PAPER), strict=True))


def figures(look: dict[str, Any]) -> dict[str, Figure]:
    """Every picture that the numbers allow, by name of its file."""
    drawn = {"time": time_figure(look), "activity": activity_figure(look), "tail": tail_figure(look)}
    if look["interests"] and look["interests"]["users"]:
        drawn |= {"interests": interests_figure(look), "categories": categories_figure(look)}
    if look["declared"] and look["declared"]["users_declaring_with_events"]:
        drawn |= {"declared": declared_figure(look), "declared-labels": declared_labels_figure(look)}
    if any(intent["labels"] for intent in look["intents"]):
        drawn["intents"] = intents_figure(look)
    return drawn


@style()
def time_figure(look: dict[str, Any]) -> Figure:
    """Events over time, each part in its colour."""
    size = look["size"]
    over = size["over_time"]
    edges = np.asarray(over["edges"])
    figure = Figure(figsize=(WIDTH, 3.4), layout="constrained")
    axis = figure.add_subplot()
    if size["dated"]:
        places = dates.date2num(edges.astype("int64").astype("datetime64[s]"))
        locator = dates.AutoDateLocator(minticks=3, maxticks=7)
        axis.xaxis.set_major_locator(locator)
        axis.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator, show_offset=False))
        first, last = (moment(size[end], size["first"], True) for end in ("first", "last"))
        axis.set_xlabel(f"{first} to {last} (UTC)", fontsize=SIZE)
    else:
        places = (edges - size["first"]) / DAY
        axis.set_xlabel("days since the first event", fontsize=SIZE)
    below = np.zeros(len(edges) - 1)
    for name, colour in PART_COLOURS.items():
        counts = np.asarray(over[name])
        axis.bar(places[:-1], counts, np.diff(places), below, align="edge", color=colour, linewidth=0)
        below += counts
    axis.set_xlim(places[0], places[-1])
    axis.set_ylim(0, 1.05 * below.max())
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axis.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axis.set_ylabel("events", fontsize=SIZE)
    axis.tick_params(labelsize=SIZE)
    axis.grid(axis="y")
    headline(figure, look["dataset"], "events over time")
    legend(figure, {name: colour for name, colour in PART_COLOURS.items() if sum(over[name])})
    return figure


@style()
def activity_figure(look: dict[str, Any]) -> Figure:
    """Events per user, and the time between a user's events."""
    size = look["size"]
    lengths, gaps = size["users_by_events"], size["seconds_between_events"]["gaps"]
    rows = max(len(lengths), len(gaps))
    figure = Figure(figsize=(WIDTH, HEAD_INCHES + ROW_INCHES * rows), layout="constrained")
    left, right = figure.subplots(1, 2)
    panels = (
        (left, "users by number of events", lengths),
        (right, "time from one event of a user to the next", gaps),
    )
    for axis, title, counts in panels:
        total = sum(counts.values())
        share_bars(axis, list(counts), [([n / total if total else None for n in counts.values()], OURS)], 1.2)
        axis.set_ylim(rows - 0.5, -0.5)
        panel_title(axis, title, WIDTH / 2 - 1.5)
    headline(figure, look["dataset"], "how much users do, and how often")
    return figure


@style()
def tail_figure(look: dict[str, Any]) -> Figure:
    """Share of events in the most popular items, and events of each item by its rank."""
    tail = look["tail"]
    curve, head = tail["curve"], tail["head_share_of_items"]
    figure = Figure(figsize=(WIDTH, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    curves = {"training events": (curve["training"], OURS), "test events": (curve["test"], PAPER)}
    shown = {name: colour for name, (values, colour) in curves.items() if values}
    left.plot([0, 1], [0, 1], color="#888888", linewidth=1, linestyle=":")
    for name, colour in shown.items():
        left.plot(curve["items"], curves[name][0], color=colour, linewidth=2)
    left.axvline(head, color="#888888", linewidth=1)
    words = [f"{head:.0%} of the items:", f"{percent(tail['head_share_of_events'])} of training events"]
    words += [f"{percent(tail['targets']['head'])} of test events"] if curve["test"] else []
    left.annotate("\n".join(words), (head, 0.03), (6, 0), textcoords="offset points", fontsize=SIZE, va="bottom")
    left.set(xlim=(0, 1), ylim=(0, 1.02))
    percents(left.xaxis, left.yaxis)
    left.set_xlabel("items met in training, the most popular first", fontsize=SIZE)
    left.set_ylabel("share of events", fontsize=SIZE)
    right.plot(tail["ranks"]["rank"], tail["ranks"]["events"], color=OURS, linewidth=2, marker=".")
    right.axvline(tail["head_items"], color="#888888", linewidth=1)
    for scale, along, largest in (
        (right.set_xscale, right.xaxis, tail["items_in_training"]),
        (right.set_yscale, right.yaxis, tail["ranks"]["events"][0]),
    ):
        if largest > 1:
            scale("log")
            along.set_minor_formatter(NullFormatter())
        else:
            along.set_major_locator(MaxNLocator(integer=True))
        along.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    right.set_xlabel("rank of the item by training events", fontsize=SIZE)
    right.set_ylabel("training events of the item", fontsize=SIZE)
    for axis in (left, right):
        axis.grid()
        axis.tick_params(labelsize=SIZE)
    headline(figure, look["dataset"], "popularity")
    legend(figure, shown)
    return figure


@style()
def categories_figure(look: dict[str, Any]) -> Figure:
    """The most frequent categories: share of training events beside share of the catalogue."""
    found = look["interests"]
    rows = found["categories"][:CATEGORIES]
    figure = Figure(figsize=(WIDTH, HEAD_INCHES + PAIR_INCHES * len(rows)), layout="constrained")
    series = [([row["share_of_events"] for row in rows], OURS), ([row["share_of_items"] for row in rows], QUIET)]
    share_bars(figure.add_subplot(), [row["label"] for row in rows], series, 2.6)
    words = f"{spoken(found['feature'])}{_of(len(rows), len(found['categories']))}"
    headline(figure, look["dataset"], f"categories ({words})")
    legend(figure, {"share of training events": OURS, "share of the catalogue's items": QUIET})
    return figure


@style()
def intents_figure(look: dict[str, Any]) -> Figure:
    """The labels of every intent, in training and in test; the intents with the most labels first."""
    intents = [intent for intent in look["intents"] if intent["labels"]]
    intents.sort(key=lambda intent: -min(len(intent["labels"]), LABELS))
    heights = [min(len(intent["labels"]), LABELS) for intent in intents[::2]]
    inches = HEAD_INCHES + 0.5 * len(heights) + PAIR_INCHES * sum(heights)
    figure = Figure(figsize=(WIDTH, inches), layout="constrained")
    grid = figure.add_gridspec(len(heights), min(2, len(intents)), height_ratios=heights)
    tested = any(label["test"] is not None for intent in intents for label in intent["labels"])
    for i, intent in enumerate(intents):
        axis = figure.add_subplot(grid[divmod(i, 2)])
        rows = intent["labels"][:LABELS]
        series = [([row[part] for row in rows], colour) for part, colour in (("training", OURS), ("test", PAPER))]
        share_bars(axis, [row["label"] for row in rows], series if tested else series[:1], 1.6)
        axis.set_ylim(heights[i // 2] - 0.5, -0.5)  # bars as thick as the neighbour's
        axis.spines["left"].set_bounds(len(rows) - 0.5, -0.5)
        panel_title(axis, _intent_words(intent), WIDTH / 2 - 1.7 if len(intents) > 1 else WIDTH - 2.5)
    headline(figure, look["dataset"], "labels of the intents")
    legend(figure, {"training": OURS, **({"test": PAPER} if tested else {})})
    return figure


def _intent_words(intent: dict[str, Any]) -> str:
    """How many labels are shown, and what their shares are shares of."""
    many = len(intent["labels"])
    of = "all labels" if intent["several_labels"] else "events"
    return f"{spoken(intent['intent'])}{_of(min(many, LABELS), many)}, share of {of}"


def _of(shown: int, many: int) -> str:
    """``, 15 of 396`` where some are left out."""
    return f", {shown:,} of {many:,}" if shown < many else ""
