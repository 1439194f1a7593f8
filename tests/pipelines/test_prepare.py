"""From tables to records: complete, repeatable, whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from intentrec_tf.records import intent_column, record_columns
from pipelines import writing
from pipelines.datasets import registry
from pipelines.input_fn import evaluation_batches, user_sequences
from pipelines.main import main
from pipelines.prepare import PrepareConfig, prepare, statistics_lines
from pipelines.prepared import PreparedData
from pipelines.run_folder import RunFolder
from pipelines.split import TEST
from pipelines.validate import DataError


def quiet(line: str) -> None:
    pass


def snapshot(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in sorted(folder.rglob("*"))}


def test_what_is_written(prepared: PreparedData):
    assert {path.name for path in prepared.folder.iterdir()} == {
        *("manifest.json", "schema.yaml", "spec.json", "catalogue.npz", "vocabulary", "sequences", "rejected.csv"),
        *("events.parquet", "items.parquet"),
    }
    assert [Path(file).name for file in prepared.record_files] == ["part-00000-of-00001.tfrecord"]
    assert (prepared.folder.stat().st_mode & 0o777) == 0o755


def test_a_long_label_is_one_short_line(prepared: PreparedData) -> None:
    label = "view,3\nc173,A022,1700000000000,view,7\n" * 50
    lines = statistics_lines({**prepared.manifest["statistics"], "intent_shares": {"action": {label: 0.5, "\n": 0.5}}})
    assert lines[-1] == "intent action: view,3 ... 50.0%, (blank) 50.0%"


def check_records(prepared: PreparedData) -> None:
    spec, events = prepared.spec, prepared.events
    users = list(user_sequences(prepared))
    assert [user["user_id"].numpy().decode() for user in users] == events["user_id"].drop_duplicates().tolist()

    def column(name: str) -> np.ndarray:
        return np.concatenate([user[name].numpy() for user in users])

    training = events[events["split"] == 0]
    np.testing.assert_array_equal(column("item_id"), spec.items.lookup(events["item_id"].tolist()))
    np.testing.assert_array_equal(column("timestamp"), events["timestamp"])
    np.testing.assert_array_equal(column("split"), events["split"])
    np.testing.assert_array_equal(column("action"), spec.vocabularies["action"].lookup(events["action"].tolist()))
    np.testing.assert_array_equal(column("seconds"), events["seconds"].to_numpy(np.float32))
    places = [sorted(set(text.split("|")) - {""}) for text in events["places"]]
    rows = [sorted(spec.vocabularies["places"].lookup(labels).tolist()) for labels in places]
    assert [[row for row in wide if row] for wide in column("places").tolist()] == rows
    assert column("places").shape == (len(events), 3)
    for name in ("action", "repeat", "phase"):
        labels = np.array([*spec.intent_labels[name], ""], object)
        np.testing.assert_array_equal(labels[column(intent_column(name))], events[intent_column(name)])
    # d_k: log1p(seconds), clipped at the training quantile 0.95 and divided by its training mean.
    log = np.log1p(events["seconds"])
    clipped = np.minimum(log, np.quantile(log[training.index], 0.95))
    np.testing.assert_allclose(column("weight"), clipped / clipped[training.index].mean(), rtol=1e-5)
    assert set(record_columns(spec)) == set(users[0]) - {"user_id"}


def test_records_equal_the_frames(prepared: PreparedData):
    check_records(prepared)
    check = prepared.events.groupby("user_id")["timestamp"].diff().dropna()
    assert (check >= 0).all()


def test_several_shards_keep_the_order(shop: PrepareConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(writing, "USERS_PER_SHARD", 4)
    sharded = prepare(shop, tmp_path / "out", quiet)
    assert len(sharded.record_files) == 8  # 30 users in shards of at most 4
    check_records(sharded)


def test_nothing_is_learnt_from_outside_the_training_part(prepared: PreparedData):
    training = prepared.events[prepared.events["split"] == 0]
    spec = prepared.spec
    assert set(spec.items.tokens) == set(training["item_id"])
    assert spec.numeric_ranges["seconds"] == (training["seconds"].min(), training["seconds"].max())
    counts = training["item_id"].value_counts()
    assert spec.item_prior[2:].tolist() == [counts[item] for item in spec.items.tokens]
    assert counts[list(spec.items.tokens)].is_monotonic_decreasing


def test_the_whole_catalogue_may_be_known(make_shop: Callable[..., PrepareConfig], tmp_path: Path) -> None:
    shop = make_shop(tmp_path / "in")
    with (tmp_path / "in" / "items.csv").open("a", encoding="utf-8") as file:
        file.write("nobody,red,film,3.0\n")
    few = prepare(shop, tmp_path / "few", quiet)
    everything = prepare(shop.model_copy(update={"min_item_count": 0}), tmp_path / "all", quiet)
    met, known = few.spec.items.tokens, everything.spec.items.tokens
    assert known[: len(met)] == met
    assert sorted(known) == sorted(everything.items["item_id"])
    assert len(met) < len(known)
    assert not everything.spec.item_prior[2 + len(met) :].any()
    labels = everything.spec.catalogue["genres"]
    assert labels[2 + len(met) :].any()  # what is known of an item that nobody met: its features
    assert everything.fingerprint != few.fingerprint
    assert "min_item_count" not in few.manifest["request"]


def test_ties_keep_the_order_of_the_file(make_shop: Callable[..., PrepareConfig], tmp_path: Path):
    config = make_shop(tmp_path / "in")
    made = prepare(config, tmp_path / "out", quiet)
    lines = pd.read_csv(tmp_path / "in" / "events.csv").reset_index()
    merged = made.events.merge(lines, left_on=["user_id", "item_id", "timestamp"], right_on=["who", "what", "when"])
    same = merged.duplicated(["user_id", "timestamp"], keep=False)
    assert same.any()
    assert (merged[same].groupby(["user_id", "timestamp"])["index"].diff().dropna() >= 0).all()


def test_a_second_run_changes_nothing_and_says_so(make_shop: Callable[..., PrepareConfig], tmp_path: Path):
    config, lines = make_shop(tmp_path / "in"), []
    prepare(config, tmp_path / "out", quiet)
    before = snapshot(tmp_path)
    prepare(config, tmp_path / "out", lines.append)
    assert snapshot(tmp_path) == before
    assert len(lines) == 1
    assert "nothing to do" in lines[0]


def test_changed_input_or_option_means_a_new_fingerprint(make_shop: Callable[..., PrepareConfig], tmp_path: Path):
    config, out = make_shop(tmp_path / "in"), tmp_path / "out"
    prints = [prepare(config, out, quiet).fingerprint]
    with (tmp_path / "in" / "events.csv").open("a", encoding="utf-8") as file:
        file.write("u1,i3,1700000000,play,1.0,home\n")
    prints.append(prepare(config, out, quiet).fingerprint)
    changed = config.model_copy(update={"min_interactions": 2})
    prints.append(prepare(changed, out, quiet).fingerprint)
    text = (tmp_path / "in" / "schema.yaml").read_text(encoding="utf-8")
    (tmp_path / "in" / "schema.yaml").write_text(text.replace("max_history: 8", "max_history: 9"), encoding="utf-8")
    last = prepare(changed, out, quiet)
    prints.append(last.fingerprint)
    assert len(set(prints)) == 4
    assert last.spec.schema.max_history == 9
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_new_packaged_schema_is_not_mistaken_for_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    config = PrepareConfig(dataset="simulated", size="tiny")
    prepare(config, tmp_path / "out", quiet)
    newer = registry.packaged_schema("simulated").model_copy(update={"max_history": 5})
    monkeypatch.setattr(registry, "packaged_schema", lambda name: newer)
    assert prepare(config, tmp_path / "out", quiet).spec.schema.max_history == 5


def test_the_request_time_can_be_left_out(
    make_shop: Callable[..., PrepareConfig], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    """The option changes schema, inputs and fingerprint; the default and the schema's own word are the same data."""
    config = make_shop(tmp_path / "in")
    usual = prepare(config, tmp_path / "usual", quiet)
    said = prepare(config.model_copy(update={"request_time": True}), tmp_path / "said", quiet)
    files = [f"--{name}={tmp_path / 'in' / name}.csv" for name in ("events", "items")]
    files.append(f"--schema={tmp_path / 'in' / 'schema.yaml'}")
    command = ["prepare", "tables", *files, "--no-request-time", "--out", str(tmp_path / "without")]
    assert main(command) == 0
    without = PreparedData(tmp_path / "without")
    assert usual.spec.schema.request_time
    assert not without.spec.schema.request_time
    assert without.spec.schema == usual.spec.schema.model_copy(update={"request_time": False})
    assert said.fingerprint == usual.fingerprint != without.fingerprint
    for made, asked in ((usual, True), (without, False)):
        inputs = evaluation_batches(made, TEST).element_spec[0]
        assert ("next_timestamp" in inputs) is asked
    before = snapshot(tmp_path / "without")
    capsys.readouterr()
    assert main(command) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert snapshot(tmp_path / "without") == before
    assert main([word for word in command if word != "--no-request-time"]) == 0
    assert PreparedData(tmp_path / "without").fingerprint == usual.fingerprint


