"""Why a title is shown, in a few words each, from the model's answers and the catalogue."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from serving.client.results import Candidates, IntentPrediction
from serving.web.catalogue import Catalogue

_UNITS = ((86_400 * 365, "year"), (86_400 * 30, "month"), (86_400 * 7, "week"), (86_400, "day"), (3600, "hour"))
_MOST = 3


class Reasons:
    """Knows one user's history and what the model said of it.

    Args:
        catalogue: Titles and labels.
        history: The user's events, oldest first.
        moment: Of the question, unix seconds.
        prediction: None where the model predicts no intents.
        candidates: None where the model finds none.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        history: Sequence[Mapping[str, Any]],
        moment: int,
        prediction: IntentPrediction | None,
        candidates: Candidates | None,
    ) -> None:
        self._catalogue = catalogue
        self._history = history
        self._moment = moment
        self._last_met = {event["item_id"]: int(event["timestamp"]) for event in history}
        self._sources = {c.item_id: c.source for c in candidates.items} if candidates else {}
        # Of each feature, the labels that are likelier than by drawing lots: their probability, and how much likelier.
        self._wanted: dict[str, dict[str, tuple[float, float]]] = {}
        for rule in catalogue.rows:
            if rule.show == "label" and prediction and rule.intent in prediction.intents:
                labels = prediction.intents[rule.intent]
                lots = max(len(labels), 2)
                likely = {e.label: (e.score * lots, e.score) for e in labels if e.score * lots > 1}
                self._wanted[rule.feature] = likely

    def of(self, item_id: str) -> list[str]:
        """At most three reasons, the weightiest first."""
        found = []
        if item_id in self._last_met:
            found.append(f"last met {ago(self._moment - self._last_met[item_id])}")
        found += self._wish(item_id)
        found += self._likeness(item_id)
        if item_id in self._sources:
            source = self._sources[item_id]
            found.append(f"from interest {source}" if is_implicit(source) else f"declared topic {source}")
        if not found:
            found.append("likely for this history" if self._history else "popular with everyone")
        return found[:_MOST]

    def _wish(self, item_id: str) -> list[str]:
        """The label that stands out most among those the next event probably has."""
        found = [
            (*wanted[label], label)
            for feature, wanted in self._wanted.items()
            for label in self._catalogue.labels(item_id, feature)
            if label in wanted
        ]
        return [f"{label} is wanted, {score:.0%}" for _, score, label in [max(found)]] if found else []

    def _likeness(self, item_id: str) -> list[str]:
        """The newest event whose item shares all labels of a feature with this one."""
        for event in reversed(self._history[-20:]):
            other = event["item_id"]
            if other == item_id:
                continue
            shared: tuple[str, ...] = ()
            for feature in self._wanted:
                labels = self._catalogue.labels(item_id, feature)
                if len(labels) > len(shared) and set(labels) <= set(self._catalogue.labels(other, feature)):
                    shared = labels
            if shared:
                return [f"{' and '.join(shared)} like {self._catalogue.title(other)}"]
        return []


def is_implicit(source: str) -> bool:
    """Whether a source is the number of an interest in the history rather than a topic."""
    return source.isascii() and source.isdecimal()


def ago(seconds: int) -> str:
    """A span of time in words, such as `2 hours ago`."""
    for size, name in _UNITS:
        if seconds >= size:
            count = seconds // size
            return f"{count} {name}{'s' * (count > 1)} ago"
    minutes = seconds // 60
    return f"{minutes} minute{'s' * (minutes > 1)} ago" if minutes > 0 else "just now"
