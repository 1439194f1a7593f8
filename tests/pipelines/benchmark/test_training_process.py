"""Turns between processes, and what becomes of one that fails."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pipelines.benchmark.training_process import TrainingProcess
from pipelines.validate import DataError

WELL = """
import json, sys
print(json.dumps({"ready": True}), flush=True)
for number, line in enumerate(sys.stdin):
    print(json.dumps({"seconds": number, "line": line}), flush=True)
"""
FAILING = """
import sys
print("{}", flush=True)
sys.stdin.readline()
sys.exit("out of luck")
"""


def _process_of(program: str, folder: Path) -> TrainingProcess:
    return TrainingProcess("somebody", [sys.executable, "-c", program], folder / "log.txt")


def test_turns_are_kept_and_the_process_ends(tmp_path: Path) -> None:
    with _process_of(WELL, tmp_path) as trainer:
        assert trainer.epoch() == {"seconds": 0, "line": "go\n"}
        trainer.epoch()
        assert trainer.validation()["seconds"] == 2
        process = trainer._process
    assert [turn["seconds"] for turn in trainer.turns] == [0, 1]
    assert process is not None
    assert process.poll() == 0


def test_a_process_that_fails_says_why(tmp_path: Path) -> None:
    with _process_of(FAILING, tmp_path) as trainer, pytest.raises(DataError, match=r"somebody: .*'out of luck'"):
        trainer.epoch()


def test_a_process_that_cannot_start_says_why(tmp_path: Path) -> None:
    with (
        pytest.raises(DataError, match="No module named nowhere"),
        TrainingProcess("somebody", [sys.executable, "-m", "nowhere"], tmp_path / "log.txt"),
    ):
        pass


def test_an_error_elsewhere_ends_the_process(tmp_path: Path) -> None:
    trainer = _process_of(WELL, tmp_path)

    def fail() -> None:
        with trainer:
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert trainer._process is not None
    assert trainer._process.poll() is not None
