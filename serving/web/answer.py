"""What the page is told: plain values that FastAPI turns into JSON and describes in `/openapi.json`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Label:
    """One label of an intent and its probability."""

    label: str
    score: float


@dataclass(frozen=True)
class Intent:
    """One predicted intent: its labels, best first, and how much it counts (None where the model does not say)."""

    name: str
    labels: list[Label]
    attention: float | None


@dataclass(frozen=True)
class Card:
    """One title in a row.

    Attributes:
        item_id: As the model knows it.
        title: For people.
        labels: Of all features.
        because: Why it is there, each a few words, the weightiest first.
    """

    item_id: str
    title: str
    labels: list[str]
    because: list[str]


@dataclass(frozen=True)
class Row:
    """One row of the page.

    Attributes:
        key: Stays the same from answer to answer; `picks` is the row of plain recommendations.
        title: Heading.
        why: What placed the row where it is.
        share: The probability that did; None for `picks`.
        items: Best first.
    """

    key: str
    title: str
    why: str
    share: float | None
    items: list[Card]


@dataclass(frozen=True)
class Source:
    """Where candidates came from.

    Attributes:
        name: The number of an interest found in the history, or a declared topic.
        declared: Whether it is a topic.
        mass: Events of the history that the interest stands for; None for a topic.
        about: The labels that its candidates have more often than all items.
        items: Titles of its first candidates.
        count: How many candidates it brought.
    """

    name: str
    declared: bool
    mass: float | None
    about: list[str]
    items: list[str]
    count: int


@dataclass(frozen=True)
class Call:
    """One question to the model server.

    Attributes:
        signature: e.g. `intent`.
        milliseconds: As the client measured it, encoding and decoding included.
        request: What the client was asked with.
        response: What it answered.
        python: The same question in Python.
    """

    signature: str
    milliseconds: float
    request: dict[str, Any]
    response: dict[str, Any]
    python: str


@dataclass(frozen=True)
class Answer:
    """All that the page shows for one history.

    Attributes:
        headline: What the user seems to want, in a sentence.
        intents: In alphabetical order; empty where the model has none.
        rows: First to last.
        sources: Of candidates; empty where the model has no `retrieve`.
        calls: Questions asked for this answer.
        milliseconds: From the page's question to this answer, in this process.
        model_version: That answered.
        notes: What the model cannot do, or what was left out.
    """

    headline: str
    intents: list[Intent]
    rows: list[Row]
    sources: list[Source]
    calls: list[Call]
    milliseconds: float
    model_version: int
    notes: list[str] = field(default_factory=list)
