"""A simulated person: lasting taste, passing taste, habits, and what they have watched so far."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from pipelines.datasets.simulation.catalogue import GENRES, Title

INTENTS = ("discover", "continue", "rewatch", "browse_and_leave")
PERSONAS = {
    "explorer": (0.62, 0.20, 0.06, 0.12),
    "binger": (0.15, 0.67, 0.06, 0.12),
    "rewatcher": (0.18, 0.17, 0.55, 0.10),
    "browser": (0.22, 0.16, 0.08, 0.54),
}
WEEK = 7
_DAYTIMES = {  # factor per intent, in the order of INTENTS
    "morning": (0.5, 1.0, 0.8, 2.6),
    "afternoon": (1.0, 1.0, 1.0, 1.0),
    "evening": (1.8, 1.2, 0.7, 0.6),
    "night": (0.5, 1.3, 2.4, 0.8),
}
_HOURS = {"morning": (6.5, 9.5), "afternoon": (12.0, 16.5), "evening": (18.5, 21.5), "night": (22.0, 25.0)}


@dataclass
class Person:
    """Habits drawn once, and the state that watching changes.

    Attributes:
        persona: key of :data:`PERSONAS`.
        taste: weight per genre, lasting.
        topics: followed genres (explicit interests).
        sessions_per_day: mean.
        daytimes: weight per daytime of starting a session.
        stickiness: weight of the previous session's intent in the next one.
        searches: probability of searching instead of browsing.
        short_term: the genre that the person is into these weeks.
        started: unfinished shows, title index -> episodes watched; the latest watched is the last key.
        seen: titles played.
        favourites: titles worth watching again, the dearest first.
        noticed: titles whose page was opened lately, the latest last.
    """

    persona: str
    taste: list[float]
    topics: list[str]
    sessions_per_day: float
    daytimes: list[float]
    stickiness: float
    searches: float
    short_term: str
    started: dict[int, int] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)
    favourites: list[int] = field(default_factory=list)
    noticed: list[int] = field(default_factory=list)

    @classmethod
    def draw(cls, rng: random.Random) -> Person:
        """A person at random."""
        taste = [rng.gammavariate(0.35, 1.0) + 0.002 for _ in GENRES]
        ranked = sorted(range(len(GENRES)), key=lambda index: -taste[index])
        topics = [GENRES[index] for index in ranked[: rng.choices((0, 1, 2, 3), (0.4, 0.2, 0.25, 0.15))[0]]]
        daytimes = [rng.gammavariate(0.5, 1.0) * weight for weight in (0.7, 0.6, 2.0, 1.0)]
        return cls(
            persona=rng.choice(list(PERSONAS)),
            taste=taste,
            topics=topics,
            sessions_per_day=min(1.6, 0.15 + rng.gammavariate(2.0, 0.2)),
            daytimes=daytimes,
            stickiness=rng.uniform(0.45, 0.75),
            searches=rng.choice((0.08, 0.08, 0.85)),
            short_term=rng.choices(GENRES, taste)[0],
        )

    def drift(self, rng: random.Random) -> None:
        """A week passes: now and then another genre becomes the current one."""
        if rng.random() < 0.3:
            self.short_term = rng.choices(GENRES, [weight + 0.02 for weight in self.taste])[0]

    def draw_daytime(self, rng: random.Random) -> tuple[str, float]:
        """Daytime and hour (0 to 25; above 24 is after midnight) at which a session starts."""
        daytime = rng.choices(list(_HOURS), self.daytimes)[0]
        return daytime, rng.uniform(*_HOURS[daytime])

    def draw_intent(self, previous: str | None, daytime: str, weekend: bool, rng: random.Random) -> str:
        """What the person comes to do, given the last session, the time, and what is left to finish."""
        weights = []
        for intent, base, factor in zip(INTENTS, PERSONAS[self.persona], _DAYTIMES[daytime], strict=True):
            weight = (1 - self.stickiness) * base + self.stickiness * (intent == previous)
            if intent == "continue":
                weight *= 1.3 if self.started else 0.0
            elif intent == "rewatch":
                weight *= 1.0 if self.favourites else 0.0
            elif intent == "discover" and weekend:
                weight *= 1.5
            weights.append(weight * factor)
        return rng.choices(INTENTS, weights)[0]

    def draw_genre(self, rng: random.Random) -> tuple[str, str]:
        """Genre to look for, and the followed topic that brought it up (``""`` if none did)."""
        chance = rng.random()
        if self.topics and chance < 0.2:
            topic = rng.choice(self.topics)
            return topic, topic
        if chance < 0.85:
            return self.short_term, ""
        return rng.choices(GENRES, self.taste)[0], ""

    def notice(self, index: int) -> None:
        """Remember a page that was opened."""
        if index in self.noticed:
            self.noticed.remove(index)
        self.noticed.append(index)
        del self.noticed[:-8]

    def watch(self, index: int, title: Title, enjoyed: bool, rng: random.Random) -> None:
        """One more film or episode was watched: it is finished, goes on, or is dropped."""
        watched = self.started.pop(index, 0) + 1
        self.seen.add(index)
        if not enjoyed:
            return
        if watched < title.episodes:
            self.started[index] = watched
            if len(self.started) > 4:  # the show left alone for longest is given up
                del self.started[next(iter(self.started))]
        elif index not in self.favourites and rng.random() < 0.5:
            self.favourites.insert(rng.randint(0, min(2, len(self.favourites))), index)
            del self.favourites[5:]
