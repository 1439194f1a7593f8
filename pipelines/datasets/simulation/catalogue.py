"""Titles of the simulated service, and the ways in which a person comes across one."""

from __future__ import annotations

import itertools
import random
from bisect import bisect_left, bisect_right
from collections.abc import Container
from dataclasses import dataclass

from pipelines.datasets.simulation.config import DAY, START, SimulationConfig

_SHOW_SHARE = {"Anime": 0.8, "Crime": 0.6, "Drama": 0.55, "Documentary": 0.4, "Action": 0.25, "Horror": 0.2}
# fmt: off
GENRES = (
    "Action", "Anime", "Comedy", "Crime", "Documentary", "Drama", "Family", "Fantasy", "Horror", "Romance",
    "Sci-Fi", "Thriller",
)
_ADJECTIVES = (
    "Silent", "Crimson", "Broken", "Golden", "Hidden", "Last", "Electric", "Frozen", "Paper", "Distant",
    "Velvet", "Hollow", "Midnight", "Wild", "Burning", "Quiet", "Second", "Invisible", "Northern",
    "Salt", "Restless", "Glass", "Borrowed", "Iron",
)
_NOUNS = (
    "Harbour", "Orchard", "Signal", "Empire", "Letters", "River", "Detective", "Garden", "Horizon",
    "Kitchen", "Lighthouse", "Mirror", "Planet", "Promise", "Road", "Season", "Shadow", "Summer",
    "Theatre", "Train", "Village", "Winter", "Witness", "Wolf", "Island", "Archive", "Carnival",
    "Dynasty", "Echo", "Fable",
)
# fmt: on
_NEW_FOR = 14 * DAY
_MANY = 500  # new titles of a genre, more than the sizes up to "large" ever have


@dataclass(frozen=True)
class Title:
    """One film or show.

    Attributes:
        item_id: id in the log.
        name: readable name, unique.
        genres: one to three labels, the first is the main one.
        kind: ``movie`` or ``show``.
        released: unix seconds.
        episodes: 1 for a movie.
        runtime: seconds of the movie or of one episode.
    """

    item_id: str
    name: str
    genres: tuple[str, ...]
    kind: str
    released: float
    episodes: int
    runtime: float


class Catalogue:
    """All titles, by popularity and by novelty.

    Args:
        config: number of titles, length of the log, seed.
    """

    def __init__(self, config: SimulationConfig) -> None:
        rng = random.Random(f"catalogue {config.seed}")
        names = _names(config.titles, rng)
        self.titles = [_title(index, name, config, rng) for index, name in enumerate(names)]
        self._by_genre: dict[str, list[int]] = {genre: [] for genre in GENRES}
        for index, title in enumerate(self.titles):
            for genre in title.genres:
                self._by_genre[genre].append(index)
        weights = [rng.lognormvariate(0.0, 1.1) for _ in self.titles]
        self._cumulated = {
            genre: list(itertools.accumulate(weights[index] for index in members))
            for genre, members in self._by_genre.items()
        }
        self._newest: dict[str, tuple[list[float], list[int]]] = {}
        for genre, members in self._by_genre.items():
            ordered = sorted(members, key=lambda index: self.titles[index].released)
            self._newest[genre] = ([self.titles[index].released for index in ordered], ordered)

    def popular(self, genre: str, now: float, avoid: Container[int], rng: random.Random) -> int | None:
        """Draw a released title of ``genre`` not in ``avoid`` by popularity; None if chance finds none."""
        cumulated, members = self._cumulated[genre], self._by_genre[genre]
        for _ in range(12):
            index = members[min(bisect_left(cumulated, rng.random() * cumulated[-1]), len(members) - 1)]
            if index not in avoid and self.titles[index].released <= now:
                return index
        return None

    def new(self, genre: str, now: float, avoid: Container[int], rng: random.Random) -> int | None:
        """Draw a title of ``genre`` not in ``avoid`` released within two weeks; None without one."""
        times, members = self._newest[genre]
        first, last = bisect_left(times, now - _NEW_FOR), bisect_right(times, now)
        if last - first > _MANY:  # hardly any of them is to be avoided
            drawn = (members[rng.randrange(first, last)] for _ in range(12))
            return next((index for index in drawn if index not in avoid), None)
        recent = members[first:last]
        left = [index for index in recent if index not in avoid]
        return rng.choice(left) if left else None


def _names(count: int, rng: random.Random) -> list[str]:
    """Readable names, all different; after every pair of words is used, sequels follow."""
    pairs = [f"The {adjective} {noun}" for adjective in _ADJECTIVES for noun in _NOUNS]
    pairs += [f"{noun} of the {other}" for noun in _NOUNS for other in _NOUNS if noun != other]
    rng.shuffle(pairs)
    names = list(pairs[:count])
    part = 2
    while len(names) < count:
        names += [f"{pair} {part}" for pair in pairs[: count - len(names)]]
        part += 1
    return names


def _title(index: int, name: str, config: SimulationConfig, rng: random.Random) -> Title:
    # every genre is the main one of some title, so that each taste finds something
    main = GENRES[index % len(GENRES)]
    others = rng.sample([genre for genre in GENRES if genre != main], rng.choices((0, 1, 2), (0.4, 0.4, 0.2))[0])
    show = rng.random() < _SHOW_SHARE.get(main, 0.35)
    if index >= 2 * len(GENRES) and rng.random() < 0.25:
        released = START + rng.random() * config.days * DAY
    else:
        released = START - 30 * DAY * 240 ** rng.random()  # log-uniform age of 1 month to 20 years
    episodes = rng.randint(6, 24) if show else 1
    runtime = rng.uniform(1200, 3300) if show else rng.uniform(4500, 9000)
    kind = "show" if show else "movie"
    return Title(f"t{index}", name, (main, *others), kind, float(round(released)), episodes, round(runtime, 1))
