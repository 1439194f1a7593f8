"""The closed loop: people visit day by day, a policy shows pages, they respond, the policy sees what they did."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from pipelines.abtest.visit import Event, Visit, Visitor
from pipelines.datasets.simulate import SESSION_GAP, live
from pipelines.datasets.simulation.catalogue import Catalogue
from pipelines.datasets.simulation.config import DAY, START, SimulationConfig
from pipelines.datasets.simulation.person import WEEK, Person


class Question(NamedTuple):
    """What a policy is asked: a visitor's events so far, the moment (unix seconds) and the followed topics."""

    history: Sequence[Event]
    moment: int
    topics: Sequence[str]


class Shown(NamedTuple):
    """A page: item ids, and which team brought each where two models share it."""

    items: list[str]
    teams: list[int] | None = None


Policy = Callable[[Sequence[Question]], list[Shown]]


class Service:
    """A simulated service with people who have a past.

    They are of no training log: drawn by a seed of their own, they live ``past`` days as the simulator's people do, so
    that histories are there when the experiment begins, on the day after the simulator's last.

    Args:
        config: catalogue, number of people and length of the log the models know.
        seed: of the people and all they do.
        past: days before the experiment.
    """

    def __init__(self, config: SimulationConfig, seed: int = 0, past: int = 30) -> None:
        self.config, self.seed = config, seed
        self.catalogue = Catalogue(config)
        self.index = {title.item_id: place for place, title in enumerate(self.catalogue.titles)}
        self._people = [self._born(number, past) for number in range(config.users)]

    def _born(self, number: int, past: int) -> Visitor:
        rng = random.Random(f"visitor {self.seed} {number}")
        visitor = Visitor(f"visitor-{self.seed}-{number}", Person.draw(rng))
        rows = live(visitor.person, visitor.name, self.catalogue, max(0, self.config.days - past), self.config, rng)
        for event, _, intent, _, _ in rows:
            item = self.catalogue.titles[event.title].item_id
            visitor.history.append(Event(item, event.timestamp, event.action, event.topic, event.duration))
            visitor.intent = intent
        return visitor

    def visitors(self) -> list[Visitor]:
        """Everybody as they are before the experiment."""
        return copy.deepcopy(self._people)

    def run(self, visitors: Sequence[Visitor], policy: Policy, days: Iterable[int]) -> None:
        """Let people live with a policy.

        The draws of a person's day follow from person and day alone, so that two policies meet the same luck until
        people respond differently.

        Args:
            visitors: changed in place.
            policy: asked once for all pages that are wanted at the same time.
            days: numbers from 0.
        """
        for day in days:
            plans = [(visitor, self._plan(visitor, day)) for visitor in visitors]
            for slot in (0, 1):
                visits = [self._begin(visitor, day, plan[slot]) for visitor, plan in plans if len(plan) > slot]
                asking = [visit for visit in visits if visit is not None]
                leaving = list(asking)
                while asking:
                    shown = policy([_question(visit) for visit in asking])
                    asking = [
                        visit
                        for visit, page in zip(asking, shown, strict=True)
                        if visit.see([self.index[item] for item in page.items], page.teams)
                    ]
                for visit in leaving:
                    visit.leave(day)

    def _plan(self, visitor: Visitor, day: int) -> list[tuple[str, float, random.Random]]:
        """Daytime and hour of each visit of a day with the visit's own random numbers."""
        rng = random.Random(f"day {self.seed} {visitor.name} {day}")
        if day % WEEK == 0:
            visitor.person.drift(rng)
        if visitor.gone:
            return []
        chance = visitor.person.sessions_per_day / 2 * (0.6 + 0.8 * visitor.mood)
        visits = sum(rng.random() < chance for _ in range(2))
        times = sorted((visitor.person.draw_daytime(rng) for _ in range(visits)), key=lambda pair: pair[1])
        return [(*pair, random.Random(rng.random())) for pair in times]

    def _begin(self, visitor: Visitor, day: int, plan: tuple[str, float, random.Random]) -> Visit | None:
        daytime, hour, rng = plan
        start = START + (self.config.days + day) * DAY + hour * 3600
        newest = visitor.history[-1] if visitor.history else None
        if newest and start < newest.timestamp + newest.duration + SESSION_GAP:
            return None
        intent = visitor.person.draw_intent(visitor.intent, daytime, (self.config.days + day) % WEEK >= 5, rng)
        return Visit(visitor, self.catalogue, start, intent, rng)


def _question(visit: Visit) -> Question:
    return Question(visit.visitor.history, int(visit.now), visit.visitor.person.topics)
