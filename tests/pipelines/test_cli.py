"""The commands as people meet them: help, mistakes, a machine with the base install only."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from pipelines import doctor
from pipelines.cli import app
from pipelines.datasets import fetch
from pipelines.main import main
from pipelines.model_cli import _assignments
from pipelines.prepared import PreparedData
from pipelines.run_folder import RunFolder
from pipelines.validate import DataError

REPOSITORY = Path(__file__).parents[2]
COMMANDS = sorted(typer.main.get_command(app).commands)  # type: ignore[attr-defined]

RUN_ALL = """
import contextlib, io, json, sys
{before}
from pipelines.main import main
answers = []
for words in json.loads(sys.argv[1]):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(words)
    answers.append([code, out.getvalue(), err.getvalue()])
heavy = [name for name in ("tensorflow", "tf_keras", "pandas", "typer") if name in sys.modules]
print(json.dumps([answers, heavy]))
"""
BLOCK = """
BLOCKED = ("typer", "rich", "redis", "pandas", "pyarrow", "tensorflow", "tf_keras", "pydantic", "pydantic_core", "yaml",
           "pandera", "matplotlib", "sklearn", "optuna", "tensorflow_recommenders", "tensorflow_serving")
import configparser, re
setup = configparser.ConfigParser()
setup.read("setup.cfg")
PACKAGES = [re.split("[<>=]", line)[0].replace("-", "_")
            for line in setup["options.extras_require"]["train"].split()]
assert "tensorflow" in PACKAGES
class Without:
    def __init__(self, real):
        self.real = real
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in BLOCKED:
            return None
        return self.real.find_spec(name, path, target)
    def find_distributions(self, context):
        found = getattr(self.real, "find_distributions", lambda context: ())(context)
        return (d for d in found if d.metadata["Name"].lower().replace("-", "_") not in PACKAGES)
sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
"""


def run_all(commands: list[list[str]], before: str = "") -> tuple[list[tuple[int, str, str]], list[str]]:
    """Exit code, stdout and stderr of each command, all in one fresh process; and what it had to import."""
    words = [sys.executable, "-c", RUN_ALL.format(before=before), json.dumps(commands)]
    environment = {name: value for name, value in os.environ.items() if name != "INTENTREC_DATA"}
    environment["COLUMNS"] = "200"
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, env=environment, cwd=REPOSITORY)
    assert done.returncode == 0, done.stderr
    answers, heavy = json.loads(done.stdout.splitlines()[-1])
    return [tuple(answer) for answer in answers], heavy


def test_help_of_every_command_without_tensorflow():
    commands = [["--help"], *([name, "--help"] for name in COMMANDS), ["data"], ["doctor"]]
    answers, heavy = run_all(commands)
    for words, (code, out, err) in zip(commands, answers, strict=True):
        assert code == 0, (words, err)
        assert out.strip(), words
        if words[-1] == "--help" and len(words) > 1:
            assert "xample" in out, words
            assert f"intentrec {words[0]}" in out, words
    assert all(name in answers[0][1] for name in COMMANDS)
    assert "movielens-100k" in answers[-2][1]
    assert "tensorflow" not in heavy


def test_the_base_install():
    needy = [["train", "--data", "x", "--run", "y"], ["prepare", "simulated", "--out", "x"], ["evaluate", "--run", "x"]]
    needy += [["export", "--run", "x", "--out", "y"], ["serve", "x"], ["demo"], ["data"]]
    alive = [["intent", "--help"], ["recommend", "--help"], ["doctor"], ["--help"], ["history", "--help"]]
    wrong = [
        ["intent", "--history", "absent.json"],
        ["recommend", "--data", "absent", "--user", "1", "--server", "x:1"],
        ["history", "show", "u", "--store", "nowhere"],
    ]
    answers, heavy = run_all([*needy, *alive, *wrong], BLOCK)
    for words, (code, out, err) in zip(needy, answers, strict=False):
        assert (code, out) == (2, ""), words
        assert len(err.splitlines()) == 1, err
        assert f"'{words[0]}' needs typer" in err
        assert "pip install 'intentrec_tf[train]'" in err
    for words, (code, out, err) in zip(alive, answers[len(needy) :], strict=False):
        assert code == 0, (words, out, err)
    assert "base install only" in answers[len(needy) + 2][1]
    for code, _, err in answers[-len(wrong) :]:
        assert code in (1, 2)
        assert "Traceback" not in err
        assert len(err.splitlines()) == 1
    assert heavy == []


def test_the_page_without_its_extra():
    before = BLOCK.replace('BLOCKED = ("typer",', 'BLOCKED = ("fastapi",')
    answers, heavy = run_all([["web", "--help"], ["web", "--demo", "x"]], before)
    for code, out, err in answers:
        assert (code, out) == (2, "")
        assert err == "intentrec: 'web' needs fastapi; run pip install 'intentrec_tf[web]'.\n"
    assert heavy == []


def one_sentence(capsys: pytest.CaptureFixture[str]) -> str:
    err = capsys.readouterr().err
    assert "Traceback" not in err
    lines = err.strip().splitlines()
    assert len(lines) == 1, err
    assert lines[0].startswith("intentrec: ")
    return lines[0]


def test_mistakes_are_one_sentence(prepared: PreparedData, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    data, run = ["--data", str(prepared.folder)], ["--run", str(tmp_path / "run")]
    (tmp_path / "typo.yaml").write_text("training: {epoch: 3}\n", encoding="utf-8")
    (tmp_path / "broken.yaml").write_text("training: {epochs: 3\n", encoding="utf-8")
    (tmp_path / "list.yaml").write_text("- 1\n", encoding="utf-8")
    (tmp_path / "twice.yaml").write_text("training:\n  epochs: 3\n  epochs: 4\n", encoding="utf-8")
    cases: list[tuple[list[str], str]] = [
        (["prepare", "netflix", "--out", str(tmp_path / "x")], "unknown data set 'netflix'; choose one of"),
        (["data", "netflix"], "netflix"),
        (["prepare", "tables", "--out", str(tmp_path / "x")], "'tables' has no schema of its own"),
        (["prepare", "simulated", "--size", "giant", "--out", str(tmp_path / "x")], "unknown size 'giant'"),
        (["prepare", "simulated", "--train-share", "2", "--out", str(tmp_path / "x")], "--train-share: "),
        (["prepare", "simulated", "--raw", "x", "--out", str(tmp_path / "x")], "'simulated' takes no raw"),
        (["train", "--data", str(tmp_path), *run], "holds no prepared data; run 'intentrec prepare'"),
        (["train", *data, *run, "--set", "epochs"], "--set epochs: is not KEY=VALUE"),
        (
            ["train", *data, *run, "--set", "training.epoch=3"],
            "--set training.epoch: unknown key; known are clip_norm",
        ),
        (["train", *data, *run, "--set", "training.epochs=many"], "--set training.epochs: "),
        (["train", *data, *run, "--set", "model=V0"], "--set model: "),
        (["train", *data, *run, "--set", "model.variant=V9"], "--set model.variant: "),
        (["train", *data, *run, "--config", "fast"], "cannot be read"),
        (
            ["train", *data, *run, "--config", str(tmp_path / "typo.yaml")],
            "typo.yaml: field 'training.epoch'",
        ),
        (["train", *data, *run, "--config", str(tmp_path / "broken.yaml")], "not a valid YAML file"),
        (["train", *data, *run, "--config", str(tmp_path / "twice.yaml")], "line 3 gives the key 'epochs' again"),
        (["train", *data, *run, "--config", str(tmp_path / "list.yaml")], "the whole file"),
        (["evaluate", *run], "holds no training run"),
        (["export", *run, "--out", str(tmp_path / "export")], "holds no training run"),
    ]
    for words, expected in cases:
        assert main(words) == 2, words
        assert expected in one_sentence(capsys), words
    assert sorted(path.name for path in tmp_path.iterdir()) == ["broken.yaml", "list.yaml", "twice.yaml", "typo.yaml"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["evaluate"], "Missing option '--run'"),
        (["train", "--run", "x"], "Missing option '--data'"),
        (["evaluate", "--run", "x", "--part", "train"], "Invalid value for '--part'"),
        (["evaluate", "--run", "x", "--batch", "0"], "Invalid value for '--batch'"),
        (["trian"], "No such command 'trian'"),
        (["train", "--epochs", "3"], "No such option"),
    ],
)
def test_usage_errors(words: list[str], expected: str, capsys: pytest.CaptureFixture[str]):
    assert main(words) == 2
    err = capsys.readouterr().err
    assert "Traceback" not in err
    assert expected in " ".join(err.split())


def test_data_names_the_folder_it_fetched_into(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(fetch, "fetch", lambda name, progress: fetch.Fetched(tmp_path / name, ("cache: found.",)))
    assert main(["data", "movielens-100k"]) == 0
    assert capsys.readouterr().out == f"movielens-100k: {tmp_path / 'movielens-100k'}\n"


def test_assignments():
    words = ["model.variant=V0", "training.epochs=3", "training.validation_targets=null", "a.b.c=x=y"]
    assert _assignments(words) == {
        "model": {"variant": "V0"},
        "training": {"epochs": 3, "validation_targets": None},
        "a": {"b": {"c": "x=y"}},
    }
    for wrong in ("model", "=3", "model.=3", ".x=3"):
        with pytest.raises(DataError, match="is not KEY=VALUE"):
            _assignments([wrong])
    with pytest.raises(DataError, match="'model' already has a value"):
        _assignments(["model=1", "model.dim=8"])


def test_evaluate_and_export(trained: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any):
    """A subset is written where asked, never beside the run; the whole test part is kept with the run."""
    monkeypatch.setattr("pipelines.export.version._fill", lambda *_: ["item"])
    run = ["--run", str(trained.folder)]
    file = tmp_path / "deep" / "subset.json"
    assert main(["evaluate", *run, "--max-targets", "5", "--json", str(file)]) == 0
    assert json.loads(file.read_text(encoding="utf-8"))["targets"] <= 5
    assert not (trained.folder / "evaluation.json").exists()
    assert main(["evaluate", *run]) == 0
    record = json.loads((trained.folder / "evaluation.json").read_text(encoding="utf-8"))
    assert record["part"] == "test"
    assert main(["export", *run, "--out", str(tmp_path / "model")]) == 0
    info = next((tmp_path / "model").glob("*/intentrec.json"))
    assert json.loads(info.read_text(encoding="utf-8"))["evaluation"] == record
    assert f"exported to {info.parent}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("pages", "tunables", "libc", "noted"),
    [
        ("always [madvise] never", "", ("glibc", "2.36"), True),
        ("always [madvise] never", "glibc.malloc.hugetlb=1", ("glibc", "2.36"), False),
        ("[always] madvise never", "", ("glibc", "2.36"), False),
        ("always [madvise] never", "", ("glibc", "2.31"), False),
        ("always [madvise] never", "", ("", ""), False),
        (None, "", ("glibc", "2.36"), False),
    ],
)
def test_doctor_knows_of_large_pages(
    pages: str | None, tunables: str, libc: tuple[str, str], noted: bool, tmp_path: Path, monkeypatch: Any
):
    setting = tmp_path / "enabled"
    if pages is not None:
        setting.write_text(pages + "\n", encoding="ascii")
    monkeypatch.setenv("GLIBC_TUNABLES", tunables)
    monkeypatch.setattr("platform.libc_ver", lambda: libc)
    assert [check.state for check in doctor._pages(setting)] == ["note"] * noted


def test_doctor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setenv("INTENTREC_DATA", str(tmp_path))
    monkeypatch.delenv("TENSORFLOW_MODEL_SERVER", raising=False)
    assert main(["doctor", "--unknown"]) == 2
    capsys.readouterr()
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert "ok    tensorflow " in out
    assert out.rstrip().endswith("everything needed is here")
    assert str(tmp_path) not in out
    monkeypatch.setenv("INTENTREC_DATA", str(tmp_path / "absent"))
    monkeypatch.setenv("TF_USE_LEGACY_KERAS", "0")
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "fail  INTENTREC_DATA names no folder: correct or unset it" in out
    assert "fail  TF_USE_LEGACY_KERAS=0: unset it: intentrec_tf needs Keras 2" in out
    assert out.rstrip().endswith("2 problem(s) to solve")
