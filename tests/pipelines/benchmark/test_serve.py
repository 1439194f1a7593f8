"""The serving benchmark runs and says what it promises; how fast is not a test's business."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipelines.benchmark import serve as module
from pipelines.benchmark.load import Load
from pipelines.benchmark.pictures import plot_serve
from pipelines.benchmark.serve import benchmark_serve
from pipelines.config import RunConfig
from pipelines.genuine_server import VARIABLE
from pipelines.main import main
from pipelines.prepared import PreparedData
from pipelines.run_folder import RunFolder
from pipelines.train import train
from pipelines.validate import DataError
from tests.serving.fake_model_server import write_binary

SIGNATURES = {"intent", "item", "rank"}


def _measure(run: RunFolder, exported: Path, work: Path, binary: str | None = None) -> dict[str, Any]:
    """The benchmark of a run exported before, with few calls, its rates not really offered."""

    def offered(address: str, request: bytes, start: float, limit: float, seconds: float) -> tuple[float, list[Load]]:
        assert address.startswith("127.0.0.1:")
        return start, [Load(start, np.full(10, 0.01)), Load(2 * start, np.full(10, np.inf))]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "sustained", offered)
        patch.setattr(module, "export", lambda run, base: shutil.copytree(exported, base / exported.name))
        return benchmark_serve(run, work, 50.0, 0.1, 1, lambda line: None, binary)


@pytest.fixture(scope="module")
def record(trained: RunFolder, exported: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return _measure(trained, exported, tmp_path_factory.mktemp("serve"))


def test_the_record_states_what_was_promised(record: dict[str, Any]) -> None:
    for name in ("p50_ms", "p99_ms", "sustained_rps", "in_process_p50_ms", "batch_p50_ms", "overhead_ms"):
        assert set(record[name]) == SIGNATURES, name
        assert name == "overhead_ms" or all(value > 0 for value in record[name].values()), name
    assert record["server"] == "local"
    assert record["ratio_intent_vs_item"] == pytest.approx(record["p50_ms"]["intent"] / record["p50_ms"]["item"], 0.01)
    assert record["keras_p50_ms"] > 0
    assert set(record["rates"]) == {"off", "on"}
    loads = record["rates"]["on"]["rank"]["loads"]
    assert [load["failed"] for load in loads] == [0, 10]
    assert (loads[0]["p99_ms"], loads[1]["p99_ms"]) == (10.0, None)


def test_the_genuine_server_is_measured_by_its_binary(trained: RunFolder, exported: Path, tmp_path: Path) -> None:
    record = _measure(trained, exported, tmp_path, write_binary(tmp_path))
    assert record["server"] == "tensorflow_model_server"
    assert set(record["p50_ms"]) == SIGNATURES


def test_the_command_chooses_the_server(
    trained: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[str | None] = []

    def measured(*arguments: Any) -> dict[str, Any]:
        asked.append(arguments[-1])
        raise DataError("enough")

    monkeypatch.setattr(module, "benchmark_serve", measured)
    command = ["benchmark", "serve", "--run", str(trained.folder)]
    binary = write_binary(tmp_path)
    monkeypatch.setenv(VARIABLE, binary)
    for words in ([], ["--server", "local"], ["--server", "tensorflow_model_server"]):
        assert main([*command, *words]) == 2
    assert asked == [binary, None, binary]
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setenv("PATH", "")
    capsys.readouterr()
    assert main([*command, "--server", "tensorflow_model_server"]) == 2
    assert "there is no tensorflow_model_server on PATH, so set TENSORFLOW_MODEL_SERVER" in capsys.readouterr().err
    assert main([*command, "--server", "mine"]) == 2
    assert "'mine' is neither local nor tensorflow_model_server" in capsys.readouterr().err


def test_the_picture_can_be_drawn(record: dict[str, Any], tmp_path: Path) -> None:
    plot_serve(record, tmp_path / "serve.png")
    assert (tmp_path / "serve.png").stat().st_size > 10_000


def test_a_run_without_intents_is_one_sentence(prepared: PreparedData, tmp_path: Path) -> None:
    model = {"variant": "V0", "dim": 8, "heads": 1, "item_blocks": 1}
    config = RunConfig.model_validate({"model": model, "training": {"epochs": 1, "xla": False, "patience": 1}})
    run = RunFolder(tmp_path / "v0")
    train(prepared, config, run, lambda line: None)
    with pytest.raises(DataError, match="predicts no intents; name a run of V1, V2 or V3"):
        benchmark_serve(run, tmp_path, 50.0, 0.1, 1, lambda line: None)
