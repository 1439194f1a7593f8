"""The local server: versions, faults, start and stop."""

from __future__ import annotations

import logging
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from serving.atomic import atomic_text
from serving.client import IntentRecClient, IntentRecError
from serving.local import LocalServer, LocalServerError, serve
from tests.serving.requests_to_server import models_config, wait_for

AddVersion = Callable[[Path, int], Path]
ROOT = Path(__file__).resolve().parents[2]


# ---- versions -----------------------------------------------------------------------------------------


def test_a_corrupt_newest_version_is_logged_once_and_the_older_serves(
    tmp_path: Path, add_version: AddVersion, caplog: pytest.LogCaptureFixture
) -> None:
    add_version(tmp_path, 1)
    with (
        caplog.at_level(logging.ERROR, logger="serving.local"),
        LocalServer(tmp_path, poll_s=0.02) as server,
        IntentRecClient(server.address) as client,
    ):
        broken = tmp_path / "staging" / "2"
        broken.mkdir(parents=True)
        (broken / "saved_model.pb").write_bytes(b"\xff not a model")
        broken.rename(tmp_path / "2")  # whole, or a poll in between would find another folder than the next one
        wait_for(lambda: any(entry.version == 2 and entry.error for entry in client.status()))
        time.sleep(0.3)  # some fifteen polls
        assert client.intent([]).model_version == 1
        assert len([record for record in caplog.records if "Version 2" in record.message]) == 1
        newest = client.status()[0]
        assert (newest.version, newest.state) == (2, "END")
        assert "cannot be read" in newest.error
        # A version above the broken one is taken, and so is the broken one once it is repaired and newest.
        add_version(tmp_path, 3)
        wait_for(lambda: server.version == 3)


def test_a_version_is_tried_again_when_its_files_change(
    tmp_path: Path, add_version: AddVersion, saved_model: Path
) -> None:
    add_version(tmp_path, 1)
    damaged = add_version(tmp_path, 2)
    variables = damaged / "variables" / "variables.index"
    good = variables.read_bytes()
    variables.write_bytes(b"")
    with LocalServer(tmp_path, poll_s=0.05) as server:
        assert server.version == 1
        variables.write_bytes(good)
        wait_for(lambda: server.version == 2)


def test_an_empty_directory_appearing_first_is_waited_for(tmp_path: Path, add_version: AddVersion) -> None:
    add_version(tmp_path, 1)
    with LocalServer(tmp_path, poll_s=0.05) as server:
        (tmp_path / "2").mkdir()
        (tmp_path / "not-a-version").mkdir()
        (tmp_path / "3").write_text("a file")
        time.sleep(0.2)
        assert server.version == 1
        (tmp_path / "2").rmdir()
        add_version(tmp_path, 2)
        wait_for(lambda: server.version == 2)


def test_the_older_version_takes_over_when_the_newest_is_deleted(tmp_path: Path, add_version: AddVersion) -> None:
    add_version(tmp_path, 1)
    newest = add_version(tmp_path, 2)
    with LocalServer(tmp_path, poll_s=0.05) as server, IntentRecClient(server.address) as client:
        assert client.intent([]).model_version == 2
        newest.rename(tmp_path / "withdrawn")
        wait_for(lambda: server.version == 1)
        assert client.intent([]).model_version == 1
        (tmp_path / "1").rename(tmp_path / "also withdrawn")
        time.sleep(0.2)
        assert client.intent([]).model_version == 1


def test_a_restarted_server_is_found_again(tmp_path: Path, add_version: AddVersion) -> None:
    add_version(tmp_path, 1)
    first = LocalServer(tmp_path)
    first.start()
    with IntentRecClient(first.address) as client:
        assert client.intent([]).model_version == 1
        first.stop()
        with LocalServer(tmp_path, port=first.port):
            assert client.wait_until_ready(5) == 1
            assert client.intent([]).model_version == 1


# ---- start and stop -----------------------------------------------------------------------------------


def test_nothing_to_serve_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(LocalServerError, match="is not a directory, so export a model"):
        LocalServer(tmp_path / "absent").start()
    with pytest.raises(LocalServerError, match="has no numeric version directory"):
        LocalServer(tmp_path).start()
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").touch()
    with pytest.raises(LocalServerError, match=f"is a version itself, so serve the folder it is in, {tmp_path}"):
        LocalServer(tmp_path / "1").start()
    (tmp_path / "1" / "saved_model.pb").unlink()
    with pytest.raises(LocalServerError, match=r"None of the 1 versions.*holds no saved_model.pb"):
        LocalServer(tmp_path).start()


def test_a_port_in_use_is_one_sentence(server: LocalServer) -> None:
    with pytest.raises(LocalServerError, match=f"Cannot listen on {server.address}"):
        LocalServer(server.base_path, port=server.port).start()


def test_a_configuration_that_cannot_be_followed_is_one_sentence(tmp_path: Path, add_version: AddVersion) -> None:
    base, file = tmp_path / "models", tmp_path / "models.config"
    add_version(base, 1)
    for text, words in [
        ("model_config_list {}", "names 0 models"),
        (models_config(base, "specific { versions: 2 }"), r"has none of the versions \[2\], so export or name others"),
        (
            models_config(base, labels={"stable": 1}),
            "assign label 'stable' to version 1 .*start with --allow",
        ),
    ]:
        file.write_text(text)
        with pytest.raises(LocalServerError, match=words) as caught:
            LocalServer(models_config=file).start()
        assert re.fullmatch(r"[^\n]+\.", str(caught.value))
    for paths in ({}, {"base_path": base, "models_config": file}):
        with pytest.raises(LocalServerError, match="so pass one of the two"):
            LocalServer(**paths)


