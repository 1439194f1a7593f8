"""Figure 7: which intents mattered for a few users, beside what they did."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from pipelines.drawing import OURS, QUIET, one_line, save, setting_words, shorten_to, spoken, style
from pipelines.prepared import PreparedData
from pipelines.report import write_record
from pipelines.reproduce.identity import record_of
from pipelines.reproduce.protocols import Setting
from pipelines.reproduce.questions import Answers, ask, trained_v3
from pipelines.reproduce.runs import Places, Say
from pipelines.validate import DataError

USERS, EVENTS, LOOKED_AT = 4, 8, 500
_SIZE, _ROW = 9, 0.25
_WIDTH = 12.0
_NAME, _BARS, _LABEL, _WHEN, _TITLE = (0.3, 1.75), (2.15, 2.1), (4.45, 2.0), (6.65, 1.5), (8.25, 3.5)  # left, width


@dataclass(frozen=True)
class Event:
    """What a user did and when, in words."""

    title: str
    when: str


@dataclass(frozen=True)
class Intent:
    """An intent's weight in Z, and the label it most likely takes next, with the probability."""

    name: str
    weight: float
    label: str
    probability: float


@dataclass(frozen=True)
class Portrait:
    """One user at one moment.

    Attributes:
        user: id.
        intents: in alphabetical order; the weights add up to 1.
        events: the newest ones before the moment, oldest first.
        following: title of what the user did then.
    """

    user: str
    intents: list[Intent]
    events: list[Event]
    following: str


def draw_figure7(
    setting: Setting, seed: int, places: Places, results: Path, say: Say, users: list[str] | None = None
) -> Path:
    """Write ``pictures/<setting>-figure7.png`` and ``figure7/<setting>.json``; trains V3 if it is missing.

    Args:
        users: whom to draw; None chooses users whose weights differ most.

    Raises:
        DataError: an unknown user, one with a single event, or nobody with enough events.
    """
    system, model, prepared, config = trained_v3(setting, seed, places, say)
    if users is None:
        asked = last_events(prepared, EVENTS)
        if len(asked) == 0:
            raise DataError(
                f"{prepared.folder}: nobody has {EVENTS} events before the last one; name some with --users."
            )
        if len(asked) > LOOKED_AT:
            asked = np.sort(np.random.default_rng(seed).choice(asked, LOOKED_AT, replace=False))
    else:
        asked = events_of_users(prepared, users)
    answers = ask(model, prepared, asked)
    rows = most_different(answers.attention, USERS) if users is None else named_order(prepared, answers, users)
    portraits = [portrait(prepared, answers, row) for row in rows]
    title = f"{setting_words(setting.name, setting.dataset)}: weights of the intents in Z ({system.name})"
    picture = results / "pictures" / f"{setting.name}-figure7.png"
    save(portrait_figure(portraits, title), picture)
    record = record_of(
        setting,
        prepared,
        system=system.name,
        seed=seed,
        asked_at="each user's last event",
        users=[asdict(one) for one in portraits],
        config=config.model_dump(mode="json"),
    )
    write_record(record, results / "figure7" / f"{setting.name}.json")
    return picture


def last_events(prepared: PreparedData, least: int) -> np.ndarray:
    """Place of the last event of every user with at least ``least`` events before it, int [users]."""
    sizes = prepared.events.groupby("user_id", sort=False).size().to_numpy()
    return (sizes.cumsum() - 1)[sizes > least]


def events_of_users(prepared: PreparedData, users: list[str]) -> np.ndarray:
    """Place of the last event of each of the users.

    Raises:
        DataError: an unknown user, or one with a single event.
    """
    found = []
    for user in users:
        history = prepared.history(user)
        if len(history) < 2:
            raise DataError(f"--users {user}: has a single event, which leaves nothing before it; name another user.")
        found.append(history.index[-1])
    return np.array(found)


def named_order(prepared: PreparedData, answers: Answers, users: list[str]) -> list[int]:
    """Rows of the answers in the order in which the users were named."""
    known = prepared.events["user_id"].iloc[answers.events].tolist()
    return [known.index(user) for user in users]


def most_different(weights: np.ndarray, count: int) -> list[int]:
    """Rows of weights [n, M] that lie far apart: the farthest from the mean, then always the farthest from those."""
    chosen = [int(np.argmax(((weights - weights.mean(axis=0)) ** 2).sum(axis=1)))]
    while len(chosen) < min(count, len(weights)):
        distance = ((weights[:, None] - weights[chosen]) ** 2).sum(axis=2).min(axis=1)
        distance[chosen] = -1.0
        chosen.append(int(np.argmax(distance)))
    return chosen