def test_the_request_time_of_a_packaged_schema(tmp_path: Path):
    config, lines = PrepareConfig(dataset="simulated", size="tiny", request_time=False), []
    made = prepare(config, tmp_path / "out", quiet)
    assert not made.spec.schema.request_time
    assert prepare(config, tmp_path / "out", lines.append).fingerprint == made.fingerprint
    assert len(lines) == 1
    assert "nothing to do" in lines[0]


def test_truth_stays_beside_its_events(tmp_path: Path):
    made = prepare(PrepareConfig(dataset="simulated", size="tiny", min_interactions=20), tmp_path / "out", quiet)
    truth = pd.read_parquet(made.folder / "truth.parquet")
    assert made.manifest["statistics"]["events_left_out_min_interactions"] > 0
    assert truth["session_id"].str.split("-").str[0].tolist() == made.events["user_id"].tolist()


def test_the_same_content_elsewhere_has_the_same_fingerprint(
    prepared: PreparedData, make_shop: Callable[..., PrepareConfig], tmp_path: Path
):
    assert prepare(make_shop(tmp_path / "elsewhere"), tmp_path / "out", quiet).fingerprint == prepared.fingerprint


def test_counts_of_rejected_and_rare_rows(make_shop: Callable[..., PrepareConfig], tmp_path: Path):
    config, lines = make_shop(tmp_path / "in"), []
    with (tmp_path / "in" / "events.csv").open("a", encoding="utf-8") as file:
        file.write("u1,i3,1700000000,play,-5,home\nu1,nowhere,1700000000,play,1,home\n")
    total = len((tmp_path / "in" / "events.csv").read_text(encoding="utf-8").splitlines()) - 1
    made = prepare(config, tmp_path / "out", lines.append)
    events = pd.read_csv(tmp_path / "in" / "events.csv")[:-2]
    rejects = pd.read_csv(made.folder / "rejected.csv")
    assert rejects.columns.tolist() == ["file", "row", "field", "value", "reason"]
    assert rejects[["row", "field", "value"]].to_numpy().tolist() == [
        [total, "seconds", "-5"],
        [total + 1, "what", "nowhere"],
    ]
    validation = made.manifest["validation"]
    name = str(tmp_path / "in" / "events.csv")
    assert validation["rows_read"][name] == total
    assert validation["rows_rejected"][name] == len(rejects) >= 2
    assert made.manifest["statistics"]["events"] == total - len(rejects) == len(made.events)
    assert any("2 rejected" in line for line in lines)
    # min_interactions counts whole-log events of an item; what is left out is counted too.
    counts = events["what"].value_counts()
    limit = int(counts.median())
    rare = prepare(config.model_copy(update={"min_interactions": limit}), tmp_path / "rare", lines.append)
    left_out = int(counts[counts < limit].sum())
    assert left_out > 0
    assert rare.manifest["statistics"]["events_left_out_min_interactions"] == left_out
    assert rare.events["item_id"].value_counts().min() >= limit
    assert any(line.startswith(f"{left_out} events of items with fewer") for line in lines)