def test_a_configuration_that_goes_bad_is_logged_once(
    tmp_path: Path, add_version: AddVersion, caplog: pytest.LogCaptureFixture
) -> None:
    base, file = tmp_path / "models", tmp_path / "models.config"
    add_version(base, 1)
    file.write_text(models_config(base))
    with (
        caplog.at_level(logging.ERROR, logger="serving.local"),
        LocalServer(models_config=file, poll_s=0.02) as server,
    ):
        assert (server.model, server.version, server.base_path) == ("intentrec", 1, base)
        bad = ["model_config_list {", models_config(base, labels={"stable": 2}), "model_config_list {}"]
        for number, text in enumerate(bad, start=1):
            atomic_text(file, text)
            wait_for(lambda count=number: len(caplog.records) == count)
        add_version(base, 2)
        wait_for(lambda: server.version == 2)
    for message, words in zip(
        caplog.messages, ("in text format", "label 'stable' to version 2", "0 models"), strict=True
    ):
        assert message.startswith("The configuration stays as it was: ")
        assert words in message


def test_a_label_of_a_version_that_is_let_go_is_logged(
    tmp_path: Path, add_version: AddVersion, caplog: pytest.LogCaptureFixture
) -> None:
    base, file = tmp_path / "models", tmp_path / "models.config"
    add_version(base, 1)
    file.write_text(models_config(base, labels={"stable": 1}))
    with LocalServer(models_config=file, poll_s=0.02, allow_unavailable_labels=True) as server:
        add_version(base, 2)
        wait_for(lambda: server.version == 2)
        wait_for(lambda: bool(caplog.messages))
    assert "Version 1 of 'intentrec' is no longer served although the labels ['stable'] mean it" in caplog.text


@pytest.mark.parametrize(
    "options",
    [{"port": -1}, {"rest_port": 70000}, {"port": 70000}, {"threads": 0}, {"poll_s": 0}, {"max_message_mb": -1}],
)
def test_senseless_options_are_one_sentence(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(LocalServerError, match="so pass a number"):
        LocalServer(tmp_path, **options)


def test_serve_without_a_model_returns_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGTERM)
    ready = tmp_path / "ready"
    ready.write_text("127.0.0.1:1\n")  # left behind by a killed server
    assert serve(tmp_path, port=0, ready_file=ready) == 1
    written = capsys.readouterr()
    assert written.out == ""
    assert re.fullmatch(r"[^\n]+ has no numeric version directory, so export a model there first\.\n", written.err)
    assert not ready.exists()
    assert signal.getsignal(signal.SIGTERM) == before


def test_serve_with_a_ready_file_that_cannot_be_written(
    server: LocalServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert serve(server.base_path, port=0, ready_file=tmp_path / "absent" / "ready", grace_s=0.1) == 1
    assert "Cannot write the ready file" in capsys.readouterr().err


@contextmanager
def _process(*arguments: str | Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server of its own and its address; killed at the end if it still runs."""
    with tempfile.TemporaryDirectory() as folder:
        ready = Path(folder) / "ready"
        command = [sys.executable, "-m", "serving.local", *map(str, arguments), "--ready-file", str(ready)]
        process = subprocess.Popen(
            [*command, "--port", "0"],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        try:
            wait_for(lambda: ready.exists() or process.poll() is not None, 60)
            assert process.poll() is None, process.communicate()[1]
            yield process, ready.read_text().strip()
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()


@contextmanager
def _slow_call(address: str, steps: int) -> Iterator[list[Any]]:
    """A call that the server works on inside the block, and its answer or error after it."""
    answers: list[Any] = []

    def ask(client: IntentRecClient) -> None:
        try:
            answers.append(client.predict("slow", {"steps": [steps]}))
        except IntentRecError as error:
            answers.append(error)

    with IntentRecClient(address, timeout_s=60) as client:
        client.intent([])  # connects
        caller = threading.Thread(target=ask, args=(client,))
        caller.start()
        time.sleep(0.2)
        assert caller.is_alive(), "the slow request must still run when the signal arrives"
        yield answers
        caller.join(20)


def test_a_process_announces_itself_drains_on_sigterm_and_leaves_nothing(
    tmp_path: Path, add_version: AddVersion
) -> None:
    add_version(tmp_path, 3)
    with _process(tmp_path, "--rest-port", "0") as (process, address):
        with _slow_call(address, 20_000) as answers:
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=20)
        assert process.returncode == 0, err
        first, last = out.splitlines()
        assert re.fullmatch(rf"Serving intentrec version 3 on {address}, REST on 127\.0\.0\.1:\d+", first)
        assert last == f"Stopping intentrec on {address}"
        assert isinstance(answers[0], dict)
        with pytest.raises(ProcessLookupError):
            os.killpg(process.pid, 0)
        assert os.listdir(process.args[-3].rpartition("/")[0]) == []


def test_a_second_signal_ends_a_process_at_once(tmp_path: Path, add_version: AddVersion) -> None:
    add_version(tmp_path, 3)
    with _process(tmp_path) as (process, address):
        with _slow_call(address, 300_000) as answers:
            assert process.stdout is not None
            process.send_signal(signal.SIGTERM)
            assert [process.stdout.readline().split()[0] for _ in range(2)] == ["Serving", "Stopping"]
            process.send_signal(signal.SIGTERM)
            process.wait(20)
        assert process.returncode == 128 + signal.SIGTERM
        assert isinstance(answers[0], IntentRecError)
