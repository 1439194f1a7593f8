"""`intentrec catalogue`, and the web page on a genuine model from its data to the answer."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from pipelines.main import main
from pipelines.prepared import PreparedData
from serving.web.catalogue import Catalogue


def ask(url: str, path: str, question: dict[str, Any] | None = None) -> Any:
    body = None if question is None else json.dumps(question).encode()
    request = urllib.request.Request(url + path, body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


def test_the_command_writes_a_file(prepared: PreparedData, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "deep" / "catalogue.json"
    assert main(["catalogue", "--data", str(prepared.folder), "--users", "3", "--out", str(file)]) == 0
    assert "histories of 3 users" in capsys.readouterr().out
    assert len(Catalogue.read(file).users) == 3
    assert main(["catalogue", "--data", str(tmp_path), "--out", str(file)]) == 2
    assert "holds no prepared data" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--demo", "absent"], "absent holds no finished demo, so run `intentrec demo --out absent` first."),
        (["--server", "localhost:1"], "--catalogue belongs to --server, so pass both or --demo."),
        (["--server", "localhost:1", "--catalogue", "absent.json"], "absent.json cannot be read"),
        (["--demo", "x", "--port", "99999"], "127.0.0.1:99999 cannot be bound"),
    ],
)
def test_mistakes_are_one_sentence(words: list[str], expected: str, capsys: pytest.CaptureFixture[str]) -> None:
    free = [] if "--port" in words else ["--port", "0"]
    assert main(["web", *words, *free]) in (1, 2)
    err = capsys.readouterr().err
    assert expected in err
    assert len(err.splitlines()) == 1


def test_a_demo_is_served_and_ends_with_its_page(exported: Path, prepared: PreparedData, tmp_path: Path) -> None:
    """A trained model behind the page: rows are in the order of its own probabilities."""
    (tmp_path / "data").symlink_to(prepared.folder)
    (tmp_path / "export").symlink_to(exported.parent)
    command = [sys.executable, "-m", "pipelines.main", "web", "--demo", str(tmp_path), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ}) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline() + process.stdout.readline()
            found = re.search(r"(http://\S+)/ ; the model server at 127\.0\.0\.1:(\d+)", said)
            assert found, said
            url, port = found[1], int(found[2])
            users = ask(url, "/api/page")["users"]
            assert users
            firsts = [_check(url, user) for user in users]
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        finally:
            process.kill()
    assert len(firsts) == len(users)
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port), timeout=5)


def _check(url: str, user: str) -> str:
    """Ask about a user; every row stands where the answered probabilities put it."""
    history = ask(url, f"/api/users/{user}")["history"]
    answer = ask(url, "/api/ask", {"history": history, "moment": history[-1]["timestamp"] + 60})
    intents = {entry["name"]: {e["label"]: e["score"] for e in entry["labels"]} for entry in answer["intents"]}
    assert set(intents) == {"action", "genre", "repeat", "phase"}
    moods = [row for row in answer["rows"] if row["key"].startswith("repeat/")]
    assert moods
    assert [row["share"] for row in moods] == [intents["repeat"][row["key"].split("/")[1]] for row in moods]
    assert [row["share"] for row in moods] == sorted((row["share"] for row in moods), reverse=True)
    genres = [row["share"] for row in answer["rows"] if row["key"].startswith("genre/")]
    assert genres == sorted(genres, reverse=True)
    assert [row["key"] for row in answer["rows"][:2]] == [moods[0]["key"], "picks"]
    return answer["rows"][0]["key"]
