"""Downstream tasks on frozen vectors, with vectors whose worth is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from pipelines.embed import downstream as module
from pipelines.embed.downstream import downstream
from pipelines.embed.downstream_scores import Scores, auc
from pipelines.embed.neighbours import neighbour_gains
from pipelines.embed.representations import AVERAGE, WINDOWS, representations
from pipelines.embed.taken import taken
from pipelines.main import main
from pipelines.prepared import PreparedData
from pipelines.run_folder import RunFolder
from pipelines.validate import DataError


@pytest.fixture(scope="module")
def record(trained: RunFolder) -> dict[str, Any]:
    """Every representation of the tiny run."""
    model, prepared, _ = trained.load_next_item_model()
    return downstream(model, prepared, days=1, cold_events=3)


def test_every_representation_is_scored_on_every_task(record: dict[str, Any]) -> None:
    kinds = {"popularity", "intent", "state", "average", "windows"}
    assert set(record["results"]["all"]) == set(record["results"]["cold"]) == kinds
    assert record["users"]["cold"] < record["users"]["all"]
    assert record["users"]["all who came back"] > 0
    for scores in record["results"]["all"].values():
        assert set(scores) == set(next(iter(record["results"]["cold"].values())))
        assert 0 <= scores["neighbours_ndcg@50"] <= 1
        assert 0 <= scores["labels_auc"] <= 1
    assert record["results"]["all"]["popularity"]["returns_auc"] == 0.5
    assert record["moments"]["fit"] < record["moments"]["score"]
    json.dumps(record, allow_nan=False)


def test_vectors_that_know_the_answer_win(
    trained: RunFolder, record: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Put what a user will take into one of the vectors: all tasks must see it, and the others must not change."""
    model, prepared, _ = trained.load_next_item_model()
    real = module.histories_at
    honest = record["results"]["all"]
    names: list[np.ndarray] = []

    def noted(*arguments: Any) -> Any:
        for given in real(*arguments):
            names.append(given["user_id"].numpy())
            yield given

    def cheating(model: Any, kinds: list[str]) -> Any:
        embed = representations(model, kinds)

        def answer(inputs: Any, moment: tf.Tensor) -> Any:
            found = dict(embed(inputs, moment))
            users = np.array([name.decode() for name in names[-1]])
            rows = taken(prepared, users, int(moment), int(moment) + 86_400)
            vectors = np.zeros((len(users), prepared.spec.items.size), np.float32)
            for vector, one in zip(vectors, rows, strict=True):
                vector[one] = 1
            return {**found, "intent": tf.constant(vectors)}

        return answer

    monkeypatch.setattr(module, "histories_at", noted)
    monkeypatch.setattr(module, "representations", cheating)
    told = downstream(model, prepared, days=1)["results"]["all"]
    assert told["average"] == honest["average"]
    assert told["intent"]["returns_auc"] > max(0.95, honest["average"]["returns_auc"])
    assert told["intent"]["labels_auc"] > honest["average"]["labels_auc"]


def test_averages_are_of_the_events_in_their_spans(trained: RunFolder) -> None:
    model, _, _ = trained.load_next_item_model()
    embed, now, day = representations(model, [AVERAGE, WINDOWS]), 1_000 * 86_400, 86_400
    inputs = {
        "item_id": tf.constant([[0, 3, 4, 5]]),
        "segment": tf.constant([[0, 1, 1, 1]]),
        "timestamp": tf.constant([[0, now - 100 * day, now - 20 * day, now - day]], tf.int64),
    }
    found = {kind: values.numpy()[0] for kind, values in embed(inputs, tf.constant(now, tf.int64)).items()}
    vectors = model.item_embedding.item_vectors().numpy()
    expected = [vectors[[3, 4, 5]].mean(0), vectors[[4, 5]].mean(0), vectors[5]]
    np.testing.assert_allclose(found[AVERAGE], expected[0], rtol=1e-5)
    np.testing.assert_allclose(found[WINDOWS], np.concatenate(expected), rtol=1e-5)


