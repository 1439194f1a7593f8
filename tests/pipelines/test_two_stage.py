"""Candidates and their ranking from training runs to an export that answers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from intentrec_tf.models import NextItemModel
from pipelines.config import RunConfig
from pipelines.declared import declared_topics
from pipelines.evaluate import evaluate
from pipelines.item_index import build_index, recall_of_questions
from pipelines.main import main
from pipelines.prepare import PrepareConfig, prepare
from pipelines.prepared import PreparedData
from pipelines.run_folder import RunFolder
from pipelines.split import TEST
from pipelines.train import train
from pipelines.two_stage import make_retriever, tally_candidates
from pipelines.validate import DataError
from serving.candidates import ExactIndex, FaissIndex, IndexConfig, open_index
from serving.client import IntentRecClient, InvalidInputError, ServerError
from serving.index_retriever import IndexRetriever
from serving.local import LocalServer

GENRES = ("new", "old", "red")


def _quiet(_: str) -> None:
    pass


@pytest.fixture(scope="module")
def data(make_shop: Callable[..., PrepareConfig], tmp_path_factory: pytest.TempPathFactory) -> PreparedData:
    """The shop, where every second user declares a genre or two, half of them late."""
    folder = tmp_path_factory.mktemp("topical")
    shop = make_shop(folder, {"explicit_interests": "genres"})
    rows = ["who,interest,when"]
    for user in range(0, 30, 2):
        rows.append(f"u{user},{GENRES[user % 3]},{1_600_000_000}")
        rows.append(f"u{user},{GENRES[(user + 1) % 3]},{1_700_000_000 + user * 200_000}")
    (folder / "interests.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    shop = shop.model_copy(update={"interests": str(folder / "interests.csv")})
    return prepare(shop, tmp_path_factory.mktemp("data") / "topical", _quiet)


@pytest.fixture(scope="module")
def runs(
    data: PreparedData, make_config: Callable[..., RunConfig], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, RunFolder]:
    """A ranking run and a retrieval run of each kind."""
    base = tmp_path_factory.mktemp("runs")
    sizes = {"dim": 8, "hidden_dim": 8, "feature_dim": 4, "count": 3, "history": 8, "horizon": 4}
    small = {**sizes, "members": True, "member_attention": True, "contrast": "mixture", "dropout": 0.0}
    found = {}
    for name in ("rank", "dcm", "conditional"):
        config = make_config(epochs=6)
        if name != "rank":
            values = config.model_dump() | {"retrieval": {**small, "interests": name}}
            config = RunConfig.model_validate(values)
        found[name] = RunFolder(base / name)
        train(data, config, found[name], _quiet)
    return found


def test_declared_topics_are_those_of_the_time(data: PreparedData) -> None:
    topics = declared_topics(data, 3)
    interests = pd.read_parquet(data.folder / "interests.parquet")
    vocabulary = data.spec.vocabularies["genres"]
    assert topics.shape == (len(data.events), 3)
    for place, event in enumerate(data.events.itertuples()):
        own = interests[(interests["user_id"] == event.user_id) & (interests["timestamp"] <= event.timestamp)]
        newest_first = own.sort_values("timestamp", ascending=False)["interest"].tolist()
        expected = vocabulary.lookup(newest_first).tolist()
        assert topics[place].tolist() == expected + [0] * (3 - len(expected))
    counts = (topics > 0).sum(1)
    assert set(counts) == {0, 1, 2}


def test_without_declared_interests_there_are_no_topics(prepared: PreparedData) -> None:
    assert not declared_topics(prepared).any()


def test_a_retrieval_run_is_a_run_like_others(runs: dict[str, RunFolder], data: PreparedData) -> None:
    model, prepared, config = runs["dcm"].load_model()
    assert prepared.fingerprint == data.fingerprint
    assert config.title == "retrieval, dcm"
    history = [json.loads(line) for line in runs["dcm"].history.read_text().splitlines()]
    assert history[-1]["loss"] < history[0]["loss"]
    assert max(record["val_hr@100"] for record in history) == 1  # of 20 items all are found
    result = evaluate(model, data)
    assert result.metrics["intentrec"]["HR@100"] == pytest.approx(1 - result.outside_catalogue / result.targets)


def test_enough_candidates_lose_nothing(runs: dict[str, RunFolder], data: PreparedData) -> None:
    """All items as candidates: recall is 1 where the item is known, and the ranking is the full one."""
    model = runs["rank"].load_model()[0]
    assert isinstance(model, NextItemModel)
    retriever = make_retriever(runs["dcm"], runs["conditional"], 100)
    found = tally_candidates(retriever, data, [3, 100], model).result()
    full = evaluate(model, data)
    known = 1 - full.outside_catalogue / full.targets
    last = found["candidates"]["20"]
    assert last["recall"]["all"] == pytest.approx(known)
    assert last["coverage"] == 1
    assert last["ndcg@10"] == pytest.approx(found["full_ndcg@10"], abs=1e-6)
    assert found["full_ndcg@10"] == pytest.approx(full.metrics["intentrec"]["NDCG@10"], abs=1e-6)
    assert found["candidates"]["3"]["recall"]["all"] < known
    assert 0 < last["explicit_share"] < 0.5
    assert found["targets"] == full.targets


def test_each_length_has_budgets_of_its_own(runs: dict[str, RunFolder], data: PreparedData) -> None:
    """Beside a longer list a short one is what a retriever of that length finds, by interest and by topic."""
    together = tally_candidates(make_retriever(runs["dcm"], runs["conditional"], 12), data, [3, 12], overlap=True)
    alone = tally_candidates(make_retriever(runs["dcm"], runs["conditional"], 3), data, [3], overlap=True)
    assert together.result()["candidates"]["3"] == alone.result()["candidates"]["3"]
    assert together.result()["candidates"]["12"]["diversity"] is not None
    assert 0 < together.result()["interests"]["distance"] < 2


def test_topics_are_asked_for_at_their_time(runs: dict[str, RunFolder], data: PreparedData) -> None:
    with_topics = tally_candidates(make_retriever(runs["dcm"], runs["conditional"], 5), data, [5]).result()
    without = tally_candidates(make_retriever(runs["dcm"], None, 5), data, [5]).result()
    assert without["candidates"]["5"]["explicit_share"] == 0
    asked = declared_topics(data)[(data.events["split"] == TEST).to_numpy()].any(1).mean()
    assert 0 < with_topics["candidates"]["5"]["explicit_share"] < asked


def test_either_side_alone_is_what_a_retriever_of_that_side_finds(
    runs: dict[str, RunFolder], data: PreparedData
) -> None:
    both = make_retriever(runs["dcm"], runs["conditional"], 5)
    shared = tally_candidates(both, data, [1, 5], overlap=True).result()["candidates"]
    assert 0 <= shared["5"]["overlap"] <= 1
    everything = make_retriever(runs["dcm"], runs["conditional"], 100)
    assert tally_candidates(everything, data, [100], overlap=True).result()["candidates"]["20"]["overlap"] == 1
    alone = tally_candidates(make_retriever(runs["dcm"], None, 5), data, [5], overlap=True).result()
    assert "overlap" not in alone["candidates"]["5"]


def test_the_command(runs: dict[str, RunFolder], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "deep" / "two.json"
    words = ["two-stage", "--implicit", str(runs["dcm"].folder), "--explicit", str(runs["conditional"].folder)]
    words += ["--run", str(runs["rank"].folder), "--counts", "2,5", "--json", str(file), "--max-targets", "20"]
    assert main(words) == 0
    record = json.loads(file.read_text(encoding="utf-8"))
    assert record["targets"] <= 20
    assert set(record["candidates"]) == {"2", "5"}
    assert (record["dataset"], record["part"]) == ("shop", "test")
    assert record["implicit"]["retrieval"]["interests"] == "dcm"
    assert record["command"]
    shown = capsys.readouterr().out
    assert "recall of candidates" in shown
    assert "full ranking NDCG@10" in shown


@pytest.mark.parametrize(
    ("implicit", "explicit", "run", "counts", "words"),
    [
        ("rank", None, None, "5", "is no retrieval run"),
        ("conditional", None, None, "5", "must not be 'conditional'"),
        ("dcm", "dcm", None, "5", "must be 'conditional', not 'dcm'"),
        ("dcm", None, "dcm", "5", "is a retrieval run; name a run that predicts items"),
        ("dcm", None, None, "0", "name list lengths from 1 on"),
        ("dcm", None, None, "many", "--counts many: is not a list"),
        ("dcm", None, "nowhere", "5", "holds no training run"),
    ],
)
def test_mistakes_are_one_sentence(
    runs: dict[str, RunFolder],
    implicit: str,
    explicit: str | None,
    run: str | None,
    counts: str,
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = runs["dcm"].folder.parent
    command = ["two-stage", "--counts", counts]
    for option, name in (("--implicit", implicit), ("--explicit", explicit), ("--run", run)):
        command += [option, str(folder / name)] if name else []
    assert main(command) == 2
    error = capsys.readouterr().err
    assert words in error
    assert len(error.strip().splitlines()) == 1


def test_what_needs_intents_refuses_a_retrieval_run(
    runs: dict[str, RunFolder], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(runs["dcm"].folder)
    for words in (["probe"], ["export", "--out", "nowhere"]):
        assert main([*words, "--run", folder]) == 2
        assert "is a retrieval run; name a run that predicts items" in capsys.readouterr().err


def test_evaluate_shows_what_matters_of_candidates(
    runs: dict[str, RunFolder], capsys: pytest.CaptureFixture[str]
) -> None:
    for name, asked in (("dcm", False), ("conditional", True)):
        assert main(["evaluate", "--run", str(runs[name].folder), "--max-targets", "9"]) == 0
        shown = capsys.readouterr().out
        assert "HR@100" in shown
        assert ("asked for a topic of the target" in " ".join(shown.split())) == asked


def test_runs_of_other_data_do_not_mix(
    runs: dict[str, RunFolder], trained: RunFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--implicit", str(runs["dcm"].folder)]
    assert main(["two-stage", *words, "--run", str(trained.folder)]) == 2
    assert "was trained on other data" in capsys.readouterr().err
    assert main(["export", *words, "--run", str(trained.folder), "--out", "nowhere"]) == 2
    assert "was trained on other data" in capsys.readouterr().err
    assert not Path("nowhere").exists()


@pytest.fixture(scope="module")
def model(runs: dict[str, RunFolder], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Base path of an export with candidates of both kinds."""
    base = tmp_path_factory.mktemp("export") / "model"
    words = ["--implicit", str(runs["dcm"].folder), "--explicit", str(runs["conditional"].folder)]
    assert main(["export", "--run", str(runs["rank"].folder), *words, "--candidates", "7", "--out", str(base)]) == 0
    return base


