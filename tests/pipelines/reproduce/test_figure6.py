"""Figure 6: groups are named by what they have more than others, and the picture can be read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_limits
from typer.testing import CliRunner

from intentrec_tf.schema import Schema
from pipelines.prepared import PreparedData
from pipelines.reproduce import figure6
from pipelines.reproduce.cli import app
from pipelines.reproduce.figure6 import (
    AVERAGE,
    CLUSTERS,
    COLOURS,
    DRAWN,
    Cluster,
    cluster_figure,
    cluster_names,
    describe,
    flatten,
    group,
    label_words,
    last_training_events,
    lifts,
    number_places,
)
from pipelines.reproduce.systems import System
from pipelines.run_folder import RunFolder
from pipelines.split import TRAIN
from pipelines.validate import DataError
from tests.picture_checks import check_texts, colour, colours

WORDS = {"genre": ["anime", "drama", "news"], "act": ["discover", "return"]}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Waiting threads cost more than so few users do."""
    with threadpool_limits(1):
        yield


def people(*shares: tuple[list[float], list[float]]) -> dict[str, np.ndarray]:
    """Probabilities of the two intents of WORDS, a row a user."""
    return {"act": np.array([act for _, act in shares]), "genre": np.array([genre for genre, _ in shares])}


def test_groups_are_named_by_what_they_have_more_than_others() -> None:
    explorers = [([0.4, 0.6, 0.0], [0.9, 0.1])] * 4
    homely = [([0.05, 0.95, 0.0], [0.1, 0.9])] * 6
    found = describe(people(*explorers, *homely), np.array([1] * 4 + [0] * 6), WORDS)
    assert [cluster.users for cluster in found] == [6, 4]
    assert found[0].name == "return, drama"
    assert found[1].name == "discover, anime"
    assert found[1].lifts["discover"] == pytest.approx(0.9 / 0.42, abs=0.001)
    assert "drama" not in found[1].lifts


def test_a_tiny_share_names_no_group_however_large_its_lift() -> None:
    probabilities = people(*[([0.5, 0.48, 0.02], [0.5, 0.5])] * 5, *[([0.5, 0.5, 0.0], [0.5, 0.5])] * 95)
    found = describe(probabilities, np.array([1] * 5 + [0] * 95), WORDS)
    assert [cluster.name for cluster in found] == [AVERAGE, f"{AVERAGE} (2)"]
    assert lifts(probabilities["genre"], np.array([1] * 5 + [0] * 95))[1].tolist() == [
        1.0,
        pytest.approx(0.9604, 0.01),
        0.0,
    ]


def test_every_intent_speaks_before_one_speaks_twice() -> None:
    words = {"a": ["a1", "a2", "a3"], "b": ["b1", "b2"]}
    shares = {"a": np.array([[0.5, 0.4, 0.1], [0.1, 0.1, 0.8]]), "b": np.array([[0.55, 0.45], [0.4, 0.6]])}
    assert describe(shares, np.array([0, 1]), words)[0].name == "a1, b1, a2"


def test_names_differ_even_where_groups_do_not() -> None:
    names = cluster_names([["a", "b", "c", "d"], ["c", "b", "a", "e"], ["a", "b", "c"], ["a", "b", "c"], [], []])
    assert names == ["a, b, c", "c, b, a, e", "a, b, c (2)", "a, b, c (3)", AVERAGE, f"{AVERAGE} (2)"]
    rng = np.random.default_rng(0)
    many = cluster_names([[f"w{i}" for i in rng.integers(0, 4, 5)] for _ in range(40)])
    assert len(set(many)) == 40


def test_labels_in_words() -> None:
    schema = Schema.parse(
        {
            "name": "s",
            "event_features": [{"name": "stars", "kind": "categorical"}],
            "item_features": [{"name": "genres", "kind": "multi_label"}],
            "intents": [
                {"name": "action_type", "derive": "repeat"},
                {"name": "genre", "derive": "category", "feature": "genres"},
                {"name": "novelty", "derive": "category_novelty", "feature": "genres"},
                {"name": "rating", "derive": "column", "column": "stars"},
                {"name": "session", "derive": "session_phase"},
                {"name": "out", "derive": "age_bucket", "release": "released"},
            ],
        }
    )
    labels = {
        "action_type": ("discover", "continue"),
        "genre": ("Film_Noir", "new"),
        "novelty": ("known", "new"),
        "rating": ("1", "good"),
        "session": ("start", "continue"),
        "out": ("within a week", "catalogue"),
    }
    assert label_words(schema, labels) == {
        "action_type": ["discover", "action type continue"],
        "genre": ["Film Noir", "genre new"],
        "novelty": ["known genres", "new genres"],
        "rating": ["rating 1", "good"],
        "session": ["session start", "session continue"],
        "out": ["item age within a week", "item age catalogue"],
    }