def portrait(prepared: PreparedData, answers: Answers, row: int) -> Portrait:
    """A row of the answers in words."""
    place = int(answers.events[row])
    events = prepared.events
    user = events["user_id"].iloc[place]
    before = events.iloc[max(0, place - EVENTS) : place]
    before = before[before["user_id"] == user]
    moment = int(events["timestamp"].iloc[place])
    past = zip(before["item_id"], before["timestamp"], strict=True)
    intents = []
    for weight, (name, probabilities) in zip(answers.attention[row], answers.probabilities.items(), strict=True):
        best = int(np.argmax(probabilities[row]))
        label = prepared.spec.intent_labels[name][best]
        intents.append(Intent(name, float(weight), label, float(probabilities[row, best])))
    return Portrait(
        str(user),
        intents,
        [Event(title_of(prepared, item), earlier(moment - int(time))) for item, time in past],
        title_of(prepared, events["item_id"].iloc[place]),
    )


def title_of(prepared: PreparedData, item: str) -> str:
    """What people call an item; its id where it has no name."""
    title = prepared.titles.get(item)
    return title if isinstance(title, str) and one_line(title) else str(item)


def earlier(seconds: int) -> str:
    """How long ago, to the largest whole unit: ``3 days earlier``."""
    units = (("year", 31_557_600), ("month", 2_629_800), ("week", 604_800), ("day", 86_400), ("hour", 3_600))
    for name, length in (*units, ("minute", 60), ("second", 1)):
        count = seconds // length
        if count >= (2 if name in ("week", "month") else 1):  # "10 days" says more than "1 week"
            return f"{count} {name}{'s' if count > 1 else ''} earlier"
    return "at the same time"


@style()
def portrait_figure(portraits: list[Portrait], title: str) -> Figure:
    """One panel a user: intents with their weights and likeliest labels on the left, the user's events on the right."""
    bodies = [_ROW * max(len(one.intents), len(one.events) + 1) for one in portraits]
    height = 1.15 + sum(body + 0.62 for body in bodies)
    figure = Figure(figsize=(_WIDTH, height))
    reach = max(intent.weight for one in portraits for intent in one.intents) or 1.0

    def write(text: str, column: tuple[float, float], top: float, right: bool = False, **look: Any) -> None:
        left, width = column
        size, bold = look.pop("fontsize", _SIZE), look.get("weight") == "bold"
        text = shorten_to(text, width, size, bold)
        place = ((left + (width if right else 0)) / _WIDTH, 1 - top / height)
        figure.text(*place, text, ha="right" if right else "left", va="center", fontsize=size, **look)

    write(title, (_NAME[0], _WIDTH - 2 * _NAME[0]), 0.32, fontsize=12)
    for words, column, right in (
        ("intent", _NAME, True),
        ("weight in Z", _BARS, False),
        ("most likely label", _LABEL, False),
        ("when", _WHEN, False),
        (f"last {EVENTS} events, and in bold what came next", _TITLE, False),
    ):
        write(words, column, 0.78, right, color="#666666")
    top = 0.98
    for one, body in zip(portraits, bodies, strict=True):
        rule = [1 - top / height] * 2
        figure.add_artist(Line2D([_NAME[0] / _WIDTH, 1 - _NAME[0] / _WIDTH], rule, color="#cccccc", linewidth=1))
        write(f"user {one.user}", (_NAME[0], _WIDTH - 2 * _NAME[0]), top + 0.22, fontsize=10.5, weight="bold")
        top += 0.42
        pitch = min(0.4, body / len(one.intents))
        _bars(figure, one.intents, reach, top, pitch, height)
        for i, intent in enumerate(one.intents):
            middle = top + pitch * (i + 0.5)
            write(spoken(intent.name), _NAME, middle, right=True)
            share = f" ({intent.probability:.0%})"
            label = shorten_to(spoken(intent.label), _LABEL[1] - 0.55, _SIZE)
            write(label + share, _LABEL, middle)
        for i, event in enumerate([*one.events, Event(one.following, "then")]):
            look: dict[str, Any] = {"weight": "bold"} if i == len(one.events) else {}
            write(event.when, _WHEN, top + _ROW * (i + 0.5), **look)
            write(event.title, _TITLE, top + _ROW * (i + 0.5), **look)
        top += body + 0.2
    return figure


def _bars(figure: Figure, intents: list[Intent], reach: float, top: float, pitch: float, height: float) -> None:
    """The weights, the largest dark, in a frame without lines."""
    rows = pitch * len(intents)
    axis = figure.add_axes((_BARS[0] / _WIDTH, 1 - (top + rows) / height, _BARS[1] / _WIDTH, rows / height))
    weights = [intent.weight for intent in intents]
    axis.barh(range(len(intents)), weights, 0.65, color=[OURS if w == max(weights) else QUIET for w in weights])
    for i, weight in enumerate(weights):
        axis.annotate(f"{weight:.0%}", (weight, i), (4, 0), textcoords="offset points", va="center", fontsize=_SIZE)
    axis.set_xlim(0, 1.25 * reach)
    axis.set_ylim(len(intents) - 0.5, -0.5)
    axis.set_axis_off()
