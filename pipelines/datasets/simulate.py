"""A simulated streaming service whose log has known causes.

People have a lasting taste, a passing one that drifts by the week, followed topics and habits.  Every session
follows a planted intent, drawn from the previous one, the persona, the time of day, and what is left to
finish or worth seeing again.  The log shows actions only; the frame ``truth`` holds the causes, so that a
model's intents can be checked against them.  Nothing in it comes from real people.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pandas as pd

from intentrec_tf.schema import Schema
from pipelines.datasets.base import RawData
from pipelines.datasets.checks import clean_events, clean_interests, clean_items
from pipelines.datasets.simulation.catalogue import Catalogue
from pipelines.datasets.simulation.config import DAY, START, SimulationConfig
from pipelines.datasets.simulation.person import WEEK, Person
from pipelines.datasets.simulation.session import Session, SimulatedEvent
from pipelines.validate import DataError, ValidationReport

TRUTH_COLUMNS = ("session_id", "session_intent", "event_intent", "short_term_genre", "persona")
SESSION_GAP = 45 * 60  # seconds that at least lie between two sessions of one person
_Row = tuple[SimulatedEvent, str, str, str, str]


def simulate(config: SimulationConfig, schema: Schema) -> RawData:
    """Simulate a log.

    Args:
        config: size and seed; the same one gives the same data.
        schema: may use events' ``action_type``, ``source_interest``, ``duration`` (seconds) and items'
            ``title``, ``genres``, ``type``, ``released``, ``episodes``.

    Returns:
        Events in the order of time, with ``truth`` (:data:`TRUTH_COLUMNS`) row by row.

    Raises:
        DataError: the schema asks for another column.
    """
    catalogue = Catalogue(config)
    rows: list[tuple[str, _Row]] = []
    interests: dict[str, list[Any]] = {"user_id": [], "interest": [], "timestamp": []}
    for number in range(config.users):
        rng = random.Random(f"person {config.seed} {number}")
        person, user = Person.draw(rng), f"u{number}"
        first = 0 if rng.random() < 0.8 else rng.randrange(config.days)
        for topic in person.topics:
            interests["user_id"].append(user)
            interests["interest"].append(topic)
            interests["timestamp"].append(START + first * DAY)
        rows += [(user, row) for row in live(person, user, catalogue, first, config, rng)]
    rows.sort(key=lambda pair: pair[1][0].timestamp)
    if not rows:
        raise DataError("simulation: nobody did anything in so few days; choose more users or days.")
    return _frames(rows, interests, catalogue, config, schema)


def live(
    person: Person, user: str, catalogue: Catalogue, first: int, config: SimulationConfig, rng: random.Random
) -> list[_Row]:
    """Every event of one person from day ``first`` on."""
    rows: list[_Row] = []
    previous: str | None = None
    free_from = 0.0
    sessions = 0
    for day in range(first, config.days):
        if day % WEEK == 0:
            person.drift(rng)
        visits = sum(rng.random() < person.sessions_per_day / 2 for _ in range(2))
        starts = sorted((person.draw_daytime(rng) for _ in range(visits)), key=lambda pair: pair[1])
        for daytime, hour in starts:
            start = START + day * DAY + hour * 3600
            if start < free_from or start >= START + config.days * DAY:
                continue
            previous = person.draw_intent(previous, daytime, day % WEEK >= 5, rng)
            session = Session(person, catalogue, start, rng)
            for event in session.run(previous):
                rows.append((event, f"{user}-s{sessions}", previous, person.short_term, person.persona))
            free_from = session.end + SESSION_GAP
            sessions += 1
    return rows


def _frames(
    rows: list[tuple[str, _Row]],
    interests: dict[str, list[Any]],
    catalogue: Catalogue,
    config: SimulationConfig,
    schema: Schema,
) -> RawData:
    titles = catalogue.titles
    events = pd.DataFrame(
        {
            "user_id": [user for user, _ in rows],
            "item_id": [titles[row[0].title].item_id for _, row in rows],
            "timestamp": np.array([row[0].timestamp for _, row in rows], dtype="int64"),
            "action_type": [row[0].action for _, row in rows],
            "source_interest": [row[0].topic for _, row in rows],
            "duration": np.array([row[0].duration for _, row in rows], dtype="float64"),
        }
    )
    items = pd.DataFrame(
        {
            "item_id": [title.item_id for title in titles],
            "title": [title.name for title in titles],
            "genres": ["|".join(title.genres) for title in titles],
            "type": [title.kind for title in titles],
            "released": np.array([title.released for title in titles], dtype="float64"),
            "episodes": np.array([title.episodes for title in titles], dtype="float64"),
        }
    )
    causes = [(row[1], row[2], row[0].wish, row[3], row[4]) for _, row in rows]
    truth = pd.DataFrame(causes, columns=list(TRUTH_COLUMNS), dtype="str")
    for columns, frame in ((schema.event_columns(), events), (schema.item_columns(), items)):
        missing = [name for name in columns if name not in frame]
        if missing:
            raise DataError(
                f"schema '{schema.name}': the simulation has no column '{missing[0]}' "
                f"(it has: {', '.join(frame.columns)}); correct the schema."
            )
    report = ValidationReport(0.0)
    for name, frame in (("simulated items", items), ("simulated events", events)):
        frame.index = pd.RangeIndex(1, len(frame) + 1)
        report.read(name, len(frame))
    clean = clean_items(items, "simulated items", schema, report)
    log = clean_events(events, "simulated events", schema, report, clean)
    declared = None
    if schema.explicit_interests == "genres" and interests["user_id"]:
        follows = pd.DataFrame(interests)
        follows.index = pd.RangeIndex(1, len(follows) + 1)
        report.read("simulated interests", len(follows))
        declared = clean_interests(follows, "simulated interests", schema, report, clean)
    source = (
        f"Simulated streaming service ({config.users} users, {config.titles} titles, {config.days} days, "
        f"seed {config.seed}): planted intents, no real people; results on it say nothing about real viewers."
    )
    return RawData(log, clean, schema, report, declared, truth, (source,))
