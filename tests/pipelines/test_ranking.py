"""Rankers from training to an export that answers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from intentrec_tf.ranking import JointRanker, TransActV2Ranker
from intentrec_tf.vocabulary import FIRST
from pipelines.config import RankingRunConfig, RunConfig
from pipelines.export import version
from pipelines.export.model_card import model_card
from pipelines.input_fn import question_batches
from pipelines.main import main
from pipelines.prepared import PreparedData
from pipelines.ranking_input import ranking_batches
from pipelines.ranking_questions import RankingQuestions, candidates_of, question_places
from pipelines.run_folder import RunFolder
from pipelines.split import TRAIN
from pipelines.train import train
from pipelines.two_stage import make_retriever
from pipelines.validate import DataError

FEW = {"hidden_dim": 8, "attention_dim": 4, "history": 8, "nearest": 2, "newest": 2, "width": 4, "blocks": 1}
NUMBERS = {"candidates": 12, "questions": 150, "negatives": 7, "popular": 2}


def _quiet(_: str) -> None:
    pass


@pytest.fixture(scope="module")
def finder(
    prepared: PreparedData, make_config: Callable[..., RunConfig], tmp_path_factory: pytest.TempPathFactory
) -> RunFolder:
    """A retrieval run."""
    small = {"interests": "single", "dim": 8, "hidden_dim": 8, "feature_dim": 4, "history": 8, "blocks": 0}
    values = make_config(epochs=2).model_dump() | {"retrieval": small}
    run = RunFolder(tmp_path_factory.mktemp("runs") / "finder")
    train(prepared, RunConfig.model_validate(values), run, _quiet)
    return run


@pytest.fixture(scope="module")
def configure(trained: RunFolder, finder: RunFolder, make_config: Callable[..., RunConfig]) -> Callable[..., RunConfig]:
    """A ranker's configuration that trains in seconds."""

    def made(epochs: int = 2, **changes: Any) -> RunConfig:
        ranking = {**FEW, **NUMBERS, "run": trained.folder, "retrieval": finder.folder, **changes}
        training = make_config(epochs=epochs, rows_per_batch=32, learning_rate=0.003).model_dump()["training"]
        return RunConfig.model_validate({"ranking": ranking, "training": training})

    return made


@pytest.fixture(scope="module")
def ranked(
    prepared: PreparedData, configure: Callable[..., RunConfig], tmp_path_factory: pytest.TempPathFactory
) -> RunFolder:
    """A ranking run."""
    run = RunFolder(tmp_path_factory.mktemp("runs") / "din")
    train(prepared, configure(), run, _quiet)
    return run


@pytest.fixture(scope="module")
def joint(ranked: RunFolder) -> JointRanker:
    """Its ranker."""
    return ranked.load_ranker()[0]


@pytest.fixture(scope="module")
def batches(prepared: PreparedData, ranked: RunFolder, joint: JointRanker) -> tf.data.Dataset:
    """What it was trained on."""
    config = ranked.read()[1]
    assert config.ranking is not None
    questions = RankingQuestions(ranked.folder / "questions", joint, 12)
    return ranking_batches(prepared, config.ranking, joint, questions, 32)


def test_a_ranking_run_is_a_run_like_others(ranked: RunFolder, prepared: PreparedData) -> None:
    history = [json.loads(line) for line in ranked.history.read_text().splitlines()]
    assert len(history) == 2
    assert all(0 < record["val_ndcg@10"] <= 1 for record in history)
    lines: list[str] = []
    config = ranked.read()[1]
    train(prepared, config, ranked, lines.append)
    assert lines == [f"{ranked.folder}: already trained; nothing to do."]
    assert config.title == "ranking, din"


def test_questions_are_training_events_with_a_past(prepared: PreparedData) -> None:
    places = question_places(prepared, 10_000, 0)
    events = prepared.events.iloc[places]
    assert (events["split"] == TRAIN).all()
    firsts = prepared.events.groupby("user_id", sort=False).head(1).index
    assert not set(firsts) & set(events.index)
    few = question_places(prepared, 50, 0)
    assert len(few) == 50
    assert set(few) < set(places)
    assert set(few) != set(question_places(prepared, 50, 1))


