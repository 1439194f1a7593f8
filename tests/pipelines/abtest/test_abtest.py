"""The closed loop with cheap policies: a better one wins, equal ones do not, and draws repeat."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence

import numpy as np
import pytest

from pipelines.abtest.abtest import abtest, arm, share_pages
from pipelines.abtest.interleaved import Interleaved
from pipelines.abtest.service import Question, Service, Shown
from pipelines.abtest.statistics import METRICS
from pipelines.datasets.simulation.config import SimulationConfig

TINY = SimulationConfig(users=80, titles=80, days=20)


class Fixed:
    """Always the same titles, drawn once."""

    def __init__(self, service: Service, seed: int) -> None:
        self.items = random.Random(seed).sample(sorted(service.index), 10)

    def __call__(self, questions: Sequence[Question]) -> list[Shown]:
        return [Shown(self.items) for _ in questions]


class Mixed:
    """Half of the page what the visitor did last, half a fixed row: some click, save, play and leave."""

    def __init__(self, service: Service) -> None:
        self.items = Fixed(service, 0).items

    def __call__(self, questions: Sequence[Question]) -> list[Shown]:
        return [Shown(list(dict.fromkeys([*page.items[:5], *self.items]))[:10]) for page in Newest()(questions)]


class Newest:
    """What the visitor did last, the newest first: good for whoever continues a show."""

    def __call__(self, questions: Sequence[Question]) -> list[Shown]:
        return [Shown(list(dict.fromkeys(e.item_id for e in q.history[::-1]))[:10]) for q in questions]


@pytest.fixture(scope="module")
def service() -> Service:
    """A small one."""
    return Service(TINY, seed=1, past=15)


def test_a_policy_that_helps_wins_everywhere_it_should() -> None:
    service = Service(dataclasses.replace(TINY, users=400), seed=1, past=15)
    policies = (Fixed(service, 0), Newest())
    for paired in (False, True):
        found = abtest(service, policies, 14, paired)["metrics"]
        assert set(found) == set(METRICS)
        for name in ("click", "watch"):
            assert found[name]["adjusted_p"] < 0.05
            assert found[name]["interval"][0] > 0
    shared = share_pages(service, policies, 7)
    assert shared["interval"][0] > 0.5
    assert shared["p"] < 0.05


def test_users_are_split_by_hash_or_live_twice(service: Service) -> None:
    policies = (Newest(), Newest())
    split = abtest(service, policies, 5)
    assert sum(split["users"]) == TINY.users
    assert min(split["users"]) > TINY.users // 4
    assert abtest(service, policies, 5) == split
    assert len({tuple(arm(f"u{i}", salt) for i in range(20)) for salt in "abc"}) == 3
    twice = abtest(service, policies, 5, paired=True)
    assert twice["users"] == [TINY.users, TINY.users]
    assert all(one["difference"] == 0 and one["p"] == 1 for one in twice["metrics"].values())
    assert twice["daily"][0] == twice["daily"][1]


def test_an_aa_test_shows_no_effect_in_95_percent_of_100_repetitions(record_property) -> None:
    """Each repetition has people of its own; false alarms are binomial: above 12 of 100 has probability .0015."""
    alarms = dict.fromkeys(METRICS, 0)
    tested = dict.fromkeys(METRICS, 0)
    for seed in range(100):
        service = Service(dataclasses.replace(TINY, users=60), seed=seed, past=4)
        policies = (Mixed(service), Mixed(service))
        for name, found in abtest(service, policies, 5)["metrics"].items():
            if found["p"] is not None:
                tested[name] += 1
                alarms[name] += found["p"] < 0.05
    record_property("false alarms of 100", alarms)
    print("false alarms", alarms)
    assert min(tested.values()) == 100
    assert max(alarms.values()) <= 12
    assert sum(alarms.values()) >= 5  # a test that never alarms would be no test


def test_interleaving_gives_both_the_same_chance() -> None:
    def first(questions: Sequence[Question]) -> list[Shown]:
        return [Shown(["a", "b", "c"]) for _ in questions]

    def second(questions: Sequence[Question]) -> list[Shown]:
        return [Shown(["c", "b", "d"]) for _ in questions]

    questions = [Question([], 0, [])] * 400
    pages = Interleaved((first, second))(questions)
    assert all(len(page.items) == len(set(page.items)) == 3 for page in pages)
    starts = np.array([page.teams[0] for page in pages])
    assert 150 < starts.sum() < 250
    for page in pages:
        assert page.items[:2] in (["a", "c"], ["c", "a"])
        assert sorted(page.teams[:2]) == [0, 1]


def test_the_policy_sees_what_people_did(service: Service) -> None:
    lengths: list[int] = []

    def note(questions: Sequence[Question]) -> list[Shown]:
        for question in questions:
            assert all(event.timestamp <= question.moment for event in question.history)
        lengths.append(max(len(question.history) for question in questions))
        return Newest()(questions)

    people = service.visitors()
    before = [len(one.history) for one in people]
    service.run(people, note, range(10))
    assert any(len(one.history) > count for one, count in zip(people, before, strict=True))
    for one in people:
        times = [event.timestamp for event in one.history]
        assert times == sorted(times)
    assert [len(one.history) for one in service.visitors()] == before  # the service's own people have not changed
