"""The whole way in one command, and nothing left running behind it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines import demo as module
from pipelines.config import RunConfig
from pipelines.prepare import PrepareConfig, prepare


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> list[subprocess.Popen]:
    """Every process that the demo starts."""
    started: list[subprocess.Popen] = []
    real = subprocess.Popen

    class Recorded(real):  # type: ignore[misc, valid-type]
        def __init__(self, *words: Any, **options: Any) -> None:
            super().__init__(*words, **options)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Recorded)
    return started


def of_server(processes: list[subprocess.Popen]) -> list[subprocess.Popen]:
    return [process for process in processes if "serving.local" in process.args]


def test_every_step_on_tiny_data(
    tmp_path: Path,
    make_config: Callable[..., RunConfig],
    make_shop: Callable[..., PrepareConfig],
    servers: list[subprocess.Popen],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    shop = make_shop(tmp_path / "in")
    monkeypatch.setattr(module, "prepare", lambda config, out, say: prepare(shop, out, say))
    module.demo(tmp_path / "demo", config=make_config(epochs=1))
    out = capsys.readouterr().out
    for words in ("1 prepare", "2 train", "3 evaluate", "4 export", "5 serve", "server on 127.0.0.1:", "done"):
        assert words in out
    assert {"data", "run", "export"} <= {path.name for path in (tmp_path / "demo").iterdir()}
    assert not list((tmp_path / "demo").glob(".ready*"))
    (server,) = of_server(servers)
    assert server.returncode == 0  # asked to stop, drained, gone
    assert all(process.poll() is not None for process in servers)


def test_a_server_that_cannot_start_is_one_sentence(tmp_path: Path, servers: list[subprocess.Popen]):
    (tmp_path / "export").mkdir()
    with (
        pytest.raises(RuntimeError, match=r"the model server did not start \(.*\); see .*server.log"),
        module.running_server(tmp_path / "export"),
    ):
        pass
    assert of_server(servers)[0].poll() not in (None, 0)


@pytest.mark.slow
def test_on_movielens_100k_as_a_command(shared_data: Path, tmp_path: Path):
    """The command itself, on the real data, with a configuration that takes a minute."""
    code = """
import sys
from pipelines import config, main
small = config.RunConfig.model_validate({"model": {"variant": "V2", "dim": 8, "heads": 1, "item_blocks": 1},
    "training": {"epochs": 1, "xla": False, "validation_targets": 100}})
config.RunConfig.read = classmethod(lambda cls, name, changes=None: small)
sys.exit(main.main(["demo", "--out", sys.argv[1], "--raw", sys.argv[2]]))
"""
    words = [sys.executable, "-c", code, str(tmp_path / "demo"), str(shared_data / "ml-100k")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=900, env=dict(os.environ))
    assert done.returncode == 0, done.stderr[-2_000:]
    assert "Traceback" not in done.stderr
    assert "943 users, " in done.stdout
    running = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.parent.name != "self"]
    assert not any(str(tmp_path).encode() in command for command in running)
