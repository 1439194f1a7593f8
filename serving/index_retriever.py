"""Candidates by a search outside the model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.candidates import (
    CandidateIndex,
    deal,
    merge_by_score,
    merge_candidates,
    split_budget,
    without_excluded,
)
from serving.client import Candidate, Candidates, IntentRecClient, InvalidInputError, ServerError
from serving.client.requests import text_array

USUAL_SHARE = 5 / 12


class IndexRetriever:
    """Asks the served model for a user's queries and an index for the items near them.

    Budgets and merging are those of the `retrieve` signature; with exact indexes so are the answers, but for the topic
    guardrail, for which an index would have to know the items' topics.

    Args:
        client: Of a model exported with candidates.
        implicit: Index of the implicit model's item vectors.
        explicit: Index of the explicit model's; None asks for no topics.
        total: Candidates in all.
        explicit_share: Of the candidates, for declared topics.
        versions: What the vectors in the two indexes come from (`intentrec index` prints it); a model of other
            vectors is refused. Default: what the indexes say. Empty texts are not compared.

    Raises:
        InvalidInputError: an option makes no sense.
    """

    def __init__(
        self,
        client: IntentRecClient,
        implicit: CandidateIndex,
        explicit: CandidateIndex | None = None,
        total: int = 500,
        explicit_share: float = USUAL_SHARE,
        versions: tuple[str, str] | None = None,
    ) -> None:
        if not isinstance(total, (int, np.integer)) or isinstance(total, bool) or total < 1:
            raise InvalidInputError(f"total is {total!r}, so pass a whole number from 1 on.")
        if not 0 <= explicit_share <= 1:
            raise InvalidInputError(f"explicit_share is {explicit_share!r}, so pass a number from 0 to 1.")
        self._client = client
        self._implicit = implicit
        self._explicit = explicit
        self._total = int(total)
        self._explicit_share = explicit_share
        own = implicit.model_version, explicit.model_version if explicit else ""
        self._versions = own if versions is None else versions

    def retrieve(
        self,
        history: Sequence[Any],
        interests: Iterable[str] = (),
        exclude: Iterable[str] = (),
        request_time: int | None = None,
    ) -> Candidates:
        """Candidates for one user.

        Args:
            history: The user's events; may be empty.
            interests: Topics the user declared; those the model does not know are passed over.
            exclude: Ids of items that are no candidates, seen ones among them where they may not come again.
            request_time: The moment of the question in unix seconds. Default: now.

        Raises:
            IntentRecError: the server cannot answer.
            CandidateError: an index cannot.
        """
        asked = text_array("interests", [interests], 1)
        never = set(text_array("exclude", [exclude], 1)[0]) - {""}
        answer = self._client.ask("query", [history], request_time, lambda _: {"interest": asked})
        assert answer is not None
        outputs, version = answer
        queries, valid, mass = (_output(outputs, name, version)[0] for name in ("query", "valid", "mass"))
        self._check_versions(outputs, version)
        valid = valid.astype(bool)
        count = len(mass)
        names: NDArray[Any] = np.full((len(valid), self._total), "", object)
        scores = np.zeros((len(valid), self._total), np.float32)
        for index, here in ((self._implicit, slice(0, count)), (self._explicit, slice(count, len(valid)))):
            places = np.flatnonzero(valid[here]) + here.start
            if index is None:
                valid[here] = False
            elif len(places):
                found = index.search(queries[places], self._total + len(never))
                names[places], scores[places] = without_excluded(found.item_ids, found.scores, never, self._total)
        topics = np.flatnonzero(valid[count:]) + count
        rows = np.r_[np.arange(count), topics]
        slots, shares, sources = valid[:count], mass, [str(row) for row in rows]
        sources[count:] = [str(topic) for topic in asked[0][topics - count]]
        winner: dict[str, str] = {}
        if _compete(outputs):
            winner = _competition(names[:count], scores[:count], self._total)
            slots, shares = np.repeat(slots.any(), count), np.ones(count)
        budgets = split_budget(self._total, shares, slots, len(topics), self._explicit_share)
        merged = merge_candidates(names[rows], scores[rows], budgets, self._total)
        items = (
            Candidate(str(item), float(score), winner.get(item, sources[source]) if source < count else sources[source])
            for item, score, source in zip(merged.item_ids, merged.scores, merged.sources, strict=True)
        )
        return Candidates(tuple(items), tuple(map(float, mass)), version)

    def _check_versions(self, outputs: dict[str, NDArray[Any]], version: int) -> None:
        served = [value.decode() for value in _output(outputs, "version", version)[0]]
        for kind, ours, theirs in zip(("implicit", "explicit"), self._versions, served, strict=True):
            if ours and ours != theirs:
                raise ServerError(
                    f"Version {version} asks for {kind} item vectors {theirs or 'of no name'} and the index holds "
                    f"{ours}, so build the index again from the exported run."
                )


def _competition(names: NDArray[Any], scores: NDArray[np.float32], total: int) -> dict[str, str]:
    """Let implicit interests compete by score: their lists [K, total], in place, become one that is dealt out to them
    in turn.

    Returns:
        The interest that scores each of its items highest.
    """
    best = merge_by_score(names, scores, total)
    for lists, values, blank in ((names, best.item_ids, ""), (scores, best.scores, 0)):
        dealt = deal(values, len(lists), blank)
        lists[:] = blank
        lists[:, : dealt.shape[1]] = dealt
    return dict(zip(best.item_ids, map(str, best.sources), strict=True))


def _compete(outputs: dict[str, NDArray[Any]]) -> bool:
    """Whether implicit interests compete by score; exports of before 2026-11-22 do not say, and theirs take turns."""
    return "by_score" in outputs and bool(outputs["by_score"].ravel()[0])


def _output(outputs: dict[str, NDArray[Any]], name: str, version: int) -> NDArray[Any]:
    if name not in outputs or outputs[name].ndim < 2:
        raise ServerError(f"Version {version}'s signature 'query' returned no {name!r}, so export the model again.")
    return outputs[name]
