"""Items that training never saw, and users with little past: how well are they served?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf

from intentrec_tf.inputs import Columns
from intentrec_tf.metrics.ranking import UNREACHABLE
from intentrec_tf.models import NextItemModel
from intentrec_tf.retrieval import RetrievalModel
from intentrec_tf.vocabulary import FIRST
from pipelines.baselines import Scorer, content_popularity, most_recent
from pipelines.evaluate import Evaluation, rank_targets, ranking_metrics, ranking_step
from pipelines.input_fn import events_before, question_batches
from pipelines.prepared import PreparedData
from pipelines.retrieval_input import with_topics

MODEL = "intentrec"
CONTENT, SO_FAR, RANDOM = "popularity of the content", "popularity so far", "random"
KNOWN, NEW = "known items", "new items"
AMONG_KNOWN = "known items among known items"
UNMET = "{} that the user has not met"
FEW = (0, 1, 2)
SHOWN = ("HR@10", "NDCG@10")
DEFINITIONS = {
    NEW: "without any event in the training part",
    CONTENT: "training events per trained item with the same labels",
    SO_FAR: "events of the new item up to the question, which no model knows that was trained before",
    RANDOM: "expectation of a random order",
}


@dataclass(frozen=True)
class Slice:
    """Some of the targets.

    Attributes:
        events: int [targets], places in ``prepared.events``, rising.
        ranks: system -> int [targets].
        candidates: int [targets], how many items each target was compared with, itself included; None if it was the
            whole catalogue.
    """

    events: np.ndarray
    ranks: dict[str, np.ndarray]
    candidates: np.ndarray | None = None

    def only(self, chosen: np.ndarray) -> Slice:
        """Part of it, ``chosen`` being bool [targets]."""
        ranks = {name: values[chosen] for name, values in self.ranks.items()}
        return Slice(self.events[chosen], ranks, None if self.candidates is None else self.candidates[chosen])

    def metrics(self) -> dict[str, dict[str, float]]:
        """System -> HR@10 and NDCG@10, with what a random order would have among few candidates."""
        found = {name: ranking_metrics(values) for name, values in self.ranks.items()}
        metrics = {name: {metric: values[metric] for metric in SHOWN} for name, values in found.items()}
        if self.candidates is not None:
            metrics[RANDOM] = _expected(self.candidates)
        return metrics

    def record(self) -> dict[str, Any]:
        """JSON ready."""
        return {"targets": len(self.events), "metrics": self.metrics()}


@dataclass(frozen=True)
class ColdStart:
    """Outcome of :func:`cold_start`.

    Attributes:
        new_items: items of the catalogue without any training event.
        slices: ranks among the whole catalogue, by name of the slice; none is empty.  :data:`AMONG_KNOWN` leaves the
            new items out of the lists, for a catalogue without them has less to choose from.
        among_new: ranks among the new items alone, likewise; empty where the catalogue has none.
    """

    new_items: int
    slices: dict[str, Slice]
    among_new: dict[str, Slice]

    def record(self) -> dict[str, Any]:
        """JSON ready."""
        return {
            "definitions": DEFINITIONS,
            "new_items": self.new_items,
            "whole_catalogue": {name: part.record() for name, part in self.slices.items()},
            "among_new_items": {name: part.record() for name, part in self.among_new.items()},
        }


def cold_start(
    result: Evaluation, model: NextItemModel | RetrievalModel, prepared: PreparedData, part: int, batch: int = 256
) -> ColdStart:
    """Slices of an evaluation, and the targets that are new items once more among the new items alone.

    A user without any earlier event has no history to ask with; an exported model answers with the training shares of
    the items, so these targets are ranked by popularity.

    Args:
        result: of the model and the part.
        model: with trained weights.
        prepared: its data.
        part: 1 validation, 2 test.
        batch: targets scored at once.
    """
    rows, past = _rows(prepared), events_before(prepared)
    prior = prepared.spec.item_prior
    new = (prior == 0) & (np.arange(len(prior)) >= FIRST)
    every = Slice(result.events, result.ranks)
    unseen = prior[rows[result.events]] == 0  # also what is not in the catalogue at all
    known = every.only(~unseen)
    slices = _with_unmet(KNOWN, known, prepared) | {AMONG_KNOWN: Slice(known.events, {MODEL: known.ranks[MODEL]})}
    if new.any() and len(known.events):
        batches = _questions(model, prepared, known.events, batch)
        ranks = _ranks({MODEL: ranking_step(model, batches, prior > 0)}, batches)
        slices[AMONG_KNOWN] = Slice(known.events, ranks)
    slices |= _with_unmet(NEW, every.only(unseen), prepared)
    for count in FEW:
        words = f"users with {count} earlier event{'s' if count != 1 else ''}"
        slices[words] = every.only(past[result.events] == count) if count else _without_history(prepared, rows, part)
    among = {}
    asked = result.events[new[rows[result.events]]]
    if len(asked):
        among = _with_unmet(NEW, _among_new(model, prepared, asked, new, rows, batch), prepared)
    filled = {name: part for name, part in slices.items() if len(part.events)}
    return ColdStart(int(new.sum()), filled, {name: part for name, part in among.items() if len(part.events)})


def _rows(prepared: PreparedData) -> np.ndarray:
    """Item row of every event."""
    codes, distinct = pd.factorize(prepared.events["item_id"])
    return prepared.spec.items.lookup(distinct.tolist())[codes]


def _with_unmet(name: str, found: Slice, prepared: PreparedData) -> dict[str, Slice]:
    """All, and, where seen items may be recommended, those that are no repetition."""
    slices = {name: found}
    if not prepared.spec.schema.exclude_seen:
        repeated = prepared.events.duplicated(["user_id", "item_id"]).to_numpy()
        slices[UNMET.format(name)] = found.only(~repeated[found.events])
    return slices


def _without_history(prepared: PreparedData, rows: np.ndarray, part: int) -> Slice:
    """Targets that are a user's very first event, ranked by popularity with ties against them."""
    events = np.flatnonzero((prepared.events["split"].to_numpy() == part) & (events_before(prepared) == 0))
    prior = prepared.spec.item_prior
    ordered = np.sort(prior[FIRST:])
    ranks = len(ordered) - np.searchsorted(ordered, prior[rows[events]])
    return Slice(events, {MODEL: np.where(rows[events] >= FIRST, ranks, UNREACHABLE)})


