"""The launcher of the genuine server, with the local server behind the genuine one's flags."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.genuine_server import VARIABLE, GenuineServer, find_binary
from pipelines.model_server import ServerStartError
from pipelines.validate import DataError
from serving.client import IntentRecClient
from tests.serving.fake_model_server import write_binary
from tests.serving.requests_to_server import models_config, wait_for


def _executable(path: Path, text: str) -> str:
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def binary(tmp_path: Path) -> str:
    return write_binary(tmp_path)


def test_a_server_is_ready_when_it_is_entered_and_gone_when_it_is_left(
    binary: str, tmp_path: Path, add_version: Callable[[Path, int], Path]
) -> None:
    base, file = tmp_path / "models", tmp_path / "models.config"
    add_version(base, 1)
    (add_version(base, 2) / "batching_params.pbtxt").write_text("max_batch_size { value: 1 }")
    file.write_text(models_config(base, "all {}", {"stable": 1}))
    with GenuineServer(binary, models_config=file, batching=True) as server:
        assert server.process is not None
        with IntentRecClient(server.address) as client:
            wait_for(lambda: {entry.state for entry in client.status()} == {"AVAILABLE"})
            assert client.intent([]).model_version == 2
        url = f"http://{server.rest_address}/v1/models/intentrec/labels/stable"
        with urllib.request.urlopen(url, timeout=20) as answer:
            assert json.loads(answer.read())["model_version_status"][0]["version"] == "1"
        assert server.process.poll() is None
    assert server.process.returncode == 0


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    broken = _executable(tmp_path / "broken", "#!/bin/sh\necho 'no such flag' >&2\nexit 3\n")
    with pytest.raises(ServerStartError, match="ended with 3; its log ends with:\nno such flag"):
        GenuineServer(broken, tmp_path).__enter__()
    silent = _executable(tmp_path / "silent", "#!/bin/sh\nexec sleep 60\n")
    server = GenuineServer(silent, tmp_path, timeout_s=0.2)
    with pytest.raises(ServerStartError, match="is not ready"):
        server.__enter__()
    assert server.process is not None
    assert server.process.returncode is not None


def test_where_the_binary_is_looked_for(binary: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    assert find_binary() is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_binary() == binary
    monkeypatch.setenv("PATH", "")
    monkeypatch.setenv(VARIABLE, binary)
    assert find_binary() == binary
    monkeypatch.setenv(VARIABLE, str(tmp_path / "absent"))
    with pytest.raises(DataError, match="absent, which cannot be run, so correct or unset it"):
        find_binary()
