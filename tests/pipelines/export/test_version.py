"""A version folder: complete, newer than all others, and free of what TensorFlow Serving refuses."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from pipelines.export import version as module
from pipelines.run_folder import RunFolder
from pipelines.validate import DataError


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """An export that writes a file instead of a model."""
    monkeypatch.setattr(module, "_fill", lambda work, *_: [(work / "saved_model.pb").touch(), "item"][1:])


def test_what_is_in_it(exported: Path, trained: RunFolder):
    assert {path.name for path in exported.iterdir()} >= {
        *("saved_model.pb", "variables", "assets", "assets.extra", "batching_params.pbtxt"),
        *("intentrec.json", "MODEL_CARD.md", "verification.npz", "catalogue.json"),
    }
    assert exported.name.isdecimal()
    assert len(exported.name) == 14
    assert [path.name for path in exported.parent.iterdir()] == [exported.name]
    text = (exported / "intentrec.json").read_text(encoding="utf-8")
    info = json.loads(text)
    prepared, config = trained.read()
    assert info["schema"] == prepared.manifest["schema"]
    assert info["config"] == config.model_dump(mode="json")
    assert info["fingerprint"] == prepared.fingerprint
    assert info["version"] == int(exported.name)
    assert info["signatures"] == ["embed", "intent", "item", "rank", "serving_default"]
    assert set(info["vocabulary_digests"]) == {"item_id", *prepared.spec.vocabularies}
    assert {"intentrec_tf", "libraries", "commit", "date", "command", "machine", "statistics", "evaluation"} <= set(
        info
    )
    for path in (str(prepared.folder), str(exported.parent), str(Path.home())):
        assert path not in text


def test_no_compiled_function_is_in_the_graph(exported: Path):
    model = SavedModel()
    model.ParseFromString((exported / "saved_model.pb").read_bytes())
    graph = model.meta_graphs[0].graph_def
    nodes = [*graph.node, *(node for function in graph.library.function for node in function.node_def)]
    assert len(nodes) > 100
    for part in (*nodes, *graph.library.function):
        assert not part.attr["_XlaMustCompile"].b
        assert not part.attr["_XlaCompile"].b


def test_versions_increase_whatever_the_clock_says(trained: RunFolder, tmp_path: Path, cheap: None):
    first = module.export(trained, tmp_path)
    second = module.export(trained, tmp_path)  # often within the same second
    (tmp_path / "99990101000000").mkdir()  # from a machine with another clock, or by hand
    (tmp_path / "notes").mkdir()
    third = module.export(trained, tmp_path)
    assert int(first.name) < int(second.name) < int(third.name) == 99990101000001


def test_an_error_leaves_no_version(trained: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "_fill", fail)
    with pytest.raises(OSError, match="No space left"):
        module.export(trained, tmp_path / "model")
    assert list((tmp_path / "model").iterdir()) == []


def test_a_folder_of_something_else_is_refused(trained: RunFolder, tmp_path: Path, cheap: None):
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(DataError, match=r"exists and holds something else \(manifest.json\); name a new or empty"):
        module.export(trained, tmp_path)
    with pytest.raises(DataError, match="is a file; name a folder"):
        module.export(trained, tmp_path / "manifest.json")
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]


def test_a_server_s_configuration_beside_the_versions_is_none(trained: RunFolder, tmp_path: Path, cheap: None):
    (tmp_path / "models.config").write_text("")
    assert module.export(trained, tmp_path).is_dir()


KILLED = """
import os, signal, sys
from pipelines.export import version as module
from pipelines.run_folder import RunFolder
def die(work, *_):
    (work / "saved_model.pb").write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
module._fill = die
module.export(RunFolder(sys.argv[1]), sys.argv[2])
"""


def test_kill_9_leaves_no_visible_version(trained: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    command = [sys.executable, "-c", KILLED, str(trained.folder), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, timeout=120, env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"})
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()[-2_000:]
    assert [path.name for path in tmp_path.iterdir() if not path.name.startswith(".")] == []
    assert not any(path.name.isdecimal() for path in tmp_path.iterdir())
    assert len(list(tmp_path.iterdir())) == 1

    def look(work: Path, *_: object) -> None:
        assert list(tmp_path.iterdir()) == [work]  # the killed one had another number, and is gone
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "_fill", look)
    with pytest.raises(OSError, match="No space left"):
        module.export(trained, tmp_path)
