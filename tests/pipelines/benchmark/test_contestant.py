"""Turns between processes, and what becomes of one that fails."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from pipelines.benchmark.contestant import Contestant
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


def _contestant(program: str, folder: Path) -> Contestant:
    return Contestant("somebody", [sys.executable, "-c", program], folder / "log.txt")


def test_turns_are_kept_and_the_process_ends(tmp_path: Path) -> None:
    with _contestant(WELL, tmp_path) as contestant:
        assert contestant.epoch() == {"seconds": 0, "line": "go\n"}
        contestant.epoch()
        assert contestant.validation()["seconds"] == 2
        process = contestant._process
    assert [turn["seconds"] for turn in contestant.turns] == [0, 1]
    assert process is not None
    assert process.poll() == 0


def test_a_process_that_fails_says_why(tmp_path: Path) -> None:
    with _contestant(FAILING, tmp_path) as contestant, pytest.raises(DataError, match=r"somebody: .*'out of luck'"):
        contestant.epoch()


def test_a_process_that_cannot_start_says_why(tmp_path: Path) -> None:
    with (
        pytest.raises(DataError, match="No module named nowhere"),
        Contestant("somebody", [sys.executable, "-m", "nowhere"], tmp_path / "log.txt"),
    ):
        pass


def test_an_error_elsewhere_ends_the_process(tmp_path: Path) -> None:
    contestant = _contestant(WELL, tmp_path)

    def fail() -> None:
        with contestant:
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert contestant._process is not None
    assert contestant._process.poll() is not None
