"""The rows of the page and their order, which the predicted intents decide."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from serving.client.results import IntentPrediction, ScoredLabel
from serving.web.answer import Card, Row
from serving.web.catalogue import Catalogue
from serving.web.row_rule import RowRule

LABEL_ROWS = 4
ROW_LENGTH = 12
_LEAST_LIFT = 0.5  # probability of a label's row, times the number of labels


class RowMaker:
    """Sorts ranked items into rows.

    Every label of an intent that the catalogue gives a row to has one, placed by the label's probability: the
    likeliest is the page's first row, plain recommendations are the second, and what the user probably did not come for
    is at the end.  Between them are the rows of labels such as genres, those first that are the likeliest compared with
    drawing lots, so that an intent of many labels and one of two can stand side by side; labels less than half as
    likely as that have none.

    Args:
        catalogue: Titles, labels and rules.
        history: The user's events, oldest first.
        moment: Of the question, unix seconds.
        because: Reasons of an item.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        history: Sequence[Mapping[str, Any]],
        moment: int,
        because: Callable[[str], list[str]],
    ) -> None:
        self._catalogue = catalogue
        self._because = because
        self._age = {event["item_id"]: moment - int(event["timestamp"]) for event in history}
        self._known: dict[str, set[str]] = {}
        for rule in catalogue.rows:
            if rule.feature:
                labels = (catalogue.labels(item_id, rule.feature) for item_id in self._age)
                self._known[rule.feature] = {label for some in labels for label in some}

    def rows(self, prediction: IntentPrediction | None, recommended: Sequence[str], ranked: Sequence[str]) -> list[Row]:
        """The page's rows; those without any item are left out.

        Args:
            prediction: None where the model predicts no intents.
            recommended: Ids, best first, for the row of plain recommendations.
            ranked: Ids to fill the other rows with, best first.
        """
        moods: list[Row] = []
        labels: list[tuple[float, Row]] = []
        for rule in self._catalogue.rows:
            entries = prediction.intents.get(rule.intent, ()) if prediction else ()
            if rule.show == "label":
                for entry in [entry for entry in entries if entry.label][:LABEL_ROWS]:
                    row = self._row(
                        rule, entry, _heading(entry.label), self._of_label(rule.feature, entry.label, ranked)
                    )
                    labels.append((entry.score * len(entries), row))
            for entry in entries:
                if rule.show != "label" and entry.label == rule.label:
                    moods.append(self._row(rule, entry, rule.title, [i for i in ranked if self._fits(rule, i)]))
        moods = sorted((row for row in moods if row.items), key=lambda row: row.share or 0.0, reverse=True)
        labels = sorted(((lift, row) for lift, row in labels if row.items), key=lambda pair: pair[0], reverse=True)
        picks = Row("picks", "Picked for you", "the model's recommendations", None, self._cards(recommended))
        likely = [row for lift, row in labels if lift >= _LEAST_LIFT]
        return [*moods[:1], *([picks] if picks.items else []), *likely, *moods[1:]]

    def _of_label(self, feature: str, label: str, ranked: Sequence[str]) -> list[str]:
        """What the user has met is left to other rows."""
        return [i for i in ranked if i not in self._age and label in self._catalogue.labels(i, feature)]

    def _fits(self, rule: RowRule, item_id: str) -> bool:
        age = self._age.get(item_id)
        if rule.show in ("resume", "return"):
            return age is not None and (age <= rule.within) == (rule.show == "resume")
        if age is not None:
            return False
        if rule.show == "new":
            return True
        labels = set(self._catalogue.labels(item_id, rule.feature))
        return bool(labels) and (labels <= self._known[rule.feature]) == (rule.show == "familiar")

    def _row(self, rule: RowRule, entry: ScoredLabel, title: str, chosen: Sequence[str]) -> Row:
        why = f"{rule.intent.replace('_', ' ')}: {entry.label}, {entry.score:.0%}"
        return Row(f"{rule.intent}/{entry.label}", title, why, entry.score, self._cards(chosen))

    def _cards(self, chosen: Sequence[str]) -> list[Card]:
        cards = []
        for item_id in chosen[:ROW_LENGTH]:
            item = self._catalogue.items.get(item_id)
            labels = item.all_labels() if item else []
            cards.append(Card(item_id, self._catalogue.title(item_id), labels, self._because(item_id)))
        return cards


def _heading(label: str) -> str:
    return label[:1].upper() + label[1:]