def _among_new(
    model: NextItemModel | RetrievalModel,
    prepared: PreparedData,
    asked: np.ndarray,
    new: np.ndarray,
    rows: np.ndarray,
    batch: int,
) -> Slice:
    """Ranks of the targets at the places ``asked`` among the items of ``new`` bool [V]."""
    batches = _questions(model, prepared, asked, batch)
    steps = {MODEL: ranking_step(model, batches, new)}
    steps[CONTENT] = _baseline_step(content_popularity(prepared), prepared, batches, new)
    if not prepared.spec.schema.exclude_seen:
        steps["most recent items"] = _baseline_step(most_recent(prepared), prepared, batches, new)
    ranks = _ranks(steps, batches)
    so_far, candidates = _popularity_so_far(prepared, asked, new, rows)
    if prepared.manifest["request"]["split"]["kind"] == "time":  # else other users' last events are no past
        ranks[SO_FAR] = so_far
    return Slice(asked, ranks, candidates)


def _questions(
    model: NextItemModel | RetrievalModel, prepared: PreparedData, asked: np.ndarray, batch: int
) -> tf.data.Dataset:
    batches = question_batches(prepared, asked, batch)
    if isinstance(model, RetrievalModel) and model.config.interests == "conditional":
        return with_topics(batches, prepared, model.config)
    return batches


def _ranks(steps: dict[str, Callable[..., dict[str, Any]]], batches: tf.data.Dataset) -> dict[str, np.ndarray]:
    """Ranks by every step, int [targets], in the order of the targets' events."""
    events: list[np.ndarray] = []
    found: dict[str, list[np.ndarray]] = {name: [] for name in steps}
    for inputs, targets in batches:
        events.append(targets["event"].numpy())
        for name, step in steps.items():
            found[name].append(step(inputs, targets)["rank"].numpy())
    order = np.argsort(np.concatenate(events))
    return {name: np.concatenate(parts)[order] for name, parts in found.items()}


def _baseline_step(
    scorer: Scorer, prepared: PreparedData, batches: tf.data.Dataset, new: np.ndarray
) -> Callable[[Columns, Columns], dict[str, tf.Tensor]]:
    @tf.function(input_signature=batches.element_spec)
    def step(inputs: Columns, targets: Columns) -> dict[str, tf.Tensor]:
        return {"rank": rank_targets(scorer(inputs), prepared.spec, targets, new)}

    return step


def _popularity_so_far(
    prepared: PreparedData, asked: np.ndarray, new: np.ndarray, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Ranks by the events of each new item before the question, equal ones by chance; and the number of candidates.

    Args:
        prepared: the data.
        asked: int [targets], places of events.
        new: bool [V].
        rows: int [events].
    """
    events = prepared.events
    times, users = events["timestamp"].to_numpy(), events["user_id"].to_numpy()
    of_new = np.flatnonzero(new[rows])
    by_time = of_new[np.argsort(times[of_new], kind="stable")]
    met: dict[Any, list[int]] = {}
    for place in of_new.tolist():
        met.setdefault(users[place], []).append(place)
    counts, done = np.zeros(len(new), int), 0
    having = np.zeros(np.bincount(rows[of_new]).max() + 2, int)  # how many new items have each count
    having[0] = new.sum()
    chance = np.random.default_rng(0)
    ranks, candidates = np.zeros((2, len(asked)), int)
    for i in np.argsort(times[asked], kind="stable"):
        place = asked[i]
        while times[by_time[done]] < times[place]:
            row = rows[by_time[done]]
            having[counts[row]] -= 1
            counts[row] += 1
            having[counts[row]] += 1
            done += 1
        barred = set()
        if prepared.spec.schema.exclude_seen:
            barred = {int(rows[other]) for other in met[users[place]] if other < place}
        own, others = counts[rows[place]], counts[list(barred)]
        candidates[i] = having.sum() - len(barred)
        above = having[own + 1 :].sum() - (others > own).sum()
        equal = having[own] - 1 - (others == own).sum()
        reachable = rows[place] not in barred
        ranks[i] = 1 + above + chance.integers(equal, endpoint=True) if reachable else UNREACHABLE
    return ranks, candidates


def _expected(candidates: np.ndarray) -> dict[str, float]:
    """Metrics of a random order of so many candidates, int [targets]."""
    places = np.arange(1, 11)
    inside = places[None] <= candidates[:, None]
    share = 1 / candidates[:, None]
    gains = {"HR@10": np.ones(10), "NDCG@10": 1 / np.log2(1 + places)}
    return {name: float((inside * share * gains[name]).sum(axis=1).mean()) for name in SHOWN}
