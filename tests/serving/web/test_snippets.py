"""The Python that the page shows runs and asks the same."""

from __future__ import annotations

from typing import Any

import pytest

from serving.web.snippets import python_call


def test_the_code_runs_against_a_server(server: Any, capsys: pytest.CaptureFixture[str]) -> None:
    history = [{"item_id": "2", "timestamp": 300, "action_type": 'it\'s "so"\n', "genres": ["x", "z"]}]
    request = {"history": history, "k": 2, "exclude": ["1"], "request_time": 900}
    exec(python_call(server.address, "intentrec", "recommend", request), {})
    printed = capsys.readouterr().out
    assert "item_id='3'" in printed
    assert "item_id='1'" not in printed
