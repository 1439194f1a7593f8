"""Fetching with faked sources: nothing here touches the network."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import subprocess
import urllib.error
import zipfile
from pathlib import Path

import pytest

from pipelines.datasets import fetch as module
from pipelines.datasets.fetch import Origin, fetch
from pipelines.validate import DataError

FILES = {"u.data": b"1\t2\t3\t881250949\n", "u.item": b"2|Title\n"}
ATOMIC = {"ml-100k.inter": b"inter", "ml-100k.item": b"item"}
NAME = "movielens-100k"


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def packed(files: dict[str, bytes], folder: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(f"{folder}/{name}"), data)
    return buffer.getvalue()


ZIP = packed({**FILES, "README": b"read me"}, "ml-100k")


@pytest.fixture(autouse=True)
def origin(monkeypatch: pytest.MonkeyPatch) -> Origin:
    """A tiny data set in place of the real one, and no INTENTREC_DATA."""
    atomic = {name: sha(data) for name, data in ATOMIC.items()}
    origin = Origin(
        folder="ml-100k",
        sets=({name: sha(data) for name, data in FILES.items()}, atomic),
        members=tuple(FILES),
        url="https://example.org/ml-100k.zip",
        zip_sha256=sha(ZIP),
        package="recbole==1.2.1",
        wheel=atomic,
    )
    monkeypatch.setitem(module.ORIGINS, NAME, origin)
    monkeypatch.delenv("INTENTREC_DATA", raising=False)
    return origin


def offline(url: str) -> bytes:
    raise urllib.error.URLError("Name or service not known")


def no_wheel(folder: Path) -> Path:
    raise OSError("pip download failed (no index)")


def unexpected(*_: object) -> bytes:
    raise AssertionError("this source must not be asked")


def wheel(folder: Path) -> Path:
    path = folder / "recbole.whl"
    path.write_bytes(packed({**ATOMIC, "ml-100k.kg": b"x"}, "recbole/dataset_example/ml-100k"))
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "SHA256SUMS"}


def test_grouplens_then_cache(tmp_path: Path) -> None:
    told: list[str] = []
    got = fetch(NAME, told.append, cache_dir=tmp_path, download=lambda url: ZIP, download_wheel=unexpected)
    assert contents(got.folder) == FILES
    assert got.folder == tmp_path / "ml-100k"
    assert list(got.messages) == told
    assert [message.split(":")[0] for message in told] == ["cache", "INTENTREC_DATA", "https"]
    again = fetch(NAME, cache_dir=tmp_path, download=unexpected, download_wheel=unexpected)
    assert again.folder == got.folder
    assert again.messages == (f"cache: {got.folder} is complete and verified.",)


def test_local_copy_is_used_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    local = tmp_path / "data" / "ml-100k"
    local.mkdir(parents=True)
    for name, data in FILES.items():
        (local / name).write_bytes(data)
    monkeypatch.setenv("INTENTREC_DATA", str(tmp_path / "data"))
    got = fetch(NAME, cache_dir=tmp_path / "cache", download=unexpected, download_wheel=unexpected)
    assert got.folder == local
    assert not (tmp_path / "cache").exists()


def test_changed_local_copy_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    local = tmp_path / "data" / "ml-100k"
    local.mkdir(parents=True)
    for name in FILES:
        (local / name).write_bytes(b"changed")
    monkeypatch.setenv("INTENTREC_DATA", str(tmp_path / "data"))
    got = fetch(NAME, cache_dir=tmp_path / "cache", download=lambda url: ZIP)
    assert got.folder == tmp_path / "cache" / "ml-100k"
    assert "u.data does not match its SHA-256 and is not used" in got.messages[1]


def test_offline_falls_back_to_the_wheel(tmp_path: Path) -> None:
    got = fetch(NAME, cache_dir=tmp_path, download=offline, download_wheel=wheel)
    assert contents(got.folder) == ATOMIC
    assert got.messages[2] == "https://example.org/ml-100k.zip: Name or service not known."
    assert got.messages[3].startswith("wheel recbole==1.2.1: fetched, verified")
    assert fetch(NAME, cache_dir=tmp_path, download=unexpected).folder == got.folder


@pytest.mark.parametrize("file", ["u.data", "u.item"])
def test_changed_cache_is_reported_and_fetched_again(tmp_path: Path, file: str) -> None:
    got = fetch(NAME, cache_dir=tmp_path, download=lambda url: ZIP)
    (got.folder / file).write_bytes(b"changed")
    again = fetch(NAME, cache_dir=tmp_path, download=lambda url: ZIP)
    assert f"{file} does not match its SHA-256" in again.messages[0]
    assert contents(again.folder) == FILES


def test_changed_cache_stays_and_fails_when_nothing_else_works(tmp_path: Path) -> None:
    got = fetch(NAME, cache_dir=tmp_path, download=lambda url: ZIP)
    (got.folder / "u.data").write_bytes(b"changed")
    with pytest.raises(DataError, match=r"u\.data does not match"):
        fetch(NAME, cache_dir=tmp_path, download=offline, download_wheel=no_wheel)
    assert (got.folder / "u.data").read_bytes() == b"changed"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (packed({**FILES, "u.data": b"other"}, "ml-100k"), "the zip file does not match its SHA-256"),
        (b"<html>please log in</html>", "the zip file does not match its SHA-256"),
    ],
)
def test_wrong_download_is_refused(tmp_path: Path, answer: bytes, reason: str) -> None:
    got = fetch(NAME, cache_dir=tmp_path, download=lambda url: answer, download_wheel=wheel)
    assert got.messages[2] == f"https://example.org/ml-100k.zip: {reason}."
    assert contents(got.folder) == ATOMIC


def test_changed_wheel_is_refused(tmp_path: Path) -> None:
    def other(folder: Path) -> Path:
        path = folder / "recbole.whl"
        path.write_bytes(packed({**ATOMIC, "ml-100k.item": b"other"}, "recbole"))
        return path

    with pytest.raises(DataError, match=r"wheel recbole==1\.2\.1: ml-100k\.item does not match its SHA-256"):
        fetch(NAME, cache_dir=tmp_path, download=offline, download_wheel=other)


def test_everything_failing_names_every_source_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        fetch(NAME, cache_dir=tmp_path, download=offline, download_wheel=no_wheel)
    message = str(caught.value)
    for part in (
        "cache:",
        "INTENTREC_DATA: not set",
        "Name or service not known",
        "pip download failed",
        "as raw",
    ):
        assert part in message
    assert "\n" not in message
    assert list(tmp_path.iterdir()) == []  # nothing half done is left behind


def test_unwritable_cache(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(DataError, match=r"the cache cannot be written .* set INTENTREC_CACHE"):
        fetch(NAME, cache_dir=blocked, download=lambda url: ZIP)


def test_cache_folder_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INTENTREC_CACHE", str(tmp_path / "elsewhere"))
    got = fetch(NAME, download=lambda url: ZIP)
    assert got.folder == tmp_path / "elsewhere" / "ml-100k"


def test_unknown_name() -> None:
    with pytest.raises(DataError, match="'movielens-10m' cannot be fetched, only movielens-100k, movielens-1m, "):
        fetch("movielens-10m")


def test_no_wheel_for_1m(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        fetch("movielens-1m", cache_dir=tmp_path, download=offline, download_wheel=unexpected)
    assert "recbole" not in str(caught.value)


def test_origin_that_is_only_a_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digests = {name: sha(data) for name, data in ATOMIC.items()}
    journey = Origin("journey", (digests,), tuple(ATOMIC), package="journey-py==1.0", wheel=digests)
    monkeypatch.setitem(module.ORIGINS, "journey", journey)
    with pytest.raises(DataError) as caught:
        fetch("journey", cache_dir=tmp_path, download=unexpected, download_wheel=no_wheel)
    assert "wheel journey-py==1.0: pip download failed" in str(caught.value)
    assert str(caught.value).endswith("download the wheel of journey-py==1.0 elsewhere and pass it as raw.")
    got = fetch("journey", cache_dir=tmp_path, download=unexpected, download_wheel=wheel)
    assert got.folder == tmp_path / "journey"
    assert contents(got.folder) == ATOMIC
    assert fetch("journey", cache_dir=tmp_path, download_wheel=unexpected).folder == got.folder


@pytest.mark.parametrize("package", ["recbole==1.2.1", "journey-py==1.0"])
def test_pip_is_asked_for_the_package_of_the_origin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, origin: Origin, package: str
) -> None:
    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        assert command[-1] == package
        assert "--no-deps" in command
        wheel(Path(command[command.index("--dest") + 1]))
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setitem(module.ORIGINS, NAME, dataclasses.replace(origin, package=package))
    monkeypatch.setattr(module.subprocess, "run", run)
    assert contents(fetch(NAME, cache_dir=tmp_path, download=offline).folder) == ATOMIC
