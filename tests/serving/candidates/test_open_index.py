"""From a configuration to an index, and what is said when a package is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from serving.candidates import (
    CandidateInputError,
    ExactIndex,
    FaissIndex,
    FaissParameters,
    IndexConfig,
    IndexFolderError,
    IndexServerError,
    MilvusIndex,
    MissingPackageError,
    open_index,
)
from tests.serving.candidates.contract import answer, assert_one_sentence


def test_exact_and_empty_unless_told_otherwise() -> None:
    with open_index(IndexConfig(), 3) as index:
        assert type(index) is ExactIndex
        assert (index.dimension, len(index)) == (3, 0)


def test_faiss_with_its_parameters() -> None:
    pytest.importorskip("faiss")
    with open_index(IndexConfig("faiss", faiss=FaissParameters("ivf", probes=7)), 3) as index:
        assert isinstance(index, FaissIndex)
        assert (index.parameters.algorithm, index.parameters.probes) == ("ivf", 7)


@pytest.mark.parametrize("saved", [FaissParameters("ivf", probes=60), FaissParameters("hnsw", ef_search=77)])
def test_a_saved_index_keeps_its_parameters_unless_told_otherwise(tmp_path: Path, saved: FaissParameters) -> None:
    pytest.importorskip("faiss")
    with open_index(IndexConfig("faiss", faiss=saved), 2) as made:
        made.upsert(["a", "b"], [[1, 0], [2, 0]])
        assert isinstance(made, FaissIndex)
        made.save(tmp_path / "x", "7")
    with open_index(IndexConfig("faiss", str(tmp_path / "x")), 2) as index:
        assert isinstance(index, FaissIndex)
        assert index.parameters == saved
    other = FaissParameters("hnsw" if saved.algorithm == "ivf" else "ivf")
    with pytest.raises(IndexFolderError, match="is configured"):
        open_index(IndexConfig("faiss", str(tmp_path / "x"), faiss=other), 2)


@pytest.mark.parametrize("kind", ["exact", "faiss"])
def test_a_saved_index_is_opened_and_checked(tmp_path: Path, kind: str) -> None:
    if kind == "faiss":
        pytest.importorskip("faiss")
    made = open_index(IndexConfig(kind), 2)
    assert isinstance(made, (ExactIndex, FaissIndex))
    made.upsert(["a", "b"], [[1, 0], [2, 0]])
    made.save(tmp_path / "x", "7")
    config = IndexConfig(kind, str(tmp_path / "x"), faiss=FaissParameters(ef_search=99))
    for version in ("7", ""):
        with open_index(config, 2, version) as index:
            assert answer(index, [1, 0], 3) == ["b", "a"]
            if isinstance(index, FaissIndex):
                assert index.parameters.ef_search == 99
    for arguments, words in (
        ((config, 3, "7"), "holds vectors of length 2, not 3"),
        ((config, 2, "8"), "model version '7', not '8'"),
        ((IndexConfig(kind, str(tmp_path)), 2), "holds no index"),
        ((IndexConfig("exact" if kind == "faiss" else "faiss", str(tmp_path / "x")), 2), "holds an index of kind"),
    ):
        with pytest.raises(IndexFolderError, match=words) as caught:
            open_index(*arguments)
        assert_one_sentence(caught.value)


def test_milvus_at_its_address(tmp_path: Path) -> None:
    pytest.importorskip("pymilvus")
    pytest.importorskip("milvus_lite")
    config = IndexConfig.from_dict({"kind": "milvus", "uri": str(tmp_path / "x.db"), "collection": "films"})
    with open_index(config, 2, "7") as index:
        assert isinstance(index, MilvusIndex)
        index.upsert(["a"], [[1, 0]])
    with open_index(config, 2, "7") as index:
        assert answer(index, [1, 0], 3) == ["a"]
    with pytest.raises(IndexServerError, match=r"collection 'films'.* for model version '7', not '8'"):
        open_index(config, 2, "8")


def test_a_configuration_from_a_file() -> None:
    values = {"kind": "faiss", "folder": "x", "faiss": {"algorithm": "ivf", "probes": 9}}
    assert IndexConfig.from_dict(values) == IndexConfig("faiss", "x", FaissParameters("ivf", probes=9))
    assert IndexConfig.from_dict({}) == IndexConfig()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"kind": "annoy"}, "kind is 'annoy', so choose one of exact, faiss, milvus"),
        ({"kind": "milvus"}, "without a uri"),
        ({"path": "x"}, "has the key 'path', so choose among kind, folder, faiss"),
        ({"faiss": {"nprobe": 3}}, "'faiss' has the key 'nprobe', so choose among algorithm, links"),
        ({"faiss": {"probes": 0}}, "probes is 0"),
        ({"faiss": "ivf"}, "'faiss' is 'ivf', so pass keys"),
        (["kind"], "the index configuration is"),
    ],
)
def test_a_wrong_configuration_is_refused_in_one_sentence(values: Any, words: str) -> None:
    with pytest.raises(CandidateInputError, match=words) as caught:
        IndexConfig.from_dict(values)
    assert_one_sentence(caught.value)


def test_a_token_is_never_shown() -> None:
    assert "secret" not in repr(IndexConfig("milvus", uri="http://milvus:19530", token="secret"))


@pytest.mark.parametrize(
    ("config", "absent", "extra"),
    [
        (IndexConfig("faiss"), "faiss", "ann"),
        (IndexConfig("milvus", uri="x.db"), "pymilvus", "milvus"),
        (IndexConfig("milvus", uri="x.db"), "milvus_lite", "milvus"),
    ],
)
def test_a_missing_package_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch, config: IndexConfig, absent: str, extra: str
) -> None:
    if absent == "milvus_lite":
        pytest.importorskip("pymilvus")
    monkeypatch.setitem(sys.modules, absent, None)
    with pytest.raises(MissingPackageError, match=rf"`pip install 'intentrec_tf\[{extra}\]'`") as caught:
        open_index(config, 2)
    assert isinstance(caught.value, ImportError)
    assert_one_sentence(caught.value)


def test_the_exact_index_needs_neither_package() -> None:
    program = """
import sys
sys.modules.update({name: None for name in ("faiss", "pymilvus", "milvus_lite", "pandas", "tensorflow", "grpc")})
from serving.candidates import IndexConfig, open_index
with open_index(IndexConfig(), 2) as index:
    index.upsert(["a"], [[1, 2]])
    print(index.search([[1, 1]], 1).item_ids[0, 0])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout == "a\n"