def test_groups_are_separate_crowds_largest_first() -> None:
    rng = np.random.default_rng(1)
    truth = rng.permutation(np.repeat(np.arange(CLUSTERS), np.arange(10, 10 + CLUSTERS)))
    member = group(np.eye(CLUSTERS)[truth] * 9 + rng.normal(0, 0.1, (len(truth), CLUSTERS)), 0)
    assert np.bincount(member).tolist() == sorted(np.bincount(truth).tolist(), reverse=True)
    assert len({*zip(truth, member, strict=True)}) == CLUSTERS
    assert sorted(group(np.array([[0.0], [0.0], [1.0]]), 0)) == [0, 0, 1]  # fewer vectors than groups


def test_the_question_is_the_last_training_event(prepared: PreparedData) -> None:
    found = prepared.events.iloc[last_training_events(prepared)]
    training = prepared.events[prepared.events["split"] == TRAIN]
    assert found["user_id"].tolist() == training["user_id"].unique().tolist()
    latest = training.groupby("user_id", sort=False)["timestamp"].max()
    assert found["timestamp"].tolist() == latest.tolist()
    assert set(found["split"]) == {TRAIN}


def test_groups_and_places_repeat() -> None:
    z = np.random.default_rng(0).normal(0, 1, (40, 3))
    for step in (group, flatten):
        np.testing.assert_array_equal(step(z, 3), step(z, 3))
    assert flatten(z[:4], 0).shape == (4, 2)


def crowds(count: int, each: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    member = np.repeat(np.arange(count), each)
    return rng.normal(0, 1, (len(member), 2)) + 4 * rng.normal(0, 1, (count, 2))[member], member


@pytest.mark.parametrize(
    "name", ["anime, discover", "très long nom, ünïcödé 名前, " * 9, "W" * 200, "$x_1, }$", AVERAGE]
)
@pytest.mark.parametrize("count", [1, CLUSTERS])
def test_the_picture_is_readable(name: str, count: int, tmp_path: Path) -> None:
    points, member = crowds(count, 30)
    clusters = [Cluster(name, 1_234_567, {}) for _ in range(count)]
    figure = cluster_figure(points, member, clusters, "a title that is too long for the picture, " * 5)
    texts = check_texts(figure)
    assert {str(k + 1) for k in range(count)} < set(texts)
    assert sum("1,234,567" in text for text in texts) == count
    (axis,) = figure.axes
    assert axis.get_legend().get_window_extent().x0 > axis.get_window_extent().x1  # beside, not over


def test_numbers_stand_on_their_own_dots_and_apart() -> None:
    points, member = crowds(8, 40)
    places = number_places(points, member)
    assert set(places) == set(range(8))
    assert all((points[member == k] == place).all(axis=1).any() for k, place in places.items())
    assert number_places(np.zeros((4, 2)), np.array([0, 0, 1, 1])).keys() == {0}  # all in one spot


@pytest.fixture
def own_run(trained: RunFolder, monkeypatch: pytest.MonkeyPatch) -> PreparedData:
    """The tiny shop's run in place of a V3 of a public data set."""
    model, prepared, config = trained.load_model()
    answer = (System("V3, 1 week", {"variant": "V3"}), model, prepared, config)
    monkeypatch.setattr(figure6, "trained_v3", lambda *_: answer)
    return prepared


def run(results: Path) -> Any:
    return CliRunner().invoke(
        app, ["figure6", "--dataset", "foursquare-nyc", "--results", str(results)], catch_exceptions=False
    )


def test_figure_6_from_the_command_line(own_run: PreparedData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figure6, "DRAWN", 20)
    assert DRAWN > 20
    outcome = run(tmp_path)
    assert outcome.exit_code == 0
    picture = tmp_path / "pictures" / "foursquare-nyc-T-figure6.png"
    assert str(picture) in outcome.output.replace("\n", "")
    record = json.loads((tmp_path / "figure6" / "foursquare-nyc-T.json").read_text())
    clusters = record["clusters"]
    assert {colour(COLOURS[k]) for k in range(len(clusters))} <= colours(picture)
    training = own_run.events[own_run.events["split"] == TRAIN]
    assert record["users"] == sum(cluster["users"] for cluster in clusters)
    assert record["users"] == int((training.groupby("user_id").size() > 1).sum())
    assert record["users_drawn"] == 20
    assert len({cluster["name"] for cluster in clusters}) == len(clusters) > 1
    assert record["fingerprint"] == own_run.fingerprint
    assert {"commit", "command", "config", "seed", "dataset", "request_time", "protocol"} <= set(record)


def test_too_few_users_are_one_sentence(own_run: PreparedData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figure6, "FEWEST", 1_000)
    with pytest.raises(DataError, match="too few to group; take data with at least 1000"):
        run(tmp_path)
    assert not list(tmp_path.iterdir())
