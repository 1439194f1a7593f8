"""What frozen user vectors are worth to somebody who reads them with a simple model.

After Spotify's protocol: vectors of users as of a moment, and what they do in the days behind it.

* ``labels``: which labels of an item feature (genres) will the user take?  A logistic regression a label.
* ``returns``: will the user come back at all?  A logistic regression.
* ``neighbours``: which items?  Those the 50 nearest users (cosine) took lately, nearer ones counting more: NDCG@50.

The regressions are fitted on the vectors as of the end of the training part and the days behind it, and scored on those
as of the end of the validation part: later days, which neither the model nor the regressions have seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from intentrec_tf.models import NextItemModel
from intentrec_tf.vocabulary import FIRST
from pipelines.embed.downstream_scores import Scores
from pipelines.embed.histories import histories_at
from pipelines.embed.neighbours import neighbour_gains
from pipelines.embed.representations import AVERAGE, INTENT, STATE, WINDOWS, WORDS, Embed, representations
from pipelines.embed.taken import taken
from pipelines.prepared import PreparedData
from pipelines.progress import track
from pipelines.split import TRAIN, VALIDATION
from pipelines.validate import DataError

DAY = 86_400
POPULARITY = "popularity"


@dataclass(frozen=True)
class _Moment:
    """Users as of a moment: vectors by kind, events read, and what they do behind it."""

    users: np.ndarray
    events: np.ndarray
    vectors: dict[str, np.ndarray]
    labels: np.ndarray  # bool [users, labels]
    returns: np.ndarray  # bool [users]
    items: list[np.ndarray]  # rows taken behind the moment, each once


def downstream(
    model: NextItemModel,
    prepared: PreparedData,
    days: int = 7,
    cold_events: int = 5,
    feature: str | None = None,
    batch: int = 256,
) -> dict[str, Any]:
    """Score every representation on the three tasks, for all users and for those with little history.

    Args:
        model: trained on the training part.
        prepared: its data, split by time.
        days: that are predicted.
        cold_events: a user with at most so many events before the moment is of the slice ``cold``.
        feature: item feature whose labels are predicted; None takes the one of the first category intent.
        batch: users at once.

    Raises:
        DataError: the split is not by time, its parts are too short, or there is no such feature.
    """
    feature = _label_feature(prepared, feature)
    fit_at, score_at = _moments(prepared, days)
    kinds = [*([INTENT] if model.hierarchical else []), STATE, AVERAGE, WINDOWS]
    embed = representations(model, kinds)
    fit, score = (_users(prepared, embed, kinds, at, days, feature, batch) for at in (fit_at, score_at))
    back, cold = score.returns, score.events <= cold_events
    found = Scores(score.labels[back], score.returns, {"all": np.ones(len(cold), bool), "cold": cold})
    chances = _popularity(fit)
    found.add(POPULARITY, np.tile(chances, (back.sum(), 1)), np.full(len(back), fit.returns.mean()))
    for kind in track(kinds, "fitting simple models", len(kinds)):
        known, asked = fit.vectors[kind], score.vectors[kind]
        predicted = _fitted(known[fit.returns], fit.labels[fit.returns], asked[back])
        found.add(kind, predicted, _fitted(known, fit.returns[:, None], asked)[:, 0])
    gains = neighbour_gains(prepared, score.users, score.vectors, score.items, score_at, 4 * days * DAY)
    return {
        "days": days,
        "cold_events": cold_events,
        "feature": feature,
        "moments": {"fit": fit_at, "score": score_at},
        "labels": int(score.labels.shape[1]),
        "users": {"fit": len(fit.users), **found.users()},
        "words": {POPULARITY: "popularity (none)", **{kind: WORDS[kind] for kind in kinds}},
        "dimensions": {kind: int(score.vectors[kind].shape[1]) for kind in kinds},
        "results": found.results(gains),
        "against_average": found.against(AVERAGE, gains),
    }


def _label_feature(prepared: PreparedData, feature: str | None) -> str:
    schema = prepared.spec.schema
    possible = [one.name for one in schema.item_features if one.kind != "numeric"]
    if feature is None:
        feature = next((intent.feature for intent in schema.category_intents), next(iter(possible), None))
        if feature is None:
            raise DataError(f"{prepared.folder}: no item feature has labels to predict; declare one in the schema.")
    if feature not in possible:
        raise DataError(f"--feature {feature}: is no item feature with labels; choose from: {', '.join(possible)}.")
    return feature


def _moments(prepared: PreparedData, days: int) -> tuple[int, int]:
    """Ends of training and validation part, each with that many days of data behind it."""
    if prepared.manifest["request"]["split"]["kind"] != "time":
        raise DataError(
            f"{prepared.folder}: is not split by time, so no moment divides past and future; prepare it so."
        )
    times, parts = prepared.events["timestamp"].to_numpy(), prepared.events["split"].to_numpy()
    fit, score = int(times[parts == TRAIN].max()), int(times[parts <= VALIDATION].max())
    shortest = min(score - fit, int(times.max()) - score)
    if shortest < days * DAY:
        raise DataError(
            f"--days {days}: the validation or test part of {prepared.folder} lasts {shortest / DAY:.1f} days; choose "
            "fewer days or prepare larger parts."
        )
    return fit, score


def _users(
    prepared: PreparedData, embed: Embed, kinds: list[str], moment: int, days: int, feature: str, batch: int
) -> _Moment:
    """Everything about a moment."""
    names: list[str] = []
    events: list[np.ndarray] = []
    vectors: dict[str, list[np.ndarray]] = {kind: [] for kind in kinds}
    total = -(-prepared.events["user_id"].nunique() // batch)
    for given in track(histories_at(prepared, moment, batch), "embedding users", total):
        names += [name.decode() for name in given["user_id"].numpy()]
        events.append(given["events"].numpy())
        for kind, values in embed(given["inputs"], tf.constant(moment, tf.int64)).items():
            vectors[kind].append(values.numpy())
    items = taken(prepared, np.array(names), moment, moment + days * DAY)
    spec = prepared.spec
    labels = np.zeros((len(names), spec.vocabularies[feature].size), bool)
    for user, rows in enumerate(items):
        labels[user, np.ravel(spec.catalogue[feature][rows])] = True
    returns = np.array([len(rows) > 0 for rows in items])
    joined = {kind: np.concatenate(parts) for kind, parts in vectors.items()}
    return _Moment(np.array(names), np.concatenate(events), joined, labels[:, FIRST:], returns, items)


def _popularity(fit: _Moment) -> np.ndarray:
    """Share of the users who came back that took each label."""
    return fit.labels[fit.returns].mean(axis=0)


def _fitted(known: np.ndarray, labels: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Probabilities [asked, labels] of a logistic regression a label; a label that never varies keeps its share."""
    scaler = StandardScaler().fit(known)
    known, asked = scaler.transform(known), scaler.transform(asked)
    columns = []
    for label in labels.T:
        if label.all() or not label.any():
            columns.append(np.full(len(asked), float(label.mean())))
        else:
            columns.append(LogisticRegression(max_iter=1_000).fit(known, label).predict_proba(asked)[:, 1])
    return np.stack(columns, axis=1)