@pytest.fixture(scope="module")
def client(model: Path) -> Iterator[IntentRecClient]:
    """Of a server of that export."""
    with LocalServer(model) as server, IntentRecClient(server.address) as connected:
        yield connected


@pytest.fixture(scope="module")
def history(data: PreparedData) -> list[dict[str, Any]]:
    """Of a user with eight events and more."""
    sizes = data.events.groupby("user_id").size()
    events = data.events[data.events["user_id"] == sizes[sizes >= 8].index[0]].tail(8)
    names = {"item_id", "timestamp", "action", "seconds", "places"}
    return [{name: row[name] for name in names} for row in events.to_dict("records")]


def test_the_export_says_what_it_holds(model: Path, runs: dict[str, RunFolder]) -> None:
    version = next(path for path in model.iterdir() if path.name.isdecimal())
    info = json.loads((version / "intentrec.json").read_text(encoding="utf-8"))["retrieval"]
    assert (info["candidates"], info["implicit"]["interests"]) == (7, "dcm")
    assert info["versions"] == [runs["dcm"].version(), runs["conditional"].version()]


def test_two_stages_over_the_wire(client: IntentRecClient, history: list[dict[str, Any]]) -> None:
    found = client.retrieve(history, interests=["red", "old"], exclude=["i3"], request_time=1_800_000_000)
    items = [item.item_id for item in found.items]
    assert len(set(items)) == 7
    assert "i3" not in items
    assert {"red", "old"} < {item.source for item in found.items}
    ranked = client.rank(history, items, request_time=1_800_000_000)
    assert {item.item_id for item in ranked} == set(items)
    assert all(item.score > 0 for item in ranked)
    both = client.recommend(history, 3, ["i3"], request_time=1_800_000_000, two_stage=True, interests=["red", "old"])
    assert both.items == ranked[:3]


