"""Pages that two models fill in turns."""

from __future__ import annotations

import random
from collections.abc import Sequence

from pipelines.abtest.service import Policy, Question, Shown


class Interleaved:
    """Team-draft interleaving: in each round both models choose their best title left, who is first is drawn.

    Args:
        policies: A and B.
        seed: of the draws.
    """

    def __init__(self, policies: Sequence[Policy], seed: int = 0) -> None:
        self.policies = policies
        self._rng = random.Random(f"interleaving {seed}")

    def __call__(self, questions: Sequence[Question]) -> list[Shown]:
        """A shared page for each question, as long as the longer of both."""
        pairs = zip(*(policy(questions) for policy in self.policies), strict=True)
        return [self._merged([one.items for one in pair]) for pair in pairs]

    def _merged(self, lists: list[list[str]]) -> Shown:
        items: list[str] = []
        teams: list[int] = []
        longest = max(map(len, lists))
        while len(items) < longest:
            first = self._rng.randrange(2)
            for team in (first, 1 - first):
                left = next((item for item in lists[team] if item not in items), None)
                if left is not None and len(items) < longest:
                    items.append(left)
                    teams.append(team)
        return Shown(items, teams)
