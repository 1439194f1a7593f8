"""The benchmarks run and say what they promise; how fast is not a test's business."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from pipelines.benchmark import growth, peer_environment
from pipelines.benchmark import train as train_module
from pipelines.benchmark.evaluate import benchmark_evaluate
from pipelines.benchmark.growth_worker import main as grow
from pipelines.benchmark.measure import median_seconds, peak_gflops
from pipelines.benchmark.memory import peak_mb
from pipelines.benchmark.pictures import plot_growth, plot_train
from pipelines.benchmark.prepare import benchmark_prepare
from pipelines.benchmark.synthetic import synthetic_batch, synthetic_spec
from pipelines.benchmark.synthetic_log import write_log
from pipelines.benchmark.train import OURS, PEER, benchmark_train
from pipelines.benchmark.training_process import TrainingProcess
from pipelines.benchmark.tree_memory import kilobytes, tree
from pipelines.input_fn import training_batches
from pipelines.main import main
from pipelines.prepared import PreparedData
from pipelines.split import TRAIN
from pipelines.validate import DataError

SIZES = {"dim": 8, "item_blocks": 1, "heads": 2}


class FakePeer(TrainingProcess):
    """Speaks for RecTools without it."""

    def __init__(self) -> None:
        super().__init__(PEER, [], Path())

    def __enter__(self) -> FakePeer:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def _ask(self) -> dict[str, Any]:
        return {"seconds": 100.0, "loss": 5.0, "steps": 3, "peak_mb": 7, "NDCG@10": 0.1, "HR@10": 0.2, "targets": 9}


@pytest.fixture(scope="module")
def record(prepared_last: PreparedData) -> dict[str, Any]:
    """One run of the training benchmark on a small log, without RecTools itself and with one other model."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train_module, "_rectools", lambda *_: FakePeer())
        patch.setattr(train_module, "rectools_python", lambda say: Path())
        patch.setattr(train_module, "OTHERS", ("V3",))
        patch.setattr(train_module, "SASREC", {**train_module.SASREC, **SIZES})
        patch.setattr(train_module, "components", lambda items, config: {"items": items, "parts": {}})
        return benchmark_train(prepared_last, 2, 1, xla=False, say=lambda line: None)


def test_the_training_record_states_what_was_promised(record: dict[str, Any], prepared_last: PreparedData) -> None:
    assert {PEER, OURS, "SASRec padded", "V3"} == set(record["targets_per_second"]) == set(record["peak_mb"])
    assert record["ratio_sasrec_vs_rectools"] == pytest.approx(100 / np.median(record["epochs"][OURS]), rel=0.02)
    assert record["ratio_v3_vs_rectools"] == pytest.approx(100 / record["epochs"]["V3"][0], rel=0.02)
    assert [len(record["epochs"][name]) for name in (PEER, OURS, "SASRec padded", "V3")] == [2, 2, 2, 1]
    assert record["first_loss_repeats_bit_for_bit"]
    assert {"cores", "memory_gb"} <= set(record["machine"])
    assert "/" not in json.dumps(record["machine"])


def test_every_process_has_the_same_targets(record: dict[str, Any], prepared_last: PreparedData) -> None:
    expected = record["targets_an_epoch"]
    training = prepared_last.events[prepared_last.events["split"] == TRAIN]
    limit = prepared_last.spec.schema.max_history
    assert expected == sum(min(len(events) - 1, limit) for _, events in training.groupby("user_id"))
    for together in (True, False):
        batches = training_batches(prepared_last, 4, 16, together=together)
        found = sum(int(tf.math.count_nonzero(targets["item"])) for _, targets in batches)
        assert found == expected


def test_pictures(record: dict[str, Any], tmp_path: Path) -> None:
    plot_train(record, tmp_path / "train.png")
    points = [{"length": 50, "items": 100, "dim": 32, "step_ms": 1.5, "peak_mb": 10}] * 2
    curves = dict.fromkeys(("length", "items", "items_sampled", "dim"), points)
    plot_growth({"curves": curves, "negatives": 8, "positions_a_step": 64}, tmp_path / "growth.png")
    for picture in tmp_path.glob("*.png"):
        assert picture.read_bytes()[:4] == b"\x89PNG"


def test_without_validation_events_it_says_how_to_prepare(prepared_last: PreparedData, monkeypatch: Any) -> None:
    events = prepared_last.events
    without = PreparedData(prepared_last.folder)
    without.__dict__["events"] = events.assign(split=events["split"].where(events["split"] != 1, 0))
    with pytest.raises(DataError, match="is not split leave-one-out with validation events; prepare it with"):
        benchmark_train(without, 1, 1, peer=False)


def test_a_peer_that_cannot_be_installed_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTENTREC_CACHE", str(tmp_path))
    monkeypatch.setattr(peer_environment, "REQUIREMENTS", ("--no-index", "rectools-that-is-nowhere"))
    with pytest.raises(DataError, match=r"RecTools: cannot be installed \(.*--no-peer"):
        peer_environment.rectools_python(lambda line: None)
    assert not list(tmp_path.rglob("installed"))


@pytest.mark.parametrize("negatives", [None, 8])
def test_a_point_of_the_growth_curve(negatives: int | None) -> None:
    found = grow({"items": 300, "length": 128, "dim": 8, "negatives": negatives, "xla": False})
    assert found["step_ms"] > 0
    assert found["table_mb"] == 0
    assert found["peak_mb"] > 100


