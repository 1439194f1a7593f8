"""One history, several questions to the model server, one answer for the page."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from serving.client import (
    AsyncIntentRecClient,
    Candidates,
    IntentPrediction,
    Recommendations,
    SignatureError,
)
from serving.web.answer import Answer, Call, Intent, Label, Row, Source
from serving.web.catalogue import Catalogue, Item
from serving.web.reasons import Reasons, is_implicit
from serving.web.rows import LABEL_ROWS, ROW_LENGTH, RowMaker
from serving.web.snippets import python_call

T = TypeVar("T")
_SHOWN = 5


class Asker:
    """Asks about histories; may be shared by all requests of one event loop.

    Args:
        client: Of the model; belongs to the caller, who closes it.
        catalogue: Titles, labels and rows.
        server: The client's address, for the Python that the page shows.
        model: The model's name, likewise.
    """

    def __init__(self, client: AsyncIntentRecClient, catalogue: Catalogue, server: str, model: str) -> None:
        self._client = client
        self._catalogue = catalogue
        self._server = server
        self._model = model

    async def ask(self, history: Sequence[Mapping[str, Any]], moment: int, topics: Sequence[str] = ()) -> Answer:
        """Ask for intents, items and candidates at once, then rank what may fill the rows.

        Args:
            history: The user's events in any order; may be empty.
            moment: Of the question, unix seconds.
            topics: What the user declared interest in.

        Raises:
            IntentRecError: an event does not fit the model, or the server cannot answer.
        """
        start = time.perf_counter()
        calls: list[Call] = []
        items_info = await self._client.check_history(history, "item")
        events = sorted(history, key=lambda event: event["timestamp"])
        has = {name: await self._has(name) for name in ("intent", "retrieve", "rank")}
        base: dict[str, Any] = {"history": events, "request_time": moment}
        shape = items_info.outputs["item_id"].shape
        most = 5 * ROW_LENGTH if not shape or shape[-1] is None else min(5 * ROW_LENGTH, shape[-1])

        async def intent() -> IntentPrediction | None:
            return await self._timed(calls, "intent", self._client.intent, base) if has["intent"] else None

        async def recommend() -> Recommendations:
            return await self._timed(calls, "recommend", self._client.recommend, {**base, "k": most})

        async def retrieve() -> Candidates | None:
            request = {**base, "interests": list(topics)}
            return await self._timed(calls, "retrieve", self._client.retrieve, request) if has["retrieve"] else None

        prediction, recommended, candidates = await asyncio.gather(intent(), recommend(), retrieve())
        picks = [item.item_id for item in recommended.items]
        ranked = await self._rank(calls, base, self._candidates(events, picks, prediction)) if has["rank"] else picks
        reasons = Reasons(self._catalogue, events, moment, prediction, candidates)
        maker = RowMaker(self._catalogue, events, moment, reasons.of)
        rows = maker.rows(prediction, picks, ranked)
        return Answer(
            headline=_headline(rows, prediction, bool(events)),
            intents=_intents(prediction),
            rows=rows,
            sources=self._sources(candidates, topics),
            calls=sorted(calls, key=lambda call: ("intent", "recommend", "retrieve", "rank").index(call.signature)),
            milliseconds=1000 * (time.perf_counter() - start),
            model_version=recommended.model_version,
            notes=_notes(has, topics),
        )

    async def _has(self, signature: str) -> bool:
        try:
            await self._client.check_history([], signature)
        except SignatureError:
            return False
        return True

    async def _timed(
        self, calls: list[Call], method: str, ask: Callable[..., Awaitable[T]], request: dict[str, Any]
    ) -> T:
        """Ask, and note question, answer and time."""
        start = time.perf_counter()
        answer: Any = await ask(**request)
        milliseconds = 1000 * (time.perf_counter() - start)
        code = python_call(self._server, self._model, method, request)
        calls.append(Call(method, milliseconds, request, _as_dict(answer), code))
        return answer

    async def _rank(self, calls: list[Call], base: dict[str, Any], candidates: list[str]) -> list[str]:
        if not candidates:
            return []
        request = {"history": base["history"], "candidates": candidates, "request_time": base["request_time"]}
        ranked = await self._timed(calls, "rank", self._client.rank, request)
        return [item.item_id for item in ranked if item.score > 0]

    def _candidates(
        self, events: Sequence[Mapping[str, Any]], picks: list[str], prediction: IntentPrediction | None
    ) -> list[str]:
        """What may fill the rows: recommendations, what was met, and the best known of the likeliest labels."""
        met = list(dict.fromkeys(event["item_id"] for event in reversed(events)))
        found = list(picks)
        for rule in self._catalogue.rows:
            if rule.show in ("resume", "return"):
                found += met[: 2 * ROW_LENGTH]
            if rule.show == "label" and prediction:
                for entry in prediction.intents.get(rule.intent, ())[:LABEL_ROWS]:
                    best_known = self._catalogue.of_label(rule.feature, entry.label, 2 * ROW_LENGTH)
                    found += [item_id for item_id in best_known if item_id not in met]
        return list(dict.fromkeys(found))

    def _sources(self, candidates: Candidates | None, topics: Sequence[str]) -> list[Source]:
        """Implicit interests that the user has, the weightiest first, then topics in the order of their declaration."""
        if candidates is None:
            return []
        brought: dict[str, list[str]] = {}
        for candidate in candidates.items:
            brought.setdefault(candidate.source, []).append(candidate.item_id)
        found = [
            self._source(name, ids, None if name in topics or not is_implicit(name) else candidates.mass[int(name)])
            for name, ids in brought.items()
        ]
        return sorted(found, key=lambda source: (source.declared, -(source.mass or 0.0)))

    def _source(self, name: str, ids: list[str], mass: float | None) -> Source:
        known = [self._catalogue.items[item_id] for item_id in ids if item_id in self._catalogue.items]
        titles = [self._catalogue.title(item_id) for item_id in ids[:_SHOWN]]
        return Source(name, mass is None, mass, self._typical(known), titles, len(ids))

    def _typical(self, items: Sequence[Item]) -> list[str]:
        """The labels that are the most over-represented among some items."""
        here = Counter(label for item in items for label in item.all_labels())
        everywhere, total = self._catalogue.label_counts, len(self._catalogue.items)
        surplus = {label: count / len(items) - everywhere[label] / total for label, count in here.items()}
        return sorted((label for label in surplus if surplus[label] > 0), key=lambda label: -surplus[label])[:3]


def _as_dict(answer: Any) -> Any:
    if isinstance(answer, tuple):  # of ranked items
        return {"items": [{"item_id": item.item_id, "score": item.score} for item in answer]}
    return answer.as_dict()


def _intents(prediction: IntentPrediction | None) -> list[Intent]:
    if prediction is None:
        return []
    return [
        Intent(name, [Label(entry.label, entry.score) for entry in entries], prediction.attention.get(name))
        for name, entries in prediction.intents.items()
    ]


def _headline(rows: Sequence[Row], prediction: IntentPrediction | None, has_history: bool) -> str:
    if prediction is None:
        return "Recommendations; this model predicts no intents"
    if not has_history:
        return "A new user: what is usual comes first"
    if rows and rows[0].share is not None:
        return f"Probably here for: {rows[0].title} ({rows[0].share:.0%})"
    return "Picked for you"


def _notes(has: Mapping[str, bool], topics: Sequence[str]) -> list[str]:
    notes = []
    if not has["rank"]:
        notes.append("The model has no signature 'rank', so rows hold recommended titles only.")
    if topics and not has["retrieve"]:
        notes.append("The model has no signature 'retrieve', so declared topics change nothing.")
    return notes