def test_stored_questions_hold_what_the_models_say(
    prepared: PreparedData, ranked: RunFolder, finder: RunFolder, joint: JointRanker
) -> None:
    questions = RankingQuestions(ranked.folder / "questions", joint, 12)
    records = list(tf.data.TFRecordDataset(questions.files).as_numpy_iterator())
    stored = {name: x.numpy() for name, x in questions.parse(tf.constant(records)).items()}
    np.testing.assert_array_equal(np.sort(stored["event"]), question_places(prepared, 150, 0))
    assert set(stored) == {"event", "rows", "intent", "state", "share", "pointer"}  # the model has a repeat head
    find = candidates_of(prepared, make_retriever(finder, None, 12), 12)
    order = np.argsort(stored["event"])[:5]
    for inputs, targets in question_batches(prepared, stored["event"][order]):
        place = [int(np.flatnonzero(stored["event"] == event)[0]) for event in targets["event"].numpy()]
        np.testing.assert_array_equal(stored["rows"][place], find(inputs, targets))
        for name, values in joint.features(inputs).items():
            width = values.shape[-1] if values.shape.rank == 2 else None
            found = stored[name][place] if width is None else stored[name][place][:, -width:]
            np.testing.assert_allclose(found, values, rtol=1e-3, atol=1e-5)


def test_a_batch_of_candidates(batches: tf.data.Dataset, prepared: PreparedData) -> None:
    """The true item first, then five found and two popular ones, with how often each was expected."""
    shares = prepared.spec.item_prior / prepared.spec.item_prior.sum()
    weights, first = [], []
    for inputs, targets in batches:
        rows = inputs["candidate"].numpy()
        assert rows.shape == (32, 8)
        first.append(rows)
        assert (rows[:, 0] >= FIRST).all()
        assert not (rows[:, 1:] == rows[:, :1]).any()
        assert all(len(set(row)) == 5 for row in rows[:, 1:6].tolist())
        expected = np.exp(targets["log_expected"].numpy())
        likely = 2 * shares[rows]
        real = rows >= FIRST
        found = np.isclose(expected, likely + 5 / 12, rtol=1e-3) | np.isclose(expected, likely + 5 / 11, rtol=1e-3)
        drawn = np.isclose(expected, likely, rtol=1e-3)
        assert found[:, 1:6].all()
        assert (found | drawn | ~real)[:, 6:].all()
        weights.append(targets["weight"].numpy())
    assert np.concatenate(first).shape == (160, 8)
    assert (np.concatenate(weights) > 0).sum() == 150
    again = np.concatenate([inputs["candidate"].numpy() for inputs, _ in batches])
    assert not np.array_equal(again, np.concatenate(first))


def test_without_a_retrieval_run_the_popular_are_the_candidates(prepared: PreparedData) -> None:
    targets = {"item": tf.constant([2, 3]), "seen": tf.constant([[4, 5], [0, 0]])}
    rows = candidates_of(prepared, None, 6)({}, targets).numpy()
    counts = prepared.spec.item_prior
    assert (rows[0] == rows[1]).all()
    assert counts[rows[0]].min() >= np.delete(counts, rows[0])[FIRST:].max()


def test_alone_and_without_a_retrieval_run(
    prepared: PreparedData, configure: Callable[..., RunConfig], tmp_path: Path
) -> None:
    run = RunFolder(tmp_path / "run")
    config = configure(epochs=1, kind="transact_v2", intent=False, state=False, retrieval=None)
    model = train(prepared, config, run, _quiet)
    assert isinstance(model, TransActV2Ranker)
    assert np.isfinite([json.loads(line)["loss"] for line in run.history.read_text().splitlines()]).all()


