"""How a simulated person responds to pages of titles: opens, plays, saves, asks for another page, leaves."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import NamedTuple

from pipelines.datasets.simulation.catalogue import Catalogue
from pipelines.datasets.simulation.person import Person
from pipelines.datasets.simulation.session import Session

ATTENTION = 0.9  # of reading on after each title
MOST_PAGES = 4


class Event(NamedTuple):
    """A logged event, as a client would send it."""

    item_id: str
    timestamp: int
    action: str
    topic: str
    duration: float


@dataclass
class Visitor:
    """A person before the tested system, and what they did.

    Attributes:
        name: user id.
        person: hidden taste, habits and state.
        history: everything logged so far.
        mood: 0 to 1, how well the last sessions went; the better, the more visits.
        intent: of the last session.
        gone: left for good.
        totals: sums over the experiment: sessions, pages, clicks, saves, watched and spent (seconds), diversity.
        last_day: of the last visit; -1 for none.
        wins: clicks on titles of each team of an interleaved page.
    """

    name: str
    person: Person
    history: list[Event] = field(default_factory=list)
    mood: float = 0.5
    intent: str | None = None
    gone: bool = False
    totals: dict[str, float] = field(default_factory=dict)
    last_day: int = -1
    wins: list[int] = field(default_factory=lambda: [0, 0])

    def count(self, what: str, amount: float = 1.0) -> None:
        """Add to a total."""
        self.totals[what] = self.totals.get(what, 0.0) + amount


class Visit:
    """One session: an intent that the system does not see meets pages of titles.

    Args:
        visitor: who; the visit changes them.
        catalogue: what there is.
        start: unix seconds.
        intent: what for.
        rng: the visit's own random numbers.
    """

    def __init__(self, visitor: Visitor, catalogue: Catalogue, start: float, intent: str, rng: random.Random) -> None:
        self.visitor, self.catalogue, self.intent, self.rng = visitor, catalogue, intent, rng
        self.start = self.now = start
        self.genre, self.topic = visitor.person.draw_genre(rng)
        self.pages = 0
        self.played = False

    def see(self, page: list[int], teams: list[int] | None = None) -> bool:
        """Respond to a page.

        Args:
            page: indices of titles, first on top.
            teams: 0 or 1, which model of an interleaved page brought each title.

        Returns:
            Whether another page is asked for.
        """
        visitor, rng = self.visitor, self.rng
        self.pages += 1
        visitor.count("pages")
        visitor.count("diversity", self._diversity(page))
        stay = 0.4  # nothing there: another try, perhaps
        for place, index in enumerate(page):
            self.now += rng.uniform(1, 3)
            if rng.random() < self._appeal(index):
                visitor.count("clicks")
                if teams:
                    visitor.wins[teams[place]] += 1
                stay = 0.35 if self._open(index) else 0.6
                break
            if rng.random() > ATTENTION:
                break
        return self.pages < MOST_PAGES and rng.random() < stay

    def leave(self, day: int) -> None:
        """Go; who found nothing may still search for what they came for."""
        visitor, rng = self.visitor, self.rng
        person = visitor.person
        wanted = {"continue": person.started, "rewatch": person.favourites}.get(self.intent)
        if not self.played and wanted and rng.random() < person.searches:
            own = Session(person, self.catalogue, self.now, rng)
            for one in own.run(self.intent):
                self._log(one.title, one.action, one.duration, one.topic, one.timestamp)
            self.now = own.end
        visitor.count("sessions")
        visitor.count("spent", self.now - self.start)
        visitor.intent, visitor.last_day = self.intent, day
        pleased = self.played or self.intent == "browse_and_leave"
        visitor.mood = 0.7 * visitor.mood + 0.3 * pleased
        visitor.gone = visitor.mood < 0.15 and rng.random() < 0.15

    def _appeal(self, index: int) -> float:
        """Probability of opening a title that is looked at."""
        person, title = self.visitor.person, self.catalogue.titles[index]
        if self.intent == "continue":
            return 0.9 if index in person.started else 0.03
        if self.intent == "rewatch":
            return 0.8 if index in person.favourites else 0.03
        if index in person.seen:
            return 0.02
        wanted = self.genre in title.genres
        if self.intent == "discover":
            return 0.3 if wanted or person.short_term in title.genres else 0.04
        return 0.15 if wanted else 0.03

    def _open(self, index: int) -> bool:
        """Open a title's page; whether it was played."""
        person, rng = self.visitor.person, self.rng
        if self.intent in ("discover", "browse_and_leave"):
            self._log(index, "browse", rng.uniform(5, 45), self.topic)
            if rng.random() > (0.7 if self.intent == "discover" else 0.15):
                if rng.random() < 0.4 and index not in person.noticed:
                    self.visitor.count("saves")
                    person.notice(index)
                return False
        self._play(index)
        return True

    def _play(self, index: int) -> None:
        person, rng, title = self.visitor.person, self.rng, self.catalogue.titles[index]
        if index in person.started:
            action, enjoyed, share = "continue", True, rng.uniform(0.85, 1.0)
        elif index in person.seen:
            action, enjoyed, share = "rewatch", True, rng.uniform(0.4, 1.0)
        else:
            liked = person.short_term in title.genres or bool(self.topic and self.topic in title.genres)
            enjoyed = rng.random() < (0.85 if liked else 0.5)
            action, share = "play_new", rng.uniform(0.9, 1.0) if enjoyed else rng.uniform(0.05, 0.4)
        self._log(index, action, title.runtime * share, self.topic if action == "play_new" else "")
        self.visitor.count("watched", title.runtime * share)
        if action != "rewatch":
            person.watch(index, title, enjoyed, rng)
        self.played = True

    def _log(self, index: int, action: str, duration: float, topic: str = "", at: int | None = None) -> None:
        moment = int(self.now) if at is None else at
        self.visitor.history.append(Event(self.catalogue.titles[index].item_id, moment, action, topic, duration))
        self.now += duration + 1 if at is None else 0

    def _diversity(self, page: list[int]) -> float:
        """Mean share of genres that two titles of a page do not have in common (1 - Jaccard)."""
        genres = [set(self.catalogue.titles[index].genres) for index in page]
        pairs = [1 - len(a & b) / len(a | b) for i, a in enumerate(genres) for b in genres[:i]]
        return sum(pairs) / len(pairs) if pairs else 0.0
