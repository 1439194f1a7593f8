"""Folders of saved indexes: all or nothing, nothing else overwritten, damage noticed."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from serving.candidates import IndexFolderError
from serving.candidates.index_folder import read_folder, write_folder
from tests.serving.candidates.contract import ODD_IDS, assert_one_sentence


def _files(text: str, **extra: Any) -> Any:
    def write(work: Path) -> dict[str, Any]:
        (work / "data").write_text(text)
        return extra

    return write


def _write(folder: Path, text: str = "content", **changes: Any) -> None:
    values: dict[str, Any] = {
        "kind": "test",
        "model_version": "7",
        "dimension": 3,
        "item_ids": ["a", "", "b"],
        **changes,
    }
    write_folder(folder, **{"write": _files(text), **values})


def test_what_is_written_is_read(tmp_path: Path) -> None:
    _write(tmp_path / "deep" / "x", item_ids=[*ODD_IDS, ""], write=_files("x", more=[1, 2]))
    saved = read_folder(tmp_path / "deep" / "x", "test", ["data"], "7")
    assert saved.item_ids == [*ODD_IDS, ""]
    assert (saved.dimension, saved.model_version, saved.extra["more"]) == (3, "7", [1, 2])
    assert saved.extra["count"] == len(ODD_IDS)
    assert read_folder(tmp_path / "deep" / "x", "test", ["data"], None) == saved


def test_nothing_stays_beside_the_folder(tmp_path: Path) -> None:
    for text in ("one", "two"):
        _write(tmp_path / "x", text)
        assert [path.name for path in tmp_path.iterdir()] == ["x"]
    assert (tmp_path / "x" / "data").read_text() == "two"
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o755


@pytest.mark.parametrize("step", ["write", "serving.candidates.index_folder._sha256", "serving.atomic._flush"])
def test_an_interrupted_save_leaves_the_old_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    _write(tmp_path / "x", "old")

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if step != "write":
            patch.setattr(step, interrupt)
        with pytest.raises(KeyboardInterrupt):
            write_folder(
                tmp_path / "x",
                kind="test",
                model_version="8",
                dimension=3,
                item_ids=[],
                write=interrupt if step == "write" else _files("new"),
            )
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
    assert read_folder(tmp_path / "x", "test", ["data"], "7").item_ids == ["a", "", "b"]
    assert (tmp_path / "x" / "data").read_text() == "old"


def test_a_failing_exchange_leaves_the_old_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _write(tmp_path / "x", "old")

    def fail(one: Path, other: Path) -> bool:
        raise OSError(28, "no space left", str(other))

    monkeypatch.setattr("serving.atomic._exchange", fail)
    with pytest.raises(IndexFolderError, match=r"cannot be written.*no space left") as caught:
        _write(tmp_path / "x", "new")
    assert_one_sentence(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
    assert (tmp_path / "x" / "data").read_text() == "old"


def test_a_failing_rename_puts_the_old_index_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system cannot exchange two folders in one step."""
    monkeypatch.setattr("serving.atomic._exchange", lambda one, other: False)
    _write(tmp_path / "x", "old")
    rename, target = os.rename, tmp_path / "x"

    def fail(source: Any, destination: Any) -> None:
        if Path(destination) == target and Path(source).name != "old":
            raise OSError("no space left")
        rename(source, destination)

    monkeypatch.setattr(os, "rename", fail)
    with pytest.raises(IndexFolderError, match=r"cannot be written.*no space left") as caught:
        _write(target, "new")
    assert_one_sentence(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
    assert (target / "data").read_text() == "old"


def test_only_an_index_or_an_empty_folder_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    (tmp_path / "file").write_text("mine, too")
    for name in ("full", "file"):
        with pytest.raises(IndexFolderError, match="something that is no index, so choose another") as caught:
            _write(tmp_path / name)
        assert_one_sentence(caught.value)
    assert (tmp_path / "full" / "thesis.txt").read_text() == "mine"
    assert (tmp_path / "file").read_text() == "mine, too"
    (tmp_path / "empty").mkdir()
    _write(tmp_path / "empty")
    assert read_folder(tmp_path / "empty", "test", ["data"], None).dimension == 3


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(IndexFolderError, match="cannot be written") as caught:
        _write(tmp_path / "file" / "x")
    assert_one_sentence(caught.value)


def test_a_relative_folder_is_where_the_process_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _write(Path("x"))
    assert (tmp_path / "x" / "index.json").is_file()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": 0}, "is of format 0 where this version reads 1"),
        ({"format": "1"}, "is of format '1'"),
        ({"kind": "other"}, "of kind 'other', not 'test'"),
        ({"model_version": "8"}, "model version '8', not '7'"),
        ({"count": 3}, "contradicts the files"),
        ({"dimension": 0}, "contradicts the files"),
        ({"dimension": "3"}, "contradicts the files"),
        ({"sha256": {}}, "damaged"),
        ({"sha256": None}, "damaged"),
    ],
)
def test_a_wrong_description_is_refused(tmp_path: Path, changes: dict, words: str) -> None:
    _write(tmp_path / "x")
    path = tmp_path / "x" / "index.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    with pytest.raises(IndexFolderError, match=words) as caught:
        read_folder(tmp_path / "x", "test", ["data"], "7")
    assert_one_sentence(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", "\xff"])
def test_an_unreadable_description_is_refused(tmp_path: Path, text: str) -> None:
    _write(tmp_path / "x")
    (tmp_path / "x" / "index.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(IndexFolderError, match=r"index\.json (cannot be read|describes no index)") as caught:
        read_folder(tmp_path / "x", "test", ["data"], None)
    assert_one_sentence(caught.value)


@pytest.mark.parametrize("name", ["data", "item_ids.json"])
def test_a_changed_or_missing_file_is_refused(tmp_path: Path, name: str) -> None:
    _write(tmp_path / "x")
    path = tmp_path / "x" / name
    path.write_text(path.read_text() + " ")
    with pytest.raises(IndexFolderError, match=f"{name} is damaged") as caught:
        read_folder(tmp_path / "x", "test", ["data"], None)
    assert_one_sentence(caught.value)
    path.unlink()
    with pytest.raises(IndexFolderError, match=f"{name} is missing"):
        read_folder(tmp_path / "x", "test", ["data"], None)


def test_no_index_at_the_path_is_said(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(IndexFolderError, match=r"holds no index \(index\.json is missing\)") as caught:
            read_folder(path, "test", ["data"], None)
        assert_one_sentence(caught.value)