def test_the_two_stage_command(
    ranked: RunFolder, finder: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "two.json"
    words = ["two-stage", "--implicit", str(finder.folder), "--ranker", str(ranked.folder), "--counts", "3,12"]
    assert main([*words, "--json", str(file), "--max-targets", "30"]) == 0
    text = file.read_text(encoding="utf-8")
    record = json.loads(text)
    assert set(record["candidates"]) == {"3", "12"}
    for values in record["candidates"].values():
        assert set(values["rankers"]) == {"din"}
        assert 0 < values["rankers"]["din"] <= values["recall"]["all"]
        assert 0 < values["ndcg@10"] <= values["recall"]["all"]
    assert record["rankers"]["din"]["kind"] == "din"
    assert str(ranked.folder) not in json.dumps({**record, "command": ""})
    shown = capsys.readouterr().out
    assert "NDCG@10 of the final list" in shown
    assert "item state (inner product)" in shown
    assert "din (din, with Z and item state)" in " ".join(shown.split())


def test_the_export_says_by_what_it_ranks(
    ranked: RunFolder, trained: RunFolder, finder: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Any] = []
    monkeypatch.setattr(version, "_fill", lambda work, *parts: [given.extend(parts), ["rank"]][1])
    folder = version.export(trained, tmp_path / "model", ranker=ranked)
    joint = given[3]
    assert isinstance(joint, JointRanker)
    assert given[0] is joint.model
    text = (folder / "intentrec.json").read_text(encoding="utf-8")
    info = json.loads(text)
    assert (info["ranking"]["kind"], info["ranking"]["version"]) == ("din", ranked.version())
    for run in (ranked, trained, finder):
        assert str(run.folder) not in text
    card = (folder / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "`rank` scores candidates by a DIN ranker, with Z and the item state" in card
    assert "inner product with the item state" in model_card({**info, "ranking": None})


def test_a_run_trained_anew_is_noticed(
    ranked: RunFolder, trained: RunFolder, prepared: PreparedData, configure: Callable[..., RunConfig], tmp_path: Path
) -> None:
    base, run = RunFolder(tmp_path / "base"), RunFolder(tmp_path / "din")
    shutil.copytree(trained.folder, base.folder)
    shutil.copytree(ranked.folder, run.folder)
    record = json.loads((run.folder / "run.json").read_text(encoding="utf-8"))
    record["config"]["ranking"]["run"] = str(base.folder)
    (run.folder / "run.json").write_text(json.dumps(record), encoding="utf-8")
    run.load_ranker()
    base.weights.write_bytes(base.weights.read_bytes() + b"\0")
    with pytest.raises(DataError, match="has been trained anew since"):
        run.load_ranker()
    with pytest.raises(DataError, match="a run it is trained with has been trained anew"):
        train(prepared, run.read()[1], run, _quiet)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["evaluate", "--run", "{ranked}"], "is a ranking run; evaluate it with 'intentrec two-stage --ranker'"),
        (["two-stage", "--implicit", "{finder}", "--ranker", "{trained}"], "is no ranking run; train one"),
        (["two-stage", "--implicit", "{ranked}"], "is no retrieval run"),
        (["two-stage", "--implicit", "{finder}", *["--ranker", "{ranked}"] * 2], "another one is called din too"),
        (["export", "--run", "{ranked}", "--out", "nowhere"], "is a ranking run; name a run that predicts items"),
        (["train", "--config", "ranking"], "ranking.run"),
        (["train", "--config", "ranking", "--set", "ranking.run=nowhere"], "holds no training run"),
        (["train", "--config", "ranking", "--set", "ranking.run={finder}"], "is a retrieval run"),
        (["train", "--config", "ranking", "--set", "ranking.run={trained}", "--set", "ranking.popular=99"], "exceed"),
        (["train", "--config", "ranking", "--set", "ranking.run=x", "--set", "retrieval.dim=8"], "are two runs"),
        (["train", "--config", "ranking", "--set", "ranking.run=x", "--set", "ranking.sort=1"], "unknown key; known"),
    ],
)
def test_mistakes_are_one_sentence(
    words: list[str],
    sentence: str,
    ranked: RunFolder,
    finder: RunFolder,
    trained: RunFolder,
    prepared: PreparedData,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folders = {"ranked": ranked.folder, "finder": finder.folder, "trained": trained.folder}
    words = [word.format(**folders) for word in words]
    if words[0] == "train":
        words += ["--data", str(prepared.folder), "--run", str(tmp_path / "run")]
    assert main(words) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert len(error.strip().splitlines()) == 1


def test_folders_stay_out_of_results(tmp_path: Path) -> None:
    config = RankingRunConfig(run=tmp_path)
    assert str(tmp_path) not in json.dumps(config.described())
    assert config.described()["kind"] == "din"
