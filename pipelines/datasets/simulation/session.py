"""One visit to the simulated service: a planted intent becomes logged events."""

from __future__ import annotations

import random
from typing import NamedTuple

from pipelines.datasets.simulation.catalogue import Catalogue
from pipelines.datasets.simulation.person import Person


class SimulatedEvent(NamedTuple):
    """A logged event and the wish behind it.

    Attributes:
        timestamp: unix seconds at which the event starts.
        title: index in the catalogue.
        action: ``browse``, ``search``, ``play_new``, ``continue`` or ``rewatch``.
        duration: seconds.
        topic: followed topic that surfaced the title, or ``""``.
        wish: the intent behind this very event (a discovered show is continued within the same session).
    """

    timestamp: int
    title: int
    action: str
    duration: float
    topic: str
    wish: str


class Session:
    """Lets a person act on one intent.

    Args:
        person: who; watching changes them.
        catalogue: what there is.
        start: unix seconds.
        rng: the person's own random numbers.
    """

    def __init__(self, person: Person, catalogue: Catalogue, start: float, rng: random.Random) -> None:
        self._person = person
        self._catalogue = catalogue
        self._rng = rng
        self._now = start
        self.events: list[SimulatedEvent] = []

    @property
    def end(self) -> float:
        """Unix seconds at which the last event is over."""
        return self._now

    def run(self, intent: str) -> list[SimulatedEvent]:
        """Act on ``intent`` (one of ``person.INTENTS``) and return the events."""
        if intent == "discover":
            self._discover()
        elif intent == "continue":
            self._continue(self._unfinished(), 0.66)
        elif intent == "rewatch":
            self._rewatch()
        else:
            self._look_around(self._rng.choice((2, 3, 3, 4)), "browse_and_leave")
        return self.events

    def _log(self, title: int, action: str, duration: float, wish: str, topic: str = "") -> None:
        event = SimulatedEvent(int(self._now), title, action, round(duration, 1), topic, wish)
        self.events.append(event)
        self._now += duration + 1 + self._rng.random() * 20

    def _look_around(self, pages: int, wish: str) -> tuple[int | None, str]:
        """Open pages, by searching or browsing; return the last one and the topic that surfaced it."""
        person, rng = self._person, self._rng
        found: tuple[int | None, str] = (None, "")
        for _ in range(pages):
            genre, topic = person.draw_genre(rng)
            fresh = [index for index in person.noticed if index not in person.seen]
            index = None
            if fresh and rng.random() < 0.35:  # back to a page opened before
                index, topic = rng.choice(fresh), ""
            elif rng.random() < 0.3:
                index = self._catalogue.new(genre, self._now, person.seen, rng)
            if index is None:
                index = self._catalogue.popular(genre, self._now, person.seen, rng)
            if index is None:  # everything of this genre is known: look at an old one
                index, topic = self._catalogue.popular(genre, self._now, (), rng), ""
            if index is None:
                continue
            action = "search" if rng.random() < person.searches else "browse"
            self._log(index, action, rng.uniform(5, 45), wish, topic)
            person.notice(index)
            found = (index, topic)
        return found

    def _discover(self) -> None:
        person, rng = self._person, self._rng
        for _ in range(rng.choices((1, 2), (0.6, 0.4))[0]):
            index, topic = self._look_around(rng.choices((1, 2), (0.8, 0.2))[0], "discover")
            if index is None or index in person.seen:
                continue
            title = self._catalogue.titles[index]
            liked = person.short_term in title.genres or bool(topic)
            enjoyed = rng.random() < (0.85 if liked else 0.5)
            duration = title.runtime * (rng.uniform(0.9, 1.0) if enjoyed else rng.uniform(0.05, 0.4))
            self._log(index, "play_new", duration, "discover", topic)
            person.watch(index, title, enjoyed, rng)
            if index in person.started and rng.random() < 0.5:
                self._continue(index, 0.5)
                return

    def _unfinished(self) -> int:
        """The show watched last, mostly."""
        shows = list(self._person.started)
        return shows[-1] if self._rng.random() < 0.8 else self._rng.choice(shows)

    def _continue(self, show: int, again: float) -> None:
        person, rng = self._person, self._rng
        title = self._catalogue.titles[show]
        for _ in range(6):
            self._log(show, "continue", title.runtime * rng.uniform(0.85, 1.0), "continue")
            person.watch(show, title, True, rng)
            if show not in person.started or rng.random() > again:
                return

    def _rewatch(self) -> None:
        person, rng = self._person, self._rng
        favourites = list(person.favourites)
        for _ in range(rng.choices((1, 2, 3), (0.35, 0.35, 0.3))[0]):
            dearest = rng.choices(favourites, [0.5**rank for rank in range(len(favourites))])[0]
            title = self._catalogue.titles[dearest]
            self._log(dearest, "rewatch", title.runtime * rng.uniform(0.4, 1.0), "rewatch")
