"""Calibration of a trained run: fitted on validation, kept with the weights, applied by the export."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from intentrec_tf.calibration import head_loss, head_targets
from pipelines.calibrate import calibrate, intent_predictions
from pipelines.calibration_picture import reliability_figure
from pipelines.export import version as module
from pipelines.export.model_card import model_card
from pipelines.main import main
from pipelines.run_folder import RunFolder
from pipelines.split import TEST, VALIDATION
from pipelines.validate import DataError
from tests.picture_checks import check_texts


@pytest.fixture(scope="module")
def run(trained: RunFolder, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A copy of the trained run, to be calibrated."""
    return RunFolder(shutil.copytree(trained.folder, tmp_path_factory.mktemp("calibrated") / "run"))


@pytest.fixture(scope="module")
def record(run: RunFolder) -> dict[str, Any]:
    """What calibration found of it."""
    return calibrate(run, lambda line: None)


def test_each_temperature_is_the_best_of_the_validation_part(run: RunFolder, record: dict[str, Any]) -> None:
    model, prepared, _ = run.load_next_item_model()
    predictions = intent_predictions(model, prepared, VALIDATION)
    assert set(record["heads"]) == set(predictions) == {"action", "genre", "phase", "repeat"}
    for name, head in record["heads"].items():
        logits, labels = predictions[name]
        targets = head_targets(labels, logits.shape[1], True)
        near = [head_loss(logits, targets, head["temperature"] * factor, False) for factor in (0.97, 1.0, 1.03)]
        assert near[1] == min(near)
        assert head["validation"]["after"]["log_loss"] == pytest.approx(near[1])
        assert head["validation"]["after"]["log_loss"] <= head["validation"]["before"]["log_loss"]
    assert record["heads"]["genre"]["form"] == "softmax, several labels true"
    assert record["fitted_on"] == "validation"


def test_the_record_judges_on_the_test_part(run: RunFolder, record: dict[str, Any]) -> None:
    model, prepared, _ = run.load_next_item_model()
    logits, labels = intent_predictions(model, prepared, TEST)["action"]
    measured = record["heads"]["action"]["test"]
    assert measured["count"] == int((labels >= 0).sum()) == sum(measured["before"]["bins"]["count"])
    assert measured["accuracy"] == pytest.approx(float((logits.argmax(1) == labels)[labels >= 0].mean()))
    for when in ("before", "after"):
        bins = {name: np.array(column) for name, column in measured[when]["bins"].items()}
        error = (np.abs(bins["confidence"] - bins["outcome"]) * bins["count"]).sum() / bins["count"].sum()
        assert measured[when]["ece"] == pytest.approx(error, abs=1e-5)


def test_it_belongs_to_the_weights(run: RunFolder, record: dict[str, Any]) -> None:
    kept = run.calibration()
    assert kept is not None
    assert {name: value for name, value in kept.items() if name != "weights"} == json.loads(json.dumps(record))
    weights = run.weights.read_bytes()
    run.weights.write_bytes(weights + b"\0")  # trained on
    assert run.calibration() is None
    run.weights.write_bytes(weights)


def test_the_export_applies_it_and_says_so(
    run: RunFolder, record: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temperatures = {name: head["temperature"] for name, head in record["heads"].items()}
    given: list[Any] = []

    def save_model(*arguments: Any) -> None:
        given.append(arguments[-1])
        raise InterruptedError

    monkeypatch.setattr(module, "save_model", save_model)
    with pytest.raises(InterruptedError):
        module.export(run, tmp_path / "model")
    assert given == [temperatures]

    monkeypatch.setattr(module, "_fill", lambda *_: ["intent", "item"])
    version = module.export(run, tmp_path / "model")
    info = json.loads((version / "intentrec.json").read_text(encoding="utf-8"))
    heads = info["calibration"]["heads"]
    assert {name: head["temperature"] for name, head in heads.items()} == temperatures
    assert "bins" not in json.dumps(heads)
    card = (version / "MODEL_CARD.md").read_text(encoding="utf-8")
    ece = [record["heads"]["genre"]["test"][when]["ece"] for when in ("before", "after")]
    assert f"| genre | {temperatures['genre']:.3f} | {ece[0]:.3f} | {ece[1]:.3f} |" in card
    assert record["definition"] in card


def test_an_export_without_says_so_too(exported: Path) -> None:
    plain = json.loads((exported / "intentrec.json").read_text(encoding="utf-8"))
    assert plain["calibration"] is None
    assert "not calibrated" in model_card(plain)
    assert "calibrated" not in model_card({**plain, "signatures": ["item"]})


def test_diagrams_can_be_read(record: dict[str, Any]) -> None:
    texts = check_texts(reliability_figure(record))
    for name, head in record["heads"].items():
        assert f"{name}, temperature {head['temperature']:.2f}" in texts
        assert f"before: error {head['test']['before']['ece']:.3f}" in texts
    few = {**record, "heads": {"action": record["heads"]["action"], "phase": {"temperature": 1.0}}}
    assert not any("phase" in text for text in check_texts(reliability_figure(few)))


def test_the_command(run: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    places = ["--json", str(tmp_path / "record.json"), "--picture", str(tmp_path / "deep" / "picture.png")]
    assert main(["calibrate", "--run", str(run.folder), *places]) == 0
    out = capsys.readouterr().out
    assert "genre: temperature" in out
    assert (tmp_path / "deep" / "picture.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((tmp_path / "record.json").read_text(encoding="utf-8"))["heads"]
    assert main(["calibrate", "--run", str(tmp_path)]) == 2
    assert "holds no training run" in capsys.readouterr().err


def test_a_model_without_intents_is_named(trained: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    model, prepared, config = trained.load_next_item_model()
    monkeypatch.setattr(type(model), "intent_model", None, raising=False)
    monkeypatch.setattr(model, "intent_model", None)
    monkeypatch.setattr(trained, "load_next_item_model", lambda: (model, prepared, config))
    with pytest.raises(DataError, match="predicts no intents"):
        calibrate(trained, lambda line: None)
