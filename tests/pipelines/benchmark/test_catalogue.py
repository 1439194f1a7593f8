"""The whole way with a large catalogue."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.benchmark import catalogue as module
from pipelines.benchmark.worker import measured_command
from pipelines.main import main
from pipelines.validate import DataError

STEPS = ["prepare", "train IntentRec V3", "train retrieval", "export", "serve"]


@pytest.mark.slow
def test_a_hundred_thousand_items_go_the_whole_way(tmp_path: Path) -> None:
    record = module.benchmark_catalogue("100k-items", tmp_path, say=lambda line: None)
    assert record["items"] == 100_000
    assert list(record["seconds"]) == list(record["peak_mb"]) == STEPS
    assert max(record["peak_mb"].values()) < 8_000
    assert record["recommended"] == 10
    assert set(record["p50_ms"]) == {"intent", "item", "retrieve", "two-stage"}
    assert str(tmp_path) not in json.dumps(record)


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What it runs and keeps, without the steps themselves."""
    asked = []

    def measured(words: list[str]) -> dict[str, Any]:
        asked.append(words)
        target = Path(words[words.index("--out" if "--out" in words else "--run") + 1])
        if words[0] == "prepare":
            assert main([*words[:3], "tiny", *words[4:]]) == 0
        elif words[0] == "train":
            target.mkdir()
            (target / "history.jsonl").write_text('{"epoch": 1, "seconds": 2.5, "loss": 7.0}\n')
        return {"seconds": 3.0, "peak_mb": 100}

    served = {"seconds_to_start": 4.0, "peak_mb": 90, "p50_ms": {"item": 5.0}, "recommended": 10}
    monkeypatch.setattr(module, "measured_command", measured)
    monkeypatch.setattr(module, "ask_worker", lambda name, options: dict(served))
    file = tmp_path / "m.json"
    assert main(["benchmark", "catalogue", "--size", "100k-items", "--json", str(file)]) == 0
    record = json.loads(file.read_text(encoding="utf-8"))
    assert record["items"] == 80  # also those that nobody met in training
    assert record["seconds"] == {**dict.fromkeys(STEPS, 3.0), "serve": 4.0}
    assert record["steps_an_epoch"]["retrieval"] == {"seconds": 2.5, "loss": 7.0}
    assert (
        record["commands"]["prepare"] == "intentrec prepare simulated --size 100k-items --min-item-count 0 --out data"
    )
    assert [words[0] for words in asked] == ["prepare", "train", "train", "export"]
    assert "80 items" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["prepare", "nonsense", "--out", "x"], "unknown data set 'nonsense'"),
        (["prepare", "--colour", "red"], "these are no arguments of 'intentrec prepare'"),
    ],
)
def test_a_command_that_fails_says_why(words: list[str], sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        measured_command(words)