def test_an_error_in_the_middle_leaves_nothing(shop: PrepareConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object) -> None:
        raise RuntimeError("disk full")

    monkeypatch.setattr(writing, "write_records", fail)
    with pytest.raises(RuntimeError, match="disk full"):
        prepare(shop, tmp_path / "out", quiet)
    assert list(tmp_path.iterdir()) == []


def test_an_error_in_the_middle_keeps_the_old_result(
    make_shop: Callable[..., PrepareConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    config = make_shop(tmp_path / "in")
    prepare(config, tmp_path / "out", quiet)
    before = snapshot(tmp_path / "out")
    monkeypatch.setattr(writing, "write_records", lambda *_: (_ for _ in ()).throw(RuntimeError("disk full")))
    with pytest.raises(RuntimeError):
        prepare(config.model_copy(update={"min_interactions": 2}), tmp_path / "out", quiet)
    assert snapshot(tmp_path / "out") == before


KILLED = """
import os, signal, sys
from pipelines import prepare as module, writing
real = writing.write_records
def die(*arguments):
    real(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)
writing.write_records = die
config = module.PrepareConfig.model_validate_json(sys.argv[1])
module.prepare(config, sys.argv[2])
"""


def test_kill_9_in_the_middle_leaves_no_visible_result(shop: PrepareConfig, tmp_path: Path):
    out = tmp_path / "out"
    command = [sys.executable, "-c", KILLED, shop.model_dump_json(), str(out)]
    done = subprocess.run(command, capture_output=True, timeout=120, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"})
    assert done.returncode == -signal.SIGKILL
    assert [path for path in tmp_path.iterdir() if not path.name.startswith(".")] == []
    made = prepare(shop, out, quiet)
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == ["out"]
    check_records(made)


def test_a_foreign_folder_is_refused_and_untouched(shop: PrepareConfig, prepared: PreparedData, tmp_path: Path):
    mixed = tmp_path / "mixed"
    shutil.copytree(prepared.folder, mixed)
    (mixed / "run").mkdir()  # somebody trained into the data folder
    web = tmp_path / "web"
    web.mkdir()
    (web / "manifest.json").write_text(json.dumps({"name": "a web page"}), encoding="utf-8")
    plain = tmp_path / "plain"
    plain.mkdir()
    (plain / "thesis.tex").write_text("years of work", encoding="utf-8")
    file = tmp_path / "file"
    file.write_text("text", encoding="utf-8")
    before = snapshot(tmp_path)
    for folder, name in ((mixed, "run"), (web, "manifest.json"), (plain, "thesis.tex"), (file, "file")):
        with pytest.raises(DataError, match=rf"holds something else \({name}\)"):
            prepare(shop.model_copy(update={"min_interactions": 2}), folder, quiet)
    assert snapshot(tmp_path) == before


def test_an_empty_folder_is_taken(shop: PrepareConfig, tmp_path: Path):
    (tmp_path / "out").mkdir()
    assert prepare(shop, tmp_path / "out", quiet).record_files


def test_a_folder_without_a_preparation_is_one_sentence(tmp_path: Path):
    (tmp_path / "manifest.json").write_text("{}", encoding="utf-8")
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(DataError, match="holds no prepared data; run 'intentrec prepare'"):
            PreparedData(folder)
    with pytest.raises(DataError, match="holds no training run"):
        RunFolder(tmp_path).read()


def test_another_format_is_one_sentence_and_prepared_anew(shop: PrepareConfig, tmp_path: Path):
    out = tmp_path / "data"
    prepare(shop, out, say=lambda line: None)
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    (out / "manifest.json").write_text(json.dumps({**manifest, "format": 1}), encoding="utf-8")
    with pytest.raises(DataError, match="another version of intentrec; run 'intentrec prepare' again"):
        PreparedData(out)
    assert prepare(shop, out, say=lambda line: None).fingerprint == manifest["fingerprint"]


def test_the_sources_that_were_tried_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Fetching reports to the same place as preparation does."""

    def nowhere(name: str, progress: Callable[[str], None], **options: object):
        progress(f"{name}: not in the cache")
        raise DataError("nowhere to be had; pass --raw.")

    monkeypatch.setattr(registry, "fetch", nowhere)
    said: list[str] = []
    with pytest.raises(DataError, match="nowhere"):
        prepare(PrepareConfig(dataset="movielens-100k"), tmp_path / "out", said.append)
    assert said == ["movielens-100k: not in the cache"]


def test_history_and_titles(prepared: PreparedData):
    user = prepared.events["user_id"].iloc[-1]
    assert (prepared.history(user)["user_id"] == user).all()
    assert prepared.titles["i3"] == "i3"
    with pytest.raises(DataError, match="user 'nobody' has no event"):
        prepared.history("nobody")


def test_seen_items_can_be_left_out_whatever_the_schema_says(tmp_path: Path):
    config = PrepareConfig(dataset="simulated", size="tiny", exclude_seen=True)
    made = prepare(config, tmp_path / "data", lambda line: None)
    usual = prepare(config.model_copy(update={"exclude_seen": None}), tmp_path / "usual", lambda line: None)
    assert made.spec.schema == usual.spec.schema.model_copy(update={"exclude_seen": True})
    assert not usual.spec.schema.exclude_seen
    assert made.fingerprint != usual.fingerprint
