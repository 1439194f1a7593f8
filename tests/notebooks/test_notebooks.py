"""Every notebook runs from top to bottom and shows what it promises; so does what is committed of it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parents[2] / "notebooks"
PATHS_OF_A_MACHINE = re.compile(r"/tmp/|/home/|/root/|/work/|/Users/|/var/folders/")
NOISE = re.compile(r"warning|deprecat|oneDNN|cuda|INFO:tensorflow", re.IGNORECASE)


@dataclass(frozen=True)
class Promise:
    """What the outputs of a notebook hold.

    Attributes:
        pictures: how many.
        texts: what is found in their tables and lines.
        slow: left to ``make test-slow``, for it takes more than a minute of one core: several models or exports, or
            more than the tiny data set. What is committed of it is looked at in every run.
    """

    pictures: int
    texts: tuple[str, ...]
    slow: bool = False


PROMISES = {
    "01_quickstart": Promise(3, ("most recent items", "NDCG@10", "macro f1", "probability")),
    "02_your_own_log": Promise(
        3,
        (
            "18 rejected",
            "timestamp is not a number",
            "did you mean 'exclude_seen'?",
            "it would fit timestamp_unit: ms",
            "data/cinema: prepared",
        ),
    ),
    "03_intents_explained": Promise(4, ("temperature", "error after"), slow=True),
    "04_multi_embedding_retrieval": Promise(3, ("interest ", "topic ", "share of the history"), slow=True),
    "05_serving_and_canary": Promise(
        2, ("largest difference", "480 answers", "cannot be promoted", "request_count{"), slow=True
    ),
    "06_experiments": Promise(3, ("movielens-100k", "±", "all seeds", "people a model to find 1%"), slow=True),
}
RUN = [pytest.param(name, marks=[pytest.mark.slow] if one.slow else []) for name, one in PROMISES.items()]


def check(notebook: Any, promise: Promise) -> None:
    """Every cell has run without error, noise or a machine's paths, and what is promised is there."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell.outputs]
    assert not [output for output in outputs if output.output_type == "error"]
    assert not [output.text for output in outputs if output.get("name") == "stderr"]
    assert sum("image/png" in output.get("data", {}) for output in outputs) == promise.pictures
    texts = [output["text"] for output in outputs if "text" in output]
    texts += [output["data"][kind] for output in outputs for kind in output.get("data", {}) if kind.startswith("text/")]
    whole = "\n".join(texts)
    for pattern in (PATHS_OF_A_MACHINE, NOISE):
        assert not pattern.findall(whole)
    for text in promise.texts:
        assert text in whole


def test_notebooks_are_numbered_and_each_promises_something() -> None:
    names = sorted(path.stem for path in FOLDER.glob("*.ipynb"))
    assert names == sorted(PROMISES)
    assert [name[:2] for name in names] == [f"{number:02}" for number in range(1, len(names) + 1)]


@pytest.mark.parametrize("name", PROMISES)
def test_committed_outputs(name: str) -> None:
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    check(notebook, PROMISES[name])
    linked = re.findall(r"\]\(([^)#:]+)\)", json.dumps(notebook.cells))
    assert not [link for link in linked if not (FOLDER / link).exists()]


@pytest.mark.parametrize("name", RUN)
def test_notebook_runs(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PYTHONPATH", str(FOLDER.parent))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources=resources).execute()
    check(notebook, PROMISES[name])