def test_neighbours_lend_what_they_took(prepared: PreparedData) -> None:
    """With two users each is the other's only neighbour."""
    users = prepared.events["user_id"].unique()[1:3]
    moment = int(prepared.events["timestamp"].max())
    had = taken(prepared, users, -1, moment)
    vectors = {"any": np.array([[1, 0], [0, 1]], np.float32)}
    strange = np.setdiff1d(np.arange(2, prepared.spec.items.size), had[1])[:1]
    assert neighbour_gains(prepared, users, vectors, [had[1], had[1]], moment, moment)["any"][0] == pytest.approx(1)
    gains = neighbour_gains(prepared, users, vectors, [strange, np.array([1])], moment, moment)["any"]
    assert gains[0] == 0
    assert np.isnan(gains[1])  # wants an item the model does not know
    assert np.isnan(neighbour_gains(prepared, users, vectors, [strange[:0]] * 2, moment, moment)["any"]).all()


def test_near_users_count_and_far_ones_do_not(prepared: PreparedData, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.embed.neighbours.NEIGHBOURS", 1)
    users = prepared.events["user_id"].unique()[1:4]
    moment = int(prepared.events["timestamp"].max())
    had = taken(prepared, users, -1, moment)
    wanted = [np.setdiff1d(had[1], had[2]), had[0], had[0]]
    assert len(wanted[0])
    near = {"one": np.array([[1, 0], [1, 0.1], [0, 1]]), "other": np.array([[1, 0], [0, 1], [1, 0.1]])}
    gains = neighbour_gains(prepared, users, near, wanted, moment, moment)
    assert gains["one"][0] > 0
    assert gains["other"][0] == 0


def test_scores_by_hand() -> None:
    labels = np.array([[True, False], [False, True], [True, True]])
    scores = Scores(labels, np.array([True, True, True, False]), {"all": np.ones(4, bool), "none": np.zeros(4, bool)})
    scores.add("good", labels.astype(float), np.array([0.9, 0.8, 0.7, 0.1]))
    scores.add("bad", 1 - labels.astype(float), np.array([0.1, 0.2, 0.3, 0.9]))
    gains = {"good": np.array([1, 0.5, 0, np.nan]), "bad": np.array([0, 0, 0, np.nan])}
    found = scores.results(gains)
    assert found["all"]["good"] == {
        "labels_auc": 1.0,
        "labels_auc_within": 1.0,
        "labels_accuracy": 1.0,
        "returns_auc": 1.0,
        "neighbours_ndcg@50": 0.5,
    }
    assert found["all"]["bad"]["labels_auc"] == found["all"]["bad"]["returns_auc"] == 0
    assert set(found["none"]["good"].values()) == {None}
    against = scores.against("bad", gains)["all"]["good"]
    assert against["labels_auc_interval"] == [1.0, 1.0]
    assert against["neighbours_p"] > 0.05
    assert auc(np.array([True, True]), np.array([1.0, 0.0])) is None


def test_command(trained: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "down.json"
    words = ["embed-evaluate", "--run", str(trained.folder), "--json", str(place)]
    assert main([*words, "--days", "1", "--feature", "kind"]) == 0
    assert "intent vector Z" in capsys.readouterr().out
    record = json.loads(place.read_text(encoding="utf-8"))
    assert record["feature"] == "kind"
    assert record["labels"] == 2
    assert {"command", "commit", "date", "fingerprint", "seed", "config"} <= set(record)
    for more, sentence in ((["--days", "400"], "choose fewer days"), (["--feature", "price"], "choose from: genres")):
        assert main([*words, *more]) == 2
        assert sentence in capsys.readouterr().err


def test_a_split_without_moments_is_refused(prepared_last: PreparedData, trained: RunFolder) -> None:
    model, _, _ = trained.load_next_item_model()
    with pytest.raises(DataError, match="not split by time"):
        downstream(model, prepared_last)