@pytest.mark.parametrize("kind", ["exact", "faiss", "milvus"])
def test_an_index_outside_the_model_finds_the_same(
    kind: str,
    runs: dict[str, RunFolder],
    client: IntentRecClient,
    history: list[dict[str, Any]],
    tmp_path: Path,
) -> None:
    made = {}
    for name in ("dcm", "conditional"):
        out = str(tmp_path / (f"{name}.db" if kind == "milvus" else name))
        with build_index(runs[name], kind, out) as built:
            assert len(built) == 20
        place = {"uri": out} if kind == "milvus" else {"folder": out}
        made[name] = open_index(IndexConfig(kind=kind, **place), 8, runs[name].version())
    assert [made[name].model_version for name in made] == [runs[name].version() for name in made]
    outside = IndexRetriever(client, made["dcm"], made["conditional"], total=7)
    expected = client.retrieve(history, exclude=["i3"], request_time=1_800_000_000)
    found = outside.retrieve(history, exclude=["i3"], request_time=1_800_000_000)
    assert [(item.item_id, item.source) for item in found.items] == [(i.item_id, i.source) for i in expected.items]
    assert [item.score for item in found.items] == pytest.approx([item.score for item in expected.items], abs=1e-4)
    assert found.mass == pytest.approx(expected.mass, abs=1e-5)
    topics = outside.retrieve(history, interests=["red", "never heard of"], request_time=1_800_000_000)
    assert "red" in {item.source for item in topics.items}
    assert "never heard of" not in {item.source for item in topics.items}
    assert len(topics.items) == 7
    nobody = outside.retrieve([], request_time=1_800_000_000)
    assert {item.source for item in nobody.items} == {"0"}
    for index in made.values():
        index.close()


