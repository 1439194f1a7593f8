"""The pinned checksums agree with the real files."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.datasets.fetch import fetch


def unexpected(*_: object) -> bytes:
    raise AssertionError("this source must not be asked")


@pytest.mark.parametrize(("name", "folder"), [("movielens-100k", "ml-100k"), ("movielens-1m", "ml-1m")])
def test_local_copies_match(
    shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, folder: str
) -> None:
    if not (shared_data / folder).is_dir():
        pytest.skip(f"no {folder} in {shared_data}")
    monkeypatch.setenv("INTENTREC_DATA", str(shared_data))
    got = fetch(name, cache_dir=tmp_path, download=unexpected, download_wheel=unexpected)
    assert got.folder == shared_data / folder
