"""Several replicas train what one device trains, and a worker that dies costs an epoch at most."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from pipelines.callbacks import read_history
from pipelines.config import RunConfig, TrainingConfig
from pipelines.main import main
from pipelines.prepared import PreparedData
from pipelines.replicas import Replicas, keeps_run, read_tf_config, worker_parts
from pipelines.run_folder import RunFolder
from pipelines.train import train
from pipelines.validate import DataError

Configure = Callable[..., RunConfig]
PROCESS = Path(__file__).with_name("replica_process.py")
PATIENCE = 400  # seconds for processes on a busy machine


def quiet(line: str) -> None:
    pass


@pytest.fixture(scope="module")
def config(make_config: Configure) -> RunConfig:
    """Without anything random in a step, so that it is the same however a batch is cut."""
    chosen = make_config(epochs=3)
    return chosen.model_copy(update={"model": chosen.model.model_copy(update={"variant": "V0", "random_oov": 0.0})})


@pytest.fixture(scope="module")
def alone(prepared: PreparedData, config: RunConfig, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """The run of one device."""
    run = RunFolder(tmp_path_factory.mktemp("runs") / "alone")
    train(prepared, config, run, quiet)
    return run


def with_strategy(config: RunConfig, strategy: str, **training: object) -> RunConfig:
    changes = {"strategy": strategy, **training}
    return config.model_copy(update={"training": config.training.model_copy(update=changes)})


def start(
    prepared: PreparedData, config: RunConfig, run: RunFolder, tf_config: str = "", dies: int = 0
) -> subprocess.Popen[str]:
    command = [sys.executable, str(PROCESS), str(prepared.folder), config.model_dump_json(), str(run.folder), str(dies)]
    root = str(Path(__file__).resolve().parents[2])
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONPATH": root}
    environment |= {"TF_CONFIG": tf_config} if tf_config else {}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


def two_workers(prepared: PreparedData, config: RunConfig, run: RunFolder, dying: int = -1) -> list:
    """Exit code, output and errors of both; worker ``dying`` ends at the beginning of epoch 3."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    workers = [f"127.0.0.1:{bound.getsockname()[1]}" for bound in sockets]
    for bound in sockets:
        bound.close()
    texts = [{"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}} for index in range(2)]
    processes = [
        start(prepared, config, run, json.dumps(text), 3 if index == dying else 0) for index, text in enumerate(texts)
    ]
    try:
        return [finish(process) for process in processes]
    finally:
        for process in processes:
            process.kill()


def check_same(found: RunFolder, expected: RunFolder, tolerance: float) -> None:
    """Losses, validation and best weights."""
    for one, other in zip(read_history(found.history), read_history(expected.history), strict=True):
        assert one.keys() == other.keys()
        for name in one.keys() - {"seconds"}:
            assert one[name] == pytest.approx(other[name], abs=tolerance), f"{name} of epoch {one['epoch']}"
    models = [run.load_model()[0] for run in (found, expected)]
    for one, other in zip(*(model.trainable_weights for model in models), strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), atol=tolerance, rtol=0, err_msg=one.name)


def test_two_devices_train_what_one_does(prepared: PreparedData, config: RunConfig, alone: RunFolder, tmp_path: Path):
    run = RunFolder(tmp_path / "run")
    code, out, err = finish(start(prepared, with_strategy(config, "mirrored", xla=True), run))
    assert code == 0, err[-2_000:]
    assert "2 replica(s) in 1 process(es), 4 row(s) of each batch to each replica" in out
    assert "training.xla is off" in out
    check_same(run, alone, 1e-4)


@pytest.mark.slow
def test_two_workers_train_what_one_does(prepared: PreparedData, config: RunConfig, alone: RunFolder, tmp_path: Path):
    run = RunFolder(tmp_path / "run")
    for code, _, err in two_workers(prepared, with_strategy(config, "multi_worker"), run):
        assert code == 0, err[-2_000:]
    check_same(run, alone, 1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("dying", [0, 1], ids=["chief", "other"])
def test_kill_9_of_a_worker(dying: int, prepared: PreparedData, config: RunConfig, alone: RunFolder, tmp_path: Path):
    """After two of three epochs; the other worker says so and ends, and both go on to where one device ends."""
    chosen, run = with_strategy(config, "multi_worker"), RunFolder(tmp_path / "run")
    ended = two_workers(prepared, chosen, run, dying)
    assert ended[dying][0] == -signal.SIGKILL, ended[dying][2][-2_000:]
    code, _, err = ended[1 - dying]
    assert code == 2, err[-2_000:]
    assert "another worker is gone, so training has stopped; start all workers again" in err
    assert len(read_history(run.history)) == 2
    again = two_workers(prepared, chosen, run)
    for code, _, err in again:
        assert code == 0, err[-2_000:]
    assert "resuming after epoch 2" in again[0][1]
    check_same(run, alone, 1e-4)


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '{"cluster": {"worker": ["a:1", "b:2"]}}',
        '{"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "worker", "index": 2}}',
        '{"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "worker", "index": -1}}',
        '{"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "worker", "index": "0"}}',
        '{"cluster": {"worker": ["a", "b:2"]}, "task": {"type": "worker", "index": 0}}',
        '{"cluster": {"worker": "a:1"}, "task": {"type": "worker", "index": 0}}',
        '{"cluster": {"worker": ["a:1"], "ps": ["b:2"]}, "task": {"type": "ps", "index": 0}}',
    ],
)
def test_a_wrong_tf_config_is_one_sentence(text: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(DataError, match=r"^TF_CONFIG: names no cluster and task of workers; write it like \{.*\}\.$"):
        read_tf_config()


def test_a_missing_tf_config_is_one_sentence(
    prepared: PreparedData, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    words = ["--run", str(tmp_path / "run"), "--set", "training.strategy=multi_worker"]
    assert main(["train", "--data", str(prepared.folder), *words]) == 2
    assert "intentrec: TF_CONFIG: is not set, and training.strategy multi_worker needs it" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_tf_config_out_of_place_is_one_sentence(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TF_CONFIG", "")
    with pytest.raises(DataError, match=r"^TF_CONFIG: is set, but training\.strategy mirrored trains in one"):
        Replicas(TrainingConfig(strategy="mirrored"), quiet)


def test_the_first_worker_keeps_the_run(monkeypatch: pytest.MonkeyPatch):
    several, single = TrainingConfig(strategy="multi_worker"), TrainingConfig()
    cluster = {"chief": ["a:1"], "worker": ["b:2"]}
    for kind, keeps in (("chief", True), ("worker", False)):
        monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": {"type": kind, "index": 0}}))
        assert keeps_run(several) is keeps
        assert keeps_run(single)


def test_every_row_goes_to_one_replica():
    """Two workers of two replicas: of rows 0 to 7 the first has 0 and 1, then 2 and 3, the second the others."""
    batches = tf.data.Dataset.from_tensor_slices({"row": tf.range(16), "wide": tf.zeros([16, 3])}).batch(8)
    found = []
    for worker in range(2):
        context = tf.distribute.InputContext(2, worker, 4)
        parts = worker_parts(batches.map(lambda batch: (batch, batch["row"])), context)
        assert parts.element_spec[0]["wide"].shape[1:] == [3]
        found.append([inputs["row"].numpy().tolist() for inputs, _ in parts])
    assert found == [[[0, 1], [2, 3], [8, 9], [10, 11]], [[4, 5], [6, 7], [12, 13], [14, 15]]]


def test_a_worker_beside_the_chief_writes_elsewhere(tmp_path: Path):
    run = RunFolder(tmp_path / "run")
    run.folder.mkdir()
    run.history.write_text("{}\n", encoding="utf-8")
    worker = Replicas(TrainingConfig(), quiet)
    worker.is_chief = False
    with worker.own_folder(run) as own:
        assert own.history.read_text(encoding="utf-8") == "{}\n"
        own.history.write_text("changed", encoding="utf-8")
        own.weights.touch()
    assert not own.folder.exists()
    assert [path.name for path in run.folder.iterdir()] == ["history.jsonl"]
    assert run.history.read_text(encoding="utf-8") == "{}\n"
