"""Prepared data and runs whose files are damaged: one sentence, never a traceback."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from intentrec_tf.schema import SchemaError
from pipelines.callbacks import read_history
from pipelines.config import RunConfig
from pipelines.prepare import prepare
from pipelines.prepared import PreparedData
from pipelines.run_folder import RunFolder
from pipelines.tune import _open_study
from pipelines.validate import DataError
from tests.fuzz.mutations import damaged, damaged_json, one_sentence
from tests.pipelines.conftest import tiny_config, write_shop

HISTORY = [{"epoch": n, "seconds": 1.5, "loss": 2.0 / n, "val_ndcg@10": 0.1 * n} for n in (1, 2, 3)]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> PreparedData:
    folder = tmp_path_factory.mktemp("fuzzed")
    return prepare(write_shop(folder / "raw", users=8), folder / "data", lambda line: None)


FILES = ["manifest.json", "schema.yaml", "spec.json", "vocabulary/item_id.json", "vocabulary/action.json"]
FILES += ["catalogue.npz", "events.parquet", "items.parquet"]


@pytest.fixture(scope="module")
def copy(prepared: PreparedData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fuzzed") / "copy"
    shutil.copytree(prepared.folder, folder)
    return folder


@given(st.data())
def test_prepared_data(prepared: PreparedData, copy: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(FILES))
    valid = (prepared.folder / name).read_bytes()
    is_json = name.endswith(".json") and data.draw(st.booleans())
    content = data.draw(damaged_json(json.loads(valid)) if is_json else damaged(valid))
    (copy / name).write_bytes(content)
    try:
        again = PreparedData(copy)
        for read in ("spec", "events", "items", "interests", "schema"):
            getattr(again, read)
    except (DataError, SchemaError) as error:
        one_sentence(error)
    finally:
        (copy / name).write_bytes(valid)


@pytest.fixture(scope="module")
def run(prepared: PreparedData, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    folder = RunFolder(tmp_path_factory.mktemp("fuzzed") / "run")
    folder.begin(prepared, tiny_config())
    return folder


@given(st.data())
def test_runs(prepared: PreparedData, run: RunFolder, data: st.DataObject) -> None:
    lines = "".join(json.dumps(record) + "\n" for record in HISTORY).encode()
    record = {"data": str(prepared.folder), "fingerprint": prepared.fingerprint, "config": {"model": {"dim": 8}}}
    (run.folder / "run.json").write_bytes(data.draw(damaged_json(record)))
    (run.folder / "history.jsonl").write_bytes(data.draw(damaged(lines)))
    (run.folder / "evaluation.json").write_bytes(data.draw(damaged_json({"weights": "x", "metrics": {"HR@10": 0.1}})))
    run.weights.write_bytes(b"no weights")
    calls: list[Callable[[], Any]] = [
        run.read,
        run.evaluation,
        lambda: run.begin(prepared, tiny_config()),
        lambda: read_history(run.history),
    ]
    for call in calls:
        try:
            call()
        except (DataError, SchemaError) as error:
            one_sentence(error)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    file = tmp_path_factory.mktemp("study") / "study.db"
    found = _open_study(file, RunConfig())
    found.set_user_attr("identity", {"keys": ["model.dim"]})
    trial = found.ask()
    trial.suggest_int("model.dim", 8, 64)
    trial.report(0.1, 1)
    found.tell(trial, 0.2)
    return file.read_bytes()


def test_a_damaged_search(study: bytes, tmp_path: Path) -> None:
    """A quarter of a second each, so these few: no database, one cut short, one with a page overwritten."""
    assert _open_study(_written(tmp_path / "whole.db", study), RunConfig()).best_value == 0.2
    middle = len(study) // 2
    broken = [b"no database", study[:middle], study[:100] + b"\xff" * 4000 + study[4100:]]
    for number, content in enumerate(broken):
        with pytest.raises(DataError, match=r"cannot be used \(.*\); delete it to search anew") as caught:
            _open_study(_written(tmp_path / f"{number}.db", content), RunConfig())
        one_sentence(caught.value)


def _written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path
