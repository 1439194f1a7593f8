"""Milvus: the contract on a Milvus Lite file, what is refused at opening, consistency, batches, and a server."""

from __future__ import annotations

import itertools
import logging
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serving.candidates import (
    CandidateIndex,
    CandidateInputError,
    ExactIndex,
    IndexServerError,
    MilvusIndex,
    milvus_index,
    recall_against,
)
from tests.serving.candidates.contract import ODD_IDS, IndexContract, answer, assert_one_sentence, names

pymilvus = pytest.importorskip("pymilvus", reason="the extra 'milvus' is not installed")
pytest.importorskip("milvus_lite", reason="the extra 'milvus' is not installed")


@pytest.fixture(scope="module", autouse=True)
def quiet() -> Iterator[None]:
    """pymilvus logs each error with its traceback, and these tests make many."""
    loggers = [logging.getLogger(name) for name in ("pymilvus", "milvus_lite")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    yield
    for logger, level in zip(loggers, before, strict=True):
        logger.setLevel(level)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One file for all tests: opening one starts threads and takes long."""
    return str(tmp_path_factory.mktemp("milvus") / "test.db")


_numbers = itertools.count()


@pytest.fixture
def collection() -> str:
    """A name nobody used before."""
    return f"items_{next(_numbers)}"


class TestContract(IndexContract):
    """`MilvusIndex` keeps the contract: a collection for each folder of the test."""

    @pytest.fixture(autouse=True)
    def _remember(self, database: str) -> None:
        self.database = database
        self.collections: dict[Path, str] = {}

    def make(self, folder: Path, dimension: int) -> CandidateIndex:
        name = self.collections.setdefault(folder, f"items_{next(_numbers)}")
        return MilvusIndex(self.database, dimension, name)

    def reopen(self, index: CandidateIndex, folder: Path) -> CandidateIndex:
        index.close()
        return self.make(folder, index.dimension)


def test_what_milvus_has_put_into_lists_is_found_like_the_rest(
    database: str, collection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    vectors = (rng.normal(size=(30, 16))[rng.integers(30, size=2000)] + 0.5 * rng.normal(size=(2000, 16))).astype("f4")
    queries, exact = vectors[::100], ExactIndex(16)
    with MilvusIndex(database, 16, collection) as index:
        for one in (index, exact):
            one.upsert(names("i", 2000), vectors)
            one.remove(names("i", 100))
        client = pymilvus.MilvusClient(database)
        client.flush(collection)  # out of memory, where all are compared, into a segment that gets its lists
        client.close()
        monkeypatch.setattr(milvus_index, "_PROBES", 1)
        deadline = time.monotonic() + 60
        while recall_against(index, exact, queries, 20).mean > 0.95:
            assert time.monotonic() < deadline, "no lists were made"
            time.sleep(0.05)
        for k in (1000, 1900, 3000):  # more than one list holds
            found = index.search(queries[:3], k).item_ids
            assert [len(set(row) - {""}) for row in found] == [min(k, 1900)] * 3
        monkeypatch.undo()
        assert recall_against(index, exact, queries, 20).mean > 0.95


def test_several_may_use_a_collection_and_see_each_others_changes(database: str, collection: str) -> None:
    with MilvusIndex(database, 2, collection) as one, MilvusIndex(database, 2, collection) as other:
        for number in range(5):
            one.upsert([f"i{number}"], [[number, 0]])
            assert answer(other, [1, 0], 1) == [f"i{number}"]
            assert len(other) == number + 1
        other.remove(["i4"])
        assert answer(one, [1, 0], 1) == ["i3"]
        one.close()
        assert answer(other, [1, 0], 1) == ["i3"]


def test_collections_of_one_file_do_not_touch_each_other(database: str, collection: str) -> None:
    with MilvusIndex(database, 2, collection) as one, MilvusIndex(database, 3, f"{collection}_b") as other:
        one.upsert(["a"], [[1, 0]])
        assert len(other) == 0
        assert len(one) == 1


def test_many_items_go_in_batches_and_all_arrive(
    database: str, collection: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(milvus_index, "_REQUEST_BYTES", 1000)
    monkeypatch.setattr(milvus_index, "_ANSWERS", 25)
    ids = [f"{'long' * (number % 60)}{number}" for number in range(300)]
    with MilvusIndex(database, 2, collection) as index:
        sizes = []
        call = index._call
        monkeypatch.setattr(
            index, "_call", lambda *args, **more: (sizes.append(len(more.get("data", ()))), call(*args, **more))[1]
        )
        index.upsert(ids, [[number, 1] for number in range(300)])
        assert sum(sizes) == 300
        assert len(sizes) > 20
        assert len(index) == 300
        sizes.clear()
        found = index.search([[1, 0]] * 7, 10)
        assert found.item_ids.tolist() == [ids[:-11:-1]] * 7
        assert sizes == [2, 2, 2, 1]
        assert index.remove([*ids[:200], "unknown"]) == 200
        assert len(index) == 100


@pytest.mark.parametrize("size", [1, 40, 64, 1000])
def test_batches_hold_everything_once_and_stay_small(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(milvus_index, "_REQUEST_BYTES", size)
    ids = ["é" * (number % 17 + 1) for number in range(50)]
    batches = list(milvus_index._batches(ids, 8))
    assert [name for part, _ in batches for name in part] == ids
    assert [ids[start] for _, start in batches] == [part[0] for part, _ in batches]
    assert all(len(part) == 1 or sum(len(name.encode()) + 8 for name in part) <= size for part, _ in batches)


def test_another_dimension_or_model_version_is_refused(database: str, collection: str) -> None:
    MilvusIndex(database, 2, collection, model_version="7").close()
    MilvusIndex(database, 2, collection, model_version="7").close()
    MilvusIndex(database, 2, collection).close()
    for arguments, words in (
        ({"dimension": 3}, "holds vectors of length 2, not 3"),
        ({"dimension": 2, "model_version": "8"}, "model version '7', not '8'"),
    ):
        with pytest.raises(IndexServerError, match=words) as caught:
            MilvusIndex(database, collection=collection, **arguments)
        assert collection in str(caught.value)
        assert_one_sentence(caught.value)


def test_a_collection_without_a_version_does_not_pass_for_one(database: str, collection: str) -> None:
    MilvusIndex(database, 2, collection).close()
    with pytest.raises(IndexServerError, match="model version '', not '8'"):
        MilvusIndex(database, 2, collection, model_version="8")


def test_somebody_elses_collection_is_refused_and_left_alone(database: str, collection: str) -> None:
    client = pymilvus.MilvusClient(database)
    client.create_collection(collection, dimension=2)
    with pytest.raises(IndexServerError, match="has the fields 'id', 'vector'") as caught:
        MilvusIndex(database, 2, collection)
    assert_one_sentence(caught.value)
    client.drop_collection(collection)
    client.create_collection(
        collection,
        dimension=2,
        primary_field_name="item_id",
        id_type="string",
        max_length=64,
        vector_field_name="vector",
        metric_type="L2",
    )
    with pytest.raises(IndexServerError, match="compares by L2, not by IP"):
        MilvusIndex(database, 2, collection)
    assert client.has_collection(collection)
    client.close()


def test_more_than_milvus_returns_is_refused(database: str, collection: str) -> None:
    with MilvusIndex(database, 2, collection) as index:
        index.upsert(["a"], [[1, 1]])
        assert index.search([[1, 1]], 16_384).item_ids[0, 0] == "a"
        with pytest.raises(CandidateInputError, match="k is 16385 but Milvus returns at most 16384") as caught:
            index.search([[1, 1]], 16_385)
        assert_one_sentence(caught.value)


def test_an_id_that_is_too_long_is_refused_before_anything_is_written(database: str, collection: str) -> None:
    with MilvusIndex(database, 2, collection) as index:
        index.upsert(["é" * 512], [[1, 1]])
        with pytest.raises(CandidateInputError, match="more than 1024 bytes") as caught:
            index.upsert(["short", "é" * 513], [[1, 1], [1, 1]])
        assert_one_sentence(caught.value)
        assert len(index) == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"uri": "localhost:19530"}, "uri is 'localhost:19530', so pass http://host:19530"),
        ({"uri": "http://"}, "uri is 'http://'"),
        ({"uri": ""}, "uri is ''"),
        ({"uri": None}, "uri is None"),
        ({"uri": "/no/such/folder/x.db"}, "there is no such folder"),
        ({"collection": "a b"}, "collection is 'a b'"),
        ({"collection": "1a"}, "collection is '1a'"),
        ({"collection": "a\n"}, "collection is"),
        ({"timeout_s": 0}, "timeout_s is 0"),
        ({"timeout_s": float("inf")}, "timeout_s is inf"),
        ({"timeout_s": "3"}, "timeout_s is '3'"),
    ],
)
def test_wrong_arguments_are_refused_in_one_sentence(database: str, changes: dict, words: str) -> None:
    with pytest.raises(CandidateInputError, match=words) as caught:
        MilvusIndex(**{"uri": database, "dimension": 2, **changes})
    assert_one_sentence(caught.value)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_bytes(b"what an older Milvus Lite wrote")
    with pytest.raises(IndexServerError, match="no other process has the file open and that Milvus Lite 3") as caught:
        MilvusIndex(str(tmp_path / "x.db"), 2)
    assert_one_sentence(caught.value)


def test_nobody_at_the_address_is_said_in_one_sentence() -> None:
    with pytest.raises(IndexServerError, match="check the address, the token and that the server runs") as caught:
        MilvusIndex(f"http://me:hidden@127.0.0.1:{_free_port()}", 2, token="user:secret", timeout_s=2)
    assert_one_sentence(caught.value)
    assert "of Milvus at http://127.0.0.1:" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "hidden" not in str(caught.value)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        assert process.poll() is None
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError("the server did not start")


def test_a_server_is_used_like_a_file_and_its_end_is_noticed(tmp_path: Path) -> None:
    port = _free_port()
    program = "import sys; from milvus_lite.cmdline import main; sys.exit(main())"
    options = ["server", "--data-dir", str(tmp_path / "data"), "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(
        [sys.executable, "-c", program, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait_for(port, process)
        where: Any = {"uri": f"http://127.0.0.1:{port}", "token": "root:Milvus", "timeout_s": 10.0}
        vectors = np.random.default_rng(0).normal(size=(500, 4)).astype(np.float32)
        with MilvusIndex(**where, dimension=4, model_version="7") as index:
            index.upsert([*names("i", 480), *ODD_IDS[:20]], vectors)
            index.remove([*ODD_IDS[:20]])
            assert len(index) == 480
            assert answer(index, vectors[3], 480) == [f"i{n}" for n in np.argsort(-(vectors[:480] @ vectors[3]))]
        with pytest.raises(IndexServerError, match="model version '7', not '8'"):
            MilvusIndex(**where, dimension=4, model_version="8")
        index = MilvusIndex(**where, dimension=4, model_version="7")
        assert len(index) == 480
        process.kill()
        process.wait()
        with pytest.raises(IndexServerError, match="so check that the server runs") as caught:
            index.search(vectors[:1], 3)
        assert_one_sentence(caught.value)
        index.close()
    finally:
        process.kill()
        process.wait()
