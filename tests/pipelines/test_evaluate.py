"""Evaluation against a second, slow implementation, and the record that a result leaves."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from rich.console import Console

import pipelines.evaluate
from pipelines.baselines import RECENT_SHARE, baselines, most_recent
from pipelines.environment import command_line
from pipelines.evaluate import ITEMS_AT_ONCE, evaluate, ranking_metrics
from pipelines.input_fn import evaluation_batches
from pipelines.prepared import PreparedData
from pipelines.report import evaluation_record, plot_history, print_record, write_record
from pipelines.run_folder import RunFolder
from pipelines.split import TEST
from pipelines.validate import DataError

MISS = 2**31 - 1


def slow_rank(scores: np.ndarray, target: int, seen: list[int], excluding: bool) -> int:
    """Sort all real items by score, ties before the target, the seen ones filtered."""
    barred = set(seen) if excluding else set()
    if target < 2 or target in barred:
        return MISS
    rivals = [scores[row] for row in range(2, len(scores)) if row != target and row not in barred]
    return 1 + sum(score >= scores[target] for score in rivals)


@pytest.mark.parametrize(("excluding", "at_once"), [(False, ITEMS_AT_ONCE), (True, ITEMS_AT_ONCE), (True, 7)])
def test_ranks_equal_sorting_everything(
    trained: RunFolder, excluding: bool, at_once: int, monkeypatch: pytest.MonkeyPatch
):
    """Also where the catalogue comes a few items at a time."""
    monkeypatch.setattr(pipelines.evaluate, "ITEMS_AT_ONCE", at_once)
    model, prepared, _ = trained.load_model()
    schema = prepared.spec.schema.model_copy(update={"exclude_seen": excluding})
    object.__setattr__(prepared.spec, "schema", schema)
    result = evaluate(model, prepared, TEST, batch=16)
    scorers = baselines(prepared)
    assert set(result.ranks) == {"intentrec", *scorers}
    size = prepared.spec.items.size
    assert at_once == ITEMS_AT_ONCE or at_once < size
    wanted: dict[str, dict[int, int]] = {name: {} for name in result.ranks}
    correct: dict[str, dict[int, int]] = {name: {} for name in ("action", "genre")}
    outside = 0
    for inputs, targets in evaluation_batches(prepared, TEST, batch=16):
        outputs = model(inputs, training=False)
        scores = {"intentrec": model.item_probabilities(model.newest(outputs)).numpy()}
        scores |= {name: score(inputs)(0, size).numpy() for name, score in scorers.items()}
        items, events = targets["item"].numpy(), targets["event"].numpy().tolist()
        outside += int((items < 2).sum())
        for i, target in enumerate(items):
            seen = targets["seen"].numpy()[i].tolist()
            for name, values in scores.items():
                wanted[name][events[i]] = slow_rank(values[i], int(target), seen, excluding)
            best = outputs["intents"]["action"][i, -1].numpy().argmax()
            correct["action"][events[i]] = int(best == targets["action"].numpy()[i])
            genres = prepared.spec.catalogue["genres"][target]
            best = outputs["intents"]["genre"][i, -1].numpy().argmax() + 2
            correct["genre"][events[i]] = int(best in genres) if genres.any() else -1
    for name, by_event in wanted.items():
        ranks = [by_event[event] for event in sorted(by_event)]
        assert result.ranks[name].tolist() == ranks, name
        hits = np.array(ranks)
        assert result.metrics[name]["HR@10"] == pytest.approx((hits <= 10).mean())
        gains = np.where(hits <= 5, 1 / np.log2(1 + hits.astype(float)), 0)
        assert result.metrics[name]["NDCG@5"] == pytest.approx(gains.mean(), rel=1e-5)
        assert result.metrics[name]["MRR"] == pytest.approx(np.where(hits == MISS, 0, 1 / hits).mean(), rel=1e-5)
    for name, values in correct.items():
        hits = np.array([values[event] for event in sorted(values)])
        assert result.intent_hits[name].tolist() == hits.tolist()
        assert result.intents[name]["accuracy"] == pytest.approx(hits[hits >= 0].mean())
    assert (result.intent_hits["genre"] < 0).any()
    users = prepared.events["user_id"].iloc[sorted(wanted["intentrec"])]
    assert result.targets_per_user.tolist() == [len(part) for _, part in users.groupby(users, sort=False)]
    assert result.targets_per_user.sum() == result.targets
    assert result.outside_catalogue == outside
    assert result.targets == len(wanted["intentrec"])
    assert result.targets + result.without_history == int((prepared.events["split"] == TEST).sum())


def test_items_that_training_never_saw_are_misses(prepared: PreparedData):
    """Targets of row 1 cannot be ranked, whatever the scores."""
    assert slow_rank(np.ones(5), 1, [], False) == MISS
    assert ranking_metrics(np.array([1, MISS]))["HR@20"] == 0.5
    assert ranking_metrics(np.array([1, MISS]))["MRR"] == 0.5


def test_no_target_gives_every_metric_as_zero():
    assert ranking_metrics(np.zeros(0, np.int32)) == dict.fromkeys(ranking_metrics(np.array([1])), 0.0)


def test_baselines_by_hand(prepared: PreparedData):
    training = prepared.events[prepared.events["split"] == 0]
    tokens = prepared.spec.items.tokens
    inputs = {"item_id": tf.constant([[0, 0, 3, 2, 3], [0, 0, 0, 1, 4]])}
    counts = training["item_id"].value_counts()
    scorers = baselines(prepared)
    size = len(tokens) + 2
    popular = scorers["popularity"](inputs)(0, size).numpy()
    assert popular.shape == (2, size)
    assert popular[1].tolist() == [0, 0, *(counts[item] for item in tokens)]
    newest = training[training["timestamp"] >= training["timestamp"].quantile(1 - RECENT_SHARE)]
    assert 0 < len(newest) < 0.2 * len(training)
    recent = scorers["recent popularity"](inputs)(0, size).numpy()[0, 2:]
    np.testing.assert_array_equal(np.floor(recent), newest["item_id"].value_counts().reindex(tokens, fill_value=0))
    order = np.argsort(-most_recent(prepared)(inputs)(0, size).numpy()[:, 2:], axis=1)[:, :3] + 2
    assert order[0, :2].tolist() == [3, 2]  # 3 came last, 2 before it, then the most popular other item
    assert order[0, 2] == 4
    assert order[1, :2].tolist() == [4, 2]
    for score in (*scorers.values(), most_recent(prepared)):  # a range of items at a time says the same
        chunks = [score(inputs)(start, min(start + 5, size)) for start in range(0, size, 5)]
        np.testing.assert_array_equal(tf.concat(chunks, axis=1), score(inputs)(0, size))


def test_seen_items_make_most_recent_meaningless(prepared: PreparedData):
    schema = prepared.spec.schema
    try:
        object.__setattr__(prepared.spec, "schema", schema.model_copy(update={"exclude_seen": True}))
        assert set(baselines(prepared)) == {"popularity", "recent popularity"}
    finally:
        object.__setattr__(prepared.spec, "schema", schema)


def test_the_record_states_everything(trained: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    model, prepared, config = trained.load_model()
    monkeypatch.setattr(
        sys, "argv", ["/opt/bin/intentrec", "evaluate", f"--run={trained.folder}", "--json", "/x/y.json"]
    )
    record = evaluation_record(evaluate(model, prepared, TEST, max_targets=10), prepared, config, TEST)
    write_record(record, tmp_path / "deep" / "result.json")
    text = (tmp_path / "deep" / "result.json").read_text(encoding="utf-8")
    assert json.loads(text) == json.loads(json.dumps(record))
    # design/evaluation.md: command, config, data set and fingerprint, protocol, seed, date, wall time, machine size,
    # request time used or not, and the caveats of the data.
    fields = {"command", "config", "dataset", "fingerprint", "protocol", "seed", "date", "seconds", "machine", "commit"}
    assert fields | {"request_time", "data_caveats", "targets", "targets_outside_catalogue", "libraries"} <= set(record)
    assert {"split", "filter_seen", "catalogue", "history", "ties"} <= set(record["protocol"])
    assert record["fingerprint"] == prepared.fingerprint
    assert {"HR@1", "HR@5", "HR@10", "HR@20", "NDCG@10", "MRR"} <= set(record["metrics"])
    assert {"accuracy", "macro_f1", "log_loss", "ece", "majority_accuracy"} <= set(record["intents"]["action"])
    assert "ndcg" in record["intents"]["genre"]
    assert record["command"] == "intentrec evaluate --run=run --json y.json"
    for path in (str(Path.cwd()), str(prepared.folder), str(tmp_path), str(Path.home()), "/opt", "/tmp"):
        assert path not in text, path
    console = Console(record=True, width=120, file=(tmp_path / "table.txt").open("w", encoding="utf-8"))
    print_record(record, console)
    shown = console.export_text()
    assert "IntentRec V2" in shown
    assert "popularity" in shown
    print_record({**record, "model": "SASRec"}, console)
    assert "IntentRec" not in console.export_text()
    plot_history(trained.history, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


def test_a_command_with_spaces_can_be_typed_again(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "argv", ["intentrec", "train", "--run", "my run", "--set", "model.dim=8"])
    assert command_line() == "intentrec train --run 'my run' --set model.dim=8"
    monkeypatch.setattr(sys, "argv", ["/src/pipelines/main.py", "doctor"])  # python -m pipelines.main
    assert command_line() == "intentrec doctor"


def test_a_folder_without_a_run_is_one_sentence(tmp_path: Path):
    with pytest.raises(DataError, match="holds no training run"):
        RunFolder(tmp_path / "absent").load_model()