def test_the_growth_record(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def measure(options: dict[str, Any]) -> dict[str, Any]:
        asked.append(options)
        return {"step_ms": 10.0 if options["items"] < 100_000 else 13.0, "peak_mb": 500, "table_mb": 1}

    monkeypatch.setattr(growth, "measure", measure)
    record = growth.benchmark_growth(lambda line: None)
    assert record["ratio_largest_vs_smallest_catalogue"] == 1.3
    assert [point["length"] for point in record["curves"]["length"]] == [50, 100, 200, 500, 1_000]
    assert max(options["items"] for options in asked if options["negatives"] is None) == growth.FULL_SOFTMAX_UP_TO
    assert max(options["items"] for options in asked) == 1_000_000


def test_a_measurement_that_fails_is_one_sentence() -> None:
    with pytest.raises(DataError, match=r"measuring .*unexpected keyword"):
        growth.measure({"items": 10, "dim": 8, "colour": 3})


def test_the_synthetic_batch_fits_the_model() -> None:
    spec = synthetic_spec(50, 6)
    inputs, targets = synthetic_batch(spec, 3, 12)
    np.testing.assert_array_equal(inputs["segment"][0], [1] * 6 + [2] * 6)
    assert inputs["item_id"].numpy().min() >= 2
    assert targets["item"].numpy().max() < spec.items.size
    np.testing.assert_array_equal(inputs["item_id"][:, 1:], targets["item"][:, :-1])
    assert (np.diff(inputs["timestamp"]) > 0).all()


def test_evaluation_benchmark(prepared_last: PreparedData, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.benchmark.evaluate.LARGE", {"items": 90, "length": 4, "dim": 8, "users": 1})
    monkeypatch.setattr("pipelines.benchmark.evaluate.VARIANTS", ("SASRec",))
    monkeypatch.setattr("pipelines.benchmark.evaluate.measure", grow)
    record = benchmark_evaluate(prepared_last, repeats=1, users=300, say=lambda line: None)
    assert record["targets"] == int((prepared_last.events["split"] == 2).sum())
    assert record["seconds_with_baselines"]["SASRec"] > 0
    assert record["large_catalogue"]["users"] == 512
    assert record["large_catalogue"]["seconds"] > 0


def test_preparation_benchmark(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "prepare.json"
    assert main(["benchmark", "prepare", "--repeats", "2", "--json", str(file), "simulated", "--size", "tiny"]) == 0
    record = json.loads(file.read_text())
    assert record["events_per_second"] == pytest.approx(record["events"] / record["seconds"], rel=0.01)
    assert all(run["seconds"] > 0.5 * record["seconds"] for run in record["runs"])  # no run finds its work done
    assert record["arguments"] == ["simulated", "--size", "tiny"]
    assert "events a second" in capsys.readouterr().out


def test_growth_of_preparation(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, picture = tmp_path / "growth.json", tmp_path / "growth.png"
    command = ["benchmark", "prepare", "--sizes", "3000", "--json", str(file), "--picture", str(picture)]
    assert main(command) == 0
    (point,) = json.loads(file.read_text())["curves"]["pandas"]
    assert point["events"] == 3_000
    assert point["peak_mb"] > 100
    assert picture.stat().st_size > 1_000
    for wrong, words in ((["--sizes", "10", "--engines", "dask"], "is no engine"), (["--picture", "x.png"], "--sizes")):
        assert main(["benchmark", "prepare", *wrong]) == 2
        assert words in capsys.readouterr().err


def test_simulated_logs_are_equal_for_equal_seeds(tmp_path: Path) -> None:
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        write_log(tmp_path / name, 2_000, seed)
    logs = [pd.read_parquet(tmp_path / name / "events.parquet") for name in "abc"]
    pd.testing.assert_frame_equal(logs[0], logs[1])
    assert not logs[0].equals(logs[2])
    assert logs[0]["timestamp"].is_monotonic_increasing
    assert logs[0]["user_id"].nunique() <= 20


def test_memory_of_a_process_and_what_it_started() -> None:
    """A child that holds 200 MB counts, and is gone once it has ended."""
    inner = "b = bytearray(200 << 20); b[::4096] = b'x' * len(b[::4096]); print(1, flush=True); input()"
    outer = f"import subprocess, sys; sys.exit(subprocess.run([sys.executable, '-c', {inner!r}]).returncode)"
    process = subprocess.Popen([sys.executable, "-c", outer], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin
    assert process.stdout
    process.stdout.readline()
    assert len(tree(process.pid)) == 2
    assert sum(map(kilobytes, tree(process.pid))) > 200 << 10
    process.communicate(b"\n")
    assert process.returncode == 0
    assert tree(process.pid) == [process.pid]
    assert kilobytes(process.pid) == 0


def test_a_preparation_that_fails_says_why() -> None:
    with pytest.raises(DataError, match="nonsense"):
        benchmark_prepare(["nonsense"], 1)


def test_measures() -> None:
    calls: list[int] = []
    assert median_seconds(lambda: calls.append(1), times=3, warm_up=2) >= 0
    assert len(calls) == 5
    assert peak_mb() > 100
    assert peak_gflops() > 0.1
