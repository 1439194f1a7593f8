"""Figure 6: users grouped by their intent vector Z, the groups named by the intents they have more than others."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from sklearn.cluster import KMeans
from sklearn.manifold import TSNE

from intentrec_tf.schema import (
    AgeBucketIntent,
    CategoryIntent,
    CategoryNoveltyIntent,
    ColumnIntent,
    RepeatIntent,
    Schema,
)
from pipelines.drawing import one_line, save, setting_words, shorten_to, spoken, style, text_inches, wrap_to
from pipelines.prepared import PreparedData
from pipelines.report import write_record
from pipelines.reproduce.identity import record_of
from pipelines.reproduce.protocols import Setting
from pipelines.reproduce.questions import ask, trained_v3
from pipelines.reproduce.runs import Places, Say
from pipelines.split import TRAIN
from pipelines.validate import DataError

CLUSTERS, DRAWN, FEWEST = 10, 5_000, 10
LEAST_SHARE, LEAST_LIFT = 0.03, 1.1  # labels below either name no group
WORDS, LIFTS_KEPT = 3, 10
AVERAGE = "like the average"
COLOURS = (  # Paul Tol's muted scheme with a dark grey: distinct for colour-blind people too
    *("#332288", "#cc6677", "#44aa99", "#ddcc77", "#88ccee"),
    *("#882255", "#117733", "#aa4499", "#999933", "#555555"),
)
MARKERS = ("o", "s", "^", "D", "v")
_SIZE, _LEGEND = 9.5, 3.1


@dataclass(frozen=True)
class Cluster:
    """A group of users.

    Attributes:
        name: in words, no two alike.
        users: how many.
        lifts: what is over-represented, most first: words -> predicted share in the group over that of all users.
    """

    name: str
    users: int
    lifts: dict[str, float]


def draw_figure6(setting: Setting, seed: int, places: Places, results: Path, say: Say) -> Path:
    """Write ``pictures/<setting>-figure6.png`` and ``figure6/<setting>.json``; trains V3 if it is missing.

    Raises:
        DataError: there are too few users.
    """
    system, model, prepared, config = trained_v3(setting, seed, places, say)
    answers = ask(model, prepared, last_training_events(prepared))
    if len(answers.embedding) < FEWEST:
        raise DataError(
            f"{prepared.folder}: {len(answers.embedding)} user(s) with two or more training events, too few to group; "
            f"take data with at least {FEWEST}."
        )
    member = group(answers.embedding, seed)
    labels = {name: prepared.spec.intent_labels[name] for name in answers.probabilities}
    found = describe(answers.probabilities, member, label_words(prepared.spec.schema, labels))
    shown = np.arange(len(member))
    if len(shown) > DRAWN:
        shown = np.sort(np.random.default_rng(seed).choice(shown, DRAWN, replace=False))
    say(f"t-SNE of {len(shown):,} users; this takes up to a minute")
    points = flatten(answers.embedding[shown], seed)
    title = f"{setting_words(setting.name, setting.dataset)}: intent vectors Z of {len(member):,} training users"
    if len(shown) < len(member):
        title += f", {len(shown):,} shown"
    picture = results / "pictures" / f"{setting.name}-figure6.png"
    save(cluster_figure(points, member[shown], found, title), picture)
    record = record_of(
        setting,
        prepared,
        system=system.name,
        seed=seed,
        asked_at="each user's last training event",
        users=len(member),
        users_drawn=len(shown),
        clusters=[{"name": c.name, "users": c.users, "lifts": c.lifts} for c in found],
        config=config.model_dump(mode="json"),
    )
    write_record(record, results / "figure6" / f"{setting.name}.json")
    return picture


def last_training_events(prepared: PreparedData) -> np.ndarray:
    """Place of every user's last training event, int [users with one].

    It is the question: what comes before it is the newest history whose next event the model was trained on, so
    nothing of validation or test is read.
    """
    users = prepared.events["user_id"].to_numpy()
    training = np.flatnonzero(prepared.events["split"].to_numpy() == TRAIN)
    last = np.r_[users[training][1:] != users[training][:-1], True] if len(training) else np.zeros(0, bool)
    return training[last]


def group(z: np.ndarray, seed: int) -> np.ndarray:
    """k-means++ with K = 10, or as many as there are different vectors: int [users], 0 the largest group."""
    count = min(CLUSTERS, len(np.unique(z, axis=0)))
    found = KMeans(count, init="k-means++", n_init=10, random_state=seed).fit_predict(z)
    order = np.argsort(-np.bincount(found, minlength=count), kind="stable")
    return np.argsort(order)[found]


def flatten(z: np.ndarray, seed: int) -> np.ndarray:
    """t-SNE, float [users, 2]."""
    perplexity = min(30.0, (len(z) - 1) / 3)
    return TSNE(2, perplexity=perplexity, init="pca", random_state=seed).fit_transform(z)


def label_words(schema: Schema, labels: dict[str, tuple[str, ...]]) -> dict[str, list[str]]:
    """What a person calls each label of each intent; no two alike.

    A label that says nothing without its intent, or that another intent has too, is named with it: ``rating 5``.
    """
    intents = {intent.name: intent for intent in schema.intents}
    everything = [label for names in labels.values() for label in names]
    words: list[str] = []
    for name, names in labels.items():
        intent = intents[name]
        for label in names:
            text = spoken(one_line(label))
            speaks = isinstance(intent, CategoryIntent | RepeatIntent | ColumnIntent) and any(map(str.isalpha, text))
            if isinstance(intent, CategoryNoveltyIntent):
                words.append(f"{text} {spoken(intent.feature)}")
            elif isinstance(intent, AgeBucketIntent):
                words.append(f"item age {text}")
            else:
                words.append(text if speaks and everything.count(label) == 1 else f"{spoken(name)} {text}")
    unlike = iter(_unlike(words))
    return {name: [next(unlike) for _ in names] for name, names in labels.items()}


def lifts(shares: np.ndarray, member: np.ndarray) -> np.ndarray:
    """Mean share in a group over the mean share of all users; 0 where the share in the group is tiny.

    Args:
        shares: float [users, labels] predicted probabilities.
        member: int [users], groups numbered from 0.

    Returns:
        float [groups, labels].
    """
    inside = np.stack([shares[member == k].mean(axis=0) for k in range(member.max() + 1)])
    overall = shares.mean(axis=0)
    return np.where(inside >= LEAST_SHARE, inside / np.maximum(overall, 1e-12), 0.0)


def describe(probabilities: dict[str, np.ndarray], member: np.ndarray, words: dict[str, list[str]]) -> list[Cluster]:
    """Groups with their names.

    Args:
        probabilities: intent -> float [users, labels].
        member: int [users].
        words: intent -> what its labels are called.
    """
    table = np.concatenate([lifts(shares, member) for shares in probabilities.values()], axis=1)
    places = [(name, word) for name in probabilities for word in words[name]]
    found: list[dict[str, float]] = []
    telling: list[list[str]] = []
    for row in table:
        order = [i for i in np.argsort(-row, kind="stable") if row[i] >= LEAST_LIFT]
        found.append({places[i][1]: round(float(row[i]), 3) for i in order})
        heads: dict[str, str] = {}  # of each intent its first label: a name of three intents says more than of one
        for i in order:
            heads.setdefault(*places[i])
        telling.append(list(dict.fromkeys([*heads.values(), *found[-1]])))
    top = [dict(list(every.items())[:LIFTS_KEPT]) for every in found]
    return [Cluster(*fields) for fields in zip(cluster_names(telling), np.bincount(member).tolist(), top, strict=True)]


def cluster_names(words: list[list[str]]) -> list[str]:
    """A name for each group from its over-represented labels, the most telling first; no two names alike.

    Three labels make a name; a later group with the same three, in whatever order, gets more of its own, and at last a
    number.
    """
    taken: set[frozenset[str]] = set()
    names = []
    for own in words:
        count = next((n for n in range(WORDS, len(own) + 1) if frozenset(own[:n]) not in taken), min(WORDS, len(own)))
        taken.add(frozenset(own[:count]))
        names.append(", ".join(own[:count]) or AVERAGE)
    return _unlike(names)


@style()
def cluster_figure(points: np.ndarray, member: np.ndarray, clusters: list[Cluster], title: str) -> Figure:
    """Coloured dots, the number of each group among them, and the names beside them.

    Args:
        points: float [users, 2].
        member: int [users].
        clusters: by number.
        title: of the picture.
    """
    width = 11.5
    figure = Figure(figsize=(width, 6.8), layout="constrained")
    axis = figure.add_subplot()
    size = float(np.clip(9_000 / len(points), 7, 45))
    for k in range(len(clusters)):
        own = points[member == k]
        marker, colour = MARKERS[k % len(MARKERS)], COLOURS[k % len(COLOURS)]
        label = f"{k + 1}  " + "\n    ".join(_name_and_size(clusters[k]))
        axis.scatter(own[:, 0], own[:, 1], s=size, c=colour, marker=marker, alpha=0.8, linewidths=0, label=label)
    for k, (x, y) in number_places(points, member).items():
        outline = [withStroke(linewidth=3, foreground="white")]
        axis.text(x, y, str(k + 1), fontsize=13, weight="bold", ha="center", va="center", path_effects=outline)
    axis.set(xticks=[], yticks=[], xlabel="t-SNE, first direction", ylabel="t-SNE, second direction")
    axis.margins(0.04)
    legend = axis.legend(
        loc="center left",
        bbox_to_anchor=(1.01, 0.5),
        frameon=False,
        fontsize=_SIZE,
        labelspacing=0.8,
        handletextpad=0.4,
        title="k-means++ groups and what they\nlean to more than other users",
        title_fontsize=_SIZE,
        alignment="left",
    )
    for handle in legend.legend_handles:
        handle.set_sizes([55])  # type: ignore[union-attr]
        handle.set_alpha(1)  # type: ignore[union-attr]
    figure.suptitle(shorten_to(title, width - 0.3, 12), fontsize=12)
    return figure


def number_places(points: np.ndarray, member: np.ndarray) -> dict[int, np.ndarray]:
    """Where the number of each group goes: a dot of its own near its middle, away from the other numbers."""
    span = np.maximum(np.ptp(points, axis=0), 1e-9)
    places: dict[int, np.ndarray] = {}
    for k in np.unique(member):
        own = points[member == k]
        near = own[np.argsort((((own - np.median(own, axis=0)) / span) ** 2).sum(axis=1), kind="stable")]
        free = (p for p in near if all((np.abs(p - q) / span > (0.05, 0.06)).any() for q in places.values()))
        place = next(free, None)
        if place is not None:  # else the group lies under others; the legend still tells its colour
            places[int(k)] = place
    return places


def _name_and_size(cluster: Cluster) -> list[str]:
    """``anime, discover: 312 users`` on one to three lines."""
    *lines, last = wrap_to(cluster.name.split(", "), _LEGEND - 0.1, _SIZE, 2)
    size = f"{cluster.users:,} users"
    whole = f"{last}: {size}"
    return [*lines, whole] if text_inches(whole, _SIZE) <= _LEGEND else [*lines, f"{last}:", size]


def _unlike(names: list[str]) -> list[str]:
    """Repeated names with a number behind them."""
    found: list[str] = []
    for name in names:
        number, candidate = 1, name
        while candidate in found:
            number += 1
            candidate = f"{name} ({number})"
        found.append(candidate)
    return found
