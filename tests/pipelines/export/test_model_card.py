"""The page that comes with a model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipelines.evaluate import evaluate
from pipelines.export.model_card import model_card
from pipelines.report import evaluation_record
from pipelines.run_folder import RunFolder
from pipelines.split import TEST


@pytest.fixture
def info(exported: Path) -> dict:
    return json.loads((exported / "intentrec.json").read_text(encoding="utf-8"))


def test_it_says_where_the_model_comes_from(exported: Path, info: dict):
    card = (exported / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert card == model_card(info)
    assert card.startswith(f"# {info['schema']['name']}: IntentRec V")
    for text in (info["fingerprint"], info["commit"], info["date"], str(info["version"]), "`rank`", *info["sources"]):
        assert text in card
    assert "Not evaluated before the export" in model_card({**info, "evaluation": None})


def test_accuracy_is_that_of_the_weights(trained: RunFolder, info: dict):
    model, prepared, config = trained.load_model()
    record = evaluation_record(evaluate(model, prepared, TEST, max_targets=20), prepared, config, TEST)
    trained.keep_evaluation(record)
    try:
        kept = trained.evaluation()
        assert kept is not None
        card = model_card({**info, "evaluation": kept})
        assert f"| this model | {record['metrics']['HR@1']:.4f} |" in card
        for name in record["intents"]:
            assert f"| {name} | {record['intents'][name]['accuracy']:.3f} |" in card
        weights = trained.weights.read_bytes()
        trained.weights.write_bytes(weights + b"\0")  # trained on
        assert trained.evaluation() is None
        trained.weights.write_bytes(weights)
    finally:
        (trained.folder / "evaluation.json").unlink()


def test_it_says_what_becomes_of_items_never_seen(info: dict):
    words = "Items without any training event are scored by their catalogue features alone."
    assert "without any training event" not in model_card(info)
    everything = {**info, "schema": {**info["schema"], "min_item_count": 0}}
    assert "Scores of items without any training event mean nothing" in model_card(everything)
    dropping = {**info["config"], "model": {**info["config"]["model"], "id_dropout": 0.2}}
    assert words in model_card({**everything, "config": dropping})
    assert words not in model_card({**info, "config": dropping})
