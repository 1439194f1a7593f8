"""Progress for programs: JSON lines with what is done and the time left."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines import pace as module
from pipelines.main import main
from pipelines.pace import Pace, span
from pipelines.progress import track
from pipelines.validate import DataError


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which goes on when its only element is changed."""
    now = [100.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


@pytest.fixture
def as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTENTREC_LOG", "json")


def test_time_left_is_that_of_what_this_call_has_done(clock: list[float]) -> None:
    pace = Pace("epochs", 10, done=4)
    assert pace.seconds_left is None
    assert pace.left == ""
    clock[0] += 30
    pace.advance()
    assert pace.seconds_left == 5 * 30
    assert pace.left == ", about 2 min left"
    for _ in range(5):
        pace.advance()
    assert pace.seconds_left == 0
    assert pace.left == ""


@pytest.mark.usefixtures("as_json")
def test_lines_of_json(clock: list[float], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The first, the last, and one every few seconds between."""
    monkeypatch.setattr("sys.argv", ["intentrec", "evaluate", "--run", "x"])
    for _ in track(range(100), "evaluating", 100):
        clock[0] += 0.5
    printed = capsys.readouterr()
    assert printed.out == ""
    lines = [json.loads(line) for line in printed.err.splitlines()]
    assert set(lines[0]) == {"time", "command", "step", "done", "total", "seconds_left", "message"}
    assert {(line["command"], line["step"], line["total"]) for line in lines} == {("evaluate", "evaluating", 100)}
    assert [line["done"] for line in lines] == [0, *range(10, 101, 10)]
    assert [line["seconds_left"] for line in lines] == [None, *(0.5 * left for left in range(90, -1, -10))]
    assert lines[1]["message"] == "evaluating: 10 of 100, about 45 s left"


def test_silent_without_being_asked(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(track(range(3), "reading", 3)) == [0, 1, 2]
    assert capsys.readouterr().err == ""


def test_another_form_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTENTREC_LOG", "xml")
    with pytest.raises(DataError, match="INTENTREC_LOG=xml: is no form of progress; set it to json or text"):
        track([1], "reading", 1)


@pytest.mark.usefixtures("as_json")
def test_training_tells_epochs_and_batches(
    prepared: object, make_config: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from pipelines.run_folder import RunFolder
    from pipelines.train import train

    said: list[str] = []
    train(prepared, make_config(epochs=2), RunFolder(tmp_path / "run"), said.append)  # type: ignore[arg-type, operator]
    lines = list(objects(capsys.readouterr().err))
    training = [line for line in lines if line["step"] == "training"]
    assert [(line["done"], line["total"]) for line in training] == [(0, 2), (1, 2), (2, 2)]
    assert training[1]["seconds_left"] > 0
    epochs = [line for line in said if line.startswith("epoch")]
    assert [line["message"] for line in training[1:]] == [line.partition(", about ")[0] for line in epochs]
    assert {line["step"] for line in lines} == {"training", "epoch 1", "epoch 2"}
    assert max(line["done"] / line["total"] for line in lines if line["step"] == "epoch 2") == 1


@pytest.mark.usefixtures("as_json")
def test_a_command_keeps_its_output_apart(prepared: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["look", "--data", str(prepared.folder), "--out", str(tmp_path / "look")]) == 0  # type: ignore[attr-defined]
    printed = capsys.readouterr()
    assert "{" not in printed.out
    steps = [line["step"] for line in objects(printed.err)]
    assert {"measuring", "drawing"} == set(steps)


def objects(text: str) -> Iterator[dict]:
    for line in text.splitlines():
        yield json.loads(line)


def test_spans() -> None:
    assert [span(seconds) for seconds in (0.4, 59, 61, 3_599, 9_000)] == ["0 s", "59 s", "1 min", "60 min", "2.5 h"]