@pytest.mark.parametrize("name", ["dcm", "conditional"])
def test_an_index_says_how_much_of_the_truth_it_finds(
    name: str, runs: dict[str, RunFolder], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, out = runs[name].folder, tmp_path / "faiss"
    words = ["--kind", "faiss", "--algorithm", "hnsw", "--ef-search", "77"]
    assert main(["index", "--run", str(folder), "--out", str(out), *words]) == 0
    assert re.search(
        r"finds 100\.00% of the 20 nearest items of an exact search, at worst 100% \(\d+ quest", capsys.readouterr().out
    )
    parameters = FaissIndex.open(out).parameters
    assert (parameters.algorithm, parameters.ef_search) == ("hnsw", 77)


def test_an_index_of_other_vectors_finds_less(runs: dict[str, RunFolder]) -> None:
    other = ExactIndex(8)
    names = runs["dcm"].load_retrieval_model()[0].spec.items.tokens
    other.upsert([*names, "more"], np.random.default_rng(0).normal(size=(len(names) + 1, 8)))
    with pytest.raises(DataError, match="The indexes hold 21 and 20 items"):
        recall_of_questions(runs["dcm"], other)


def test_options_of_the_list(runs: dict[str, RunFolder], data: PreparedData, tmp_path: Path) -> None:
    """Shares, guardrail and turns from the command line, and their words in the record."""
    file = tmp_path / "two.json"
    words = ["two-stage", "--implicit", str(runs["dcm"].folder), "--explicit", str(runs["conditional"].folder)]
    words += ["--counts", "2", "--json", str(file)]
    shares = {}
    for share in ("0", "1"):
        assert main([*words, "--explicit-share", share, "--by-turns", "--no-guardrail"]) == 0
        record = json.loads(file.read_text(encoding="utf-8"))
        assert record["merging"] == {"explicit_share": float(share), "guardrail": False, "by_score": False}
        shares[share] = record["candidates"]["2"]["explicit_share"]
    asked = declared_topics(data)[(data.events["split"] == TEST).to_numpy()].any(1).mean()
    assert shares["0"] < 0.05 < shares["1"]  # without a share of their own topics fill up what others leave
    assert shares["1"] == pytest.approx(asked, abs=0.02)
    assert main(words) == 0
    assert json.loads(file.read_text(encoding="utf-8"))["merging"]["by_score"] is True


def test_the_command_makes_an_index(
    runs: dict[str, RunFolder], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "index"
    assert main(["index", "--run", str(runs["dcm"].folder), "--out", str(out)]) == 0
    assert f"20 items of version {runs['dcm'].version()} in {out}" in capsys.readouterr().out
    assert len(ExactIndex.open(out, runs["dcm"].version())) == 20


def test_an_index_of_another_run_is_refused(
    runs: dict[str, RunFolder], client: IntentRecClient, history: list[dict[str, Any]], tmp_path: Path
) -> None:
    outside = IndexRetriever(client, ExactIndex(8), versions=("0123456789abcdef", ""))
    with pytest.raises(ServerError, match="and the index holds 0123456789abcdef, so build the index again"):
        outside.retrieve(history)
    ExactIndex(8).save(tmp_path / "old", "0123456789abcdef")
    with pytest.raises(ServerError, match="and the index holds 0123456789abcdef, so build the index again"):
        IndexRetriever(client, ExactIndex.open(tmp_path / "old")).retrieve(history)
    assert IndexRetriever(client, ExactIndex(8)).retrieve(history).items == ()
    for options in ({"total": 0}, {"explicit_share": 2.0}):
        with pytest.raises(InvalidInputError):
            IndexRetriever(client, ExactIndex(8), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "out", "words"),
    [
        ("rank", "x", "is no retrieval run"),
        ("dcm", "/proc/nowhere/x", "/proc/nowhere"),
        ("none", "x", "holds no training"),
    ],
)
def test_an_index_that_cannot_be_made(
    name: str, out: str, words: str, runs: dict[str, RunFolder], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = out if out.startswith("/") else str(tmp_path / out)
    assert main(["index", "--run", str(runs["dcm"].folder.parent / name), "--out", place]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert len(error.strip().splitlines()) == 1
