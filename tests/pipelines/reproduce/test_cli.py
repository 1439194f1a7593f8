"""``intentrec reproduce`` as people meet it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from pipelines.main import main
from pipelines.reproduce.cli import app
from pipelines.reproduce.protocols import Setting
from pipelines.reproduce.runs import Places

COMMANDS = sorted(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


@pytest.fixture
def words(setting: Setting, places: Places) -> list[str]:
    """Options that name the data and the folders."""
    results = places.results.parent
    data = ["--dataset", setting.dataset, "--raw", str(setting.raw)]
    return [*data, "--work", str(places.work), "--results", str(results)]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_with_an_example(command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["reproduce", command, "--help"]) == 0
    out = capsys.readouterr().out
    assert "Example: " in out
    assert f"intentrec reproduce {command}" in out


def test_the_commands_are_listed(capsys: pytest.CaptureFixture[str]):
    main(["reproduce", "--help"])
    out = capsys.readouterr().out
    assert {"table1", "table2", "table3", "robustness", "shift", "page", "figure6", "figure7"} <= set(COMMANDS)
    assert all(command in out for command in COMMANDS)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--seeds", "0,x"], "--seeds 0,x: is not a list of whole numbers from 0 on; write for example 1,2."),
        (["--seeds", ""], "--seeds : is not a list of whole numbers from 0 on; write for example 1,2."),
        (["--seeds=-1"], "--seeds -1: is not a list of whole numbers from 0 on; write for example 1,2."),
        (
            ["--only", "V9"],
            "--only V9: is no row of this table; its rows are V0; V1; V2; V3, 1 week; V3, 1 month; V2 with",
        ),
        (["--protocol", "P9"], "unknown protocol 'P9'; choose one of T, P2, P3, S3."),
        (["--dataset", "netflix"], "unknown data set 'netflix'; choose one of"),
        (["--raw", "absent"], "absent"),
    ],
)
def test_mistakes_are_one_sentence(
    words: list[str], more: list[str], sentence: str, laboratory: Any, capsys: pytest.CaptureFixture[str]
):
    assert main(["reproduce", "table2", *words, *more]) == 2
    err = capsys.readouterr().err.strip()
    assert len(err.splitlines()) == 1
    assert err.startswith("intentrec: ")
    assert sentence in err
    assert laboratory.trained == []


def test_a_missing_data_set_is_a_usage_error(capsys: pytest.CaptureFixture[str]):
    assert main(["reproduce", "table1"]) == 2
    assert "Missing option '--dataset'" in " ".join(capsys.readouterr().err.split())


def test_an_interrupted_table_goes_on(words: list[str], laboratory: Any, capsys: pytest.CaptureFixture[str]):
    command = ["reproduce", "table2", *words, "--seeds", "0,0", "--only", "V0; V1;"]
    laboratory.interrupt_at = "v1-seed0"
    assert main(command) == 130
    assert "stopped; the same command goes on where it was" in capsys.readouterr().err
    assert laboratory.trained == ["v0-seed0"]
    laboratory.interrupt_at = None
    assert main(command) == 0
    assert laboratory.trained == ["v0-seed0", "v1-seed0"]
    out = capsys.readouterr().out
    assert "run 2 of 2: V1, seed 0, foursquare-nyc-T: HR@10" in out
    assert "Against V1, in percent" in out


@pytest.mark.parametrize("command", ["robustness", "shift"])
def test_an_interrupted_report_says_that_nothing_is_lost(
    command: str, words: list[str], laboratory: Any, capsys: pytest.CaptureFixture[str]
):
    laboratory.interrupt_at = "v2-seed0"
    assert main(["reproduce", command, *words]) == 130
    assert "the same command goes on" in capsys.readouterr().err


def test_again_replaces(words: list[str], configs: Path, laboratory: Any, capsys: pytest.CaptureFixture[str]):
    command = ["reproduce", "table2", *words, "--only", "V0"]
    assert main(command) == 0
    file = configs / "default.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("epochs: 2", "epochs: 3"), encoding="utf-8")
    assert main(command) == 2
    assert "(training.epochs); make the table with --again" in capsys.readouterr().err
    assert main([*command, "--again"]) == 0
    assert main(command) == 0
    assert laboratory.trained == ["v0-seed0"] * 2


def test_the_real_thing(real: Any, configs: Path, capsys: pytest.CaptureFixture[str]):
    """The record of a real run is found by the command that makes its table."""
    folders = ["--work", str(real.places.work), "--results", str(real.places.results.parent)]
    data = ["--dataset", "foursquare-nyc", "--raw", str(real.setting.raw)]
    assert main(["reproduce", "table1", *data, *folders, "--only", "Transformer"]) == 0
    out = capsys.readouterr().out
    assert f"NDCG@10 {real.record['metrics']['NDCG@10']:.4f}" in out
    assert "| system | seeds | request time | HR@1 | HR@10 | NDCG@10 | action_type acc. | area acc. |" in out


def test_page(tmp_path: Path, make_record: Callable[..., Any], write_record: Callable[..., Any], capsys: Any):
    assert main(["reproduce", "page", "--results", str(tmp_path)]) == 2
    assert "holds no run; start with 'intentrec reproduce table1'" in capsys.readouterr().err
    write_record(tmp_path, make_record("V0", [1, 2]))
    write_record(tmp_path, make_record("V1", [1, 1]))
    assert main(["reproduce", "page", "--results", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"written: {tmp_path / 'README.md'}\n"
    assert "(pictures/foursquare-nyc-T-table2.png)" in (tmp_path / "README.md").read_text(encoding="utf-8")
