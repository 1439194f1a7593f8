"""FAISS: the contract for both algorithms, recall, dead vectors and rebuilding, ties, and its folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serving.candidates import (
    CandidateError,
    CandidateIndex,
    CandidateInputError,
    ExactIndex,
    FaissIndex,
    FaissParameters,
    IndexFolderError,
    recall_against,
)
from tests.serving.candidates.contract import IndexContract, answer, assert_one_sentence, names

faiss = pytest.importorskip("faiss", reason="the extra 'ann' is not installed")


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """A graph built by one thread is the same each time, and small ones are built faster so."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    yield
    faiss.omp_set_num_threads(before)


BOTH = pytest.mark.parametrize("algorithm", ["hnsw", "ivf"])


class FaissContract(IndexContract):
    """The contract for one algorithm."""

    algorithm: str

    def make(self, folder: Path, dimension: int) -> CandidateIndex:
        return FaissIndex(dimension, FaissParameters(self.algorithm))

    def reopen(self, index: CandidateIndex, folder: Path) -> CandidateIndex:
        assert isinstance(index, FaissIndex)
        index.save(folder / "index")
        index.close()
        return FaissIndex.open(folder / "index")


class TestHnswContract(FaissContract):
    """HNSW keeps the contract."""

    algorithm = "hnsw"


class TestIvfContract(FaissContract):
    """IVF keeps the contract."""

    algorithm = "ivf"


def clustered(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Vectors around 40 centres, of different lengths, and 30 queries from the same source."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(40, 16))
    points = centres[rng.integers(40, size=count + 30)] + 0.6 * rng.normal(size=(count + 30, 16))
    points *= rng.lognormal(0, 0.2, size=(count + 30, 1))
    return points[:count].astype(np.float32), points[count:].astype(np.float32)


def filled(algorithm: str, vectors: np.ndarray, **settings: Any) -> tuple[FaissIndex, ExactIndex]:
    """An index and the exact one, with the same content."""
    index = FaissIndex(vectors.shape[1], FaissParameters(algorithm, **settings))
    exact = ExactIndex(vectors.shape[1])
    for one in (index, exact):
        one.upsert(names("i", len(vectors)), vectors)
    return index, exact


@BOTH
def test_most_of_the_truth_is_found_by_looking_at_part_of_it(algorithm: str) -> None:
    vectors, queries = clustered(8000)
    index, exact = filled(algorithm, vectors)
    assert recall_against(index, exact, queries, 50).mean >= 0.98
    index.parameters = replace(index.parameters, ef_search=1, probes=1)
    assert recall_against(index, exact, queries, 10).mean < 0.98  # else this compared everything


@BOTH
def test_recall_survives_dead_vectors_without_a_rebuild(algorithm: str) -> None:
    vectors, queries = clustered(6000)
    index, exact = filled(algorithm, vectors, largest_dead_share=1.0)
    rng = np.random.default_rng(1)
    moved, _ = clustered(1000, seed=1)
    replaced = [f"i{place}" for place in rng.choice(6000, 1000, replace=False)]
    gone = [f"i{place}" for place in rng.choice(6000, 1000, replace=False)]
    for one in (index, exact):
        one.upsert(replaced, moved)
        one.remove(gone)
    assert len(index) == 5000
    assert index.dead == 2000
    assert recall_against(index, exact, queries, 50).mean >= 0.96


def test_a_graph_looks_deeper_where_the_dead_are_in_the_way() -> None:
    vectors, queries = clustered(6000, seed=1)
    index, exact = filled("hnsw", vectors, largest_dead_share=1.0, ef_search=40)
    before = recall_against(index, exact, queries, 20).mean
    for one in (index, exact):
        one.remove(names("i", 4000))
    assert recall_against(index, exact, queries, 20).mean >= before


@BOTH
@pytest.mark.parametrize("share", [0.0, 0.25, 0.5])
def test_the_index_is_rebuilt_when_too_much_of_it_is_dead(algorithm: str, share: float) -> None:
    index, _ = filled(algorithm, clustered(400)[0], largest_dead_share=share)
    kept = int(400 * share)
    index.remove(names("i", kept))
    assert index.dead == kept
    index.remove([f"i{kept}"])
    assert (index.dead, len(index)) == (0, 399 - kept)


@BOTH
def test_replacing_everything_leaves_nothing_dead_behind(algorithm: str) -> None:
    vectors, queries = clustered(500)
    index, _ = filled(algorithm, vectors)
    index.upsert(names("i", 500), vectors[::-1])
    assert index.dead == 0
    _, exact = filled(algorithm, vectors[::-1])
    assert recall_against(index, exact, queries, 10).mean == 1.0


@BOTH
def test_rebuilding_by_hand_drops_the_dead_and_keeps_the_answers(algorithm: str) -> None:
    vectors, queries = clustered(900)
    index, _ = filled(algorithm, vectors, largest_dead_share=1.0, probes=1000)
    index.remove(names("i", 300))
    before = index.search(queries, 20)
    assert index.dead == 300
    index.rebuild()
    assert (index.dead, len(index)) == (0, 600)
    after = index.search(queries, 20)
    same = [len(set(row) & set(other)) for row, other in zip(before.item_ids, after.item_ids, strict=True)]
    assert sum(same) >= 0.99 * 20 * len(queries)


def test_a_growing_ivf_gets_more_lists() -> None:
    index = FaissIndex(16, FaissParameters("ivf"))
    vectors, _ = clustered(4000)
    ids, lists = names("i", 4000), []
    for start in range(0, 4000, 250):
        index.upsert(ids[start : start + 250], vectors[start : start + 250])
        lists.append(index._store._index.nlist)
    assert lists[0] == 250 // 39
    assert lists[-1] >= 4000 // 2 // 39  # computed when there were half as many at least
    assert len(set(lists)) <= 6  # doubling, not every time


def test_a_few_giants_are_found_and_do_not_blind_the_graph_to_the_others() -> None:
    vectors, queries = clustered(3000)
    index, exact = filled("hnsw", vectors)
    store = index._store
    for one in (index, exact):
        one.upsert(names("giant", 20), 1000 * queries[:20])
        one.remove(names("giant", 10))
    assert index._store is store  # not built anew for so few
    for among in (queries[:10], queries[20:]):
        assert recall_against(index, exact, among, 30).mean >= 0.95
    index.rebuild()
    assert recall_against(index, exact, queries, 30).mean >= 0.95
    index.remove(names("giant", 20))
    exact.remove(names("giant", 20))
    assert recall_against(index, exact, queries, 30).mean >= 0.95


def test_a_graph_is_built_anew_when_vectors_of_another_length_come() -> None:
    vectors, _ = clustered(2000)
    index, _ = filled("hnsw", vectors)
    store = index._store
    index.upsert(names("few", 50), 10 * vectors[:50])
    assert index._store is store
    index.upsert(names("many", 60), 10 * vectors[:60])
    assert index._store is not store


def test_vectors_of_one_length_are_no_longer_ones_whatever_rounding_says() -> None:
    vectors, _ = clustered(2000)
    index, _ = filled("hnsw", np.eye(16)[np.arange(100) % 16])
    store = index._store
    index.upsert(names("more", 2000), 1.000001 * vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    assert index._store is store


def test_lengths_that_differ_do_not_lead_the_graph_astray() -> None:
    """A graph built over inner products themselves fails this: hardly an edge leads to the short vectors."""
    rng = np.random.default_rng(0)
    vectors, _ = clustered(6000)
    vectors *= rng.lognormal(0, 0.3, size=(6000, 1)).astype(np.float32)
    index, exact = filled("hnsw", vectors)
    assert recall_against(index, exact, vectors[:100], 100).mean >= 0.95


@BOTH
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_identical_vectors_do_not_hide_the_others(algorithm: str, share: float) -> None:
    """Items that nobody has seen may share one vector; a graph tends to lose what lies behind such a heap."""
    vectors, queries = clustered(6000)
    heap = np.random.default_rng(1).permutation(6000)[: int(6000 * share)]
    vectors[heap] = 0.1
    above = (queries @ vectors.T > queries @ vectors[heap[0]][:, None] + 1e-3).sum(axis=1) >= 20
    assert above.sum() >= 10
    index, exact = filled(algorithm, vectors)
    assert recall_against(index, exact, queries[above], 20).mean >= 0.96


@BOTH
def test_too_few_hits_are_filled_up_exhaustively(algorithm: str) -> None:
    """One list holds fewer than k items, and a graph of one neighbour falls apart; k places are filled all the same."""
    vectors, queries = clustered(3000)
    index, exact = filled(algorithm, vectors, probes=1, lists=76, links=2, ef_construction=1, ef_search=1)
    found, truth = index.search(queries, 300), exact.search(queries, 300)
    assert (found.item_ids != "").all()
    assert all(len(set(row)) == 300 for row in found.item_ids)
    assert np.isfinite(found.scores).all()
    assert (truth.item_ids != "").all()


@BOTH
def test_the_same_question_has_the_same_answer_alone_or_in_company(algorithm: str) -> None:
    vectors, queries = clustered(3000)
    index, _ = filled(algorithm, vectors)
    together = index.search(queries, 30)
    for place, query in enumerate(queries):
        np.testing.assert_array_equal(index.search([query], 30).item_ids[0], together.item_ids[place])


@BOTH
def test_the_algorithm_of_a_filled_index_cannot_change(algorithm: str) -> None:
    index, _ = filled(algorithm, clustered(20)[0])
    other = "ivf" if algorithm == "hnsw" else "hnsw"
    with pytest.raises(CandidateInputError, match=f"algorithm is '{other}' but the index has '{algorithm}'") as caught:
        index.parameters = FaissParameters(other)
    assert_one_sentence(caught.value)
    assert index.parameters.algorithm == algorithm


@BOTH
def test_a_saved_index_says_what_it_is(tmp_path: Path, algorithm: str) -> None:
    index, _ = filled(algorithm, clustered(300)[0], links=8, lists=5)
    index.remove(["i0"])
    index.save(tmp_path / "x", model_version="7")
    assert sorted(path.name for path in (tmp_path / "x").iterdir()) == ["index.faiss", "index.json", "item_ids.json"]
    header = json.loads((tmp_path / "x" / "index.json").read_text())
    expected = {"format": 1, "kind": "faiss", "model_version": "7", "dimension": 16, "count": 299}
    assert {key: header[key] for key in expected} == expected
    assert header["faiss_version"] == faiss.__version__
    assert (header["parameters"]["algorithm"], header["parameters"]["links"]) == (algorithm, 8)
    with pytest.raises(IndexFolderError, match="model version '7', not '8'"):
        FaissIndex.open(tmp_path / "x", "8")


@BOTH
def test_an_opened_index_is_the_saved_one(tmp_path: Path, algorithm: str) -> None:
    vectors, queries = clustered(2000)
    index, _ = filled(algorithm, vectors, ef_search=20, probes=3)
    index.remove(names("i", 100))
    index.save(tmp_path / "x")
    opened = FaissIndex.open(tmp_path / "x")
    assert opened.parameters == index.parameters
    before, after = index.search(queries, 10), opened.search(queries, 10)
    np.testing.assert_array_equal(after.item_ids, before.item_ids)
    np.testing.assert_array_equal(after.scores, before.scores)
    assert opened._store.takes(vectors, 2500)
    assert not opened._store.takes(vectors * 10, 5000)


@BOTH
def test_an_emptied_index_can_be_saved(tmp_path: Path, algorithm: str) -> None:
    index, _ = filled(algorithm, clustered(5)[0])
    index.remove(names("i", 5))
    index.save(tmp_path / "x")
    opened = FaissIndex.open(tmp_path / "x")
    assert len(opened) == 0
    opened.upsert(["new"], np.ones((1, 16)))
    assert answer(opened, np.ones(16), 2) == ["new"]


def test_search_parameters_may_change_at_opening_the_algorithm_may_not(tmp_path: Path) -> None:
    vectors, queries = clustered(3000)
    index, exact = filled("ivf", vectors, probes=1)
    index.save(tmp_path / "x")
    wider = FaissIndex.open(tmp_path / "x", parameters=FaissParameters("ivf", probes=1000))
    assert recall_against(wider, exact, queries, 10).mean == 1.0
    assert recall_against(index, exact, queries, 10).mean < 1.0
    with pytest.raises(IndexFolderError, match="holds 'ivf' where 'hnsw' is configured") as caught:
        FaissIndex.open(tmp_path / "x", parameters=FaissParameters("hnsw"))
    assert_one_sentence(caught.value)


def test_a_damaged_index_is_refused_before_faiss_reads_it(tmp_path: Path) -> None:
    index, _ = filled("hnsw", clustered(300)[0])
    index.save(tmp_path / "x")
    path = tmp_path / "x" / "index.faiss"
    whole = path.read_bytes()
    for damage in (whole[:-100], whole + b"x", b"", whole[:500] + bytes([whole[500] ^ 1]) + whole[501:]):
        path.write_bytes(damage)
        with pytest.raises(IndexFolderError, match=r"index\.faiss is damaged") as caught:
            FaissIndex.open(tmp_path / "x")
        assert_one_sentence(caught.value)
    path.write_bytes(whole)
    assert len(FaissIndex.open(tmp_path / "x")) == 300


def _rewrite(folder: Path, **changes: Any) -> None:
    path = folder / "index.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": 2}, "is of format 2 where this version reads 1"),
        ({"kind": "exact"}, "holds an index of kind 'exact', not 'faiss'"),
        ({"parameters": {"algorithm": "tree"}}, "lacks readable parameters"),
        ({"parameters": None}, "lacks readable parameters"),
        ({"radius": "large"}, "lacks readable parameters"),
        ({"dimension": 15}, "contradicts itself"),
        ({"count": 299}, "contradicts the files"),
    ],
)
def test_a_folder_of_another_kind_is_refused(tmp_path: Path, changes: dict, words: str) -> None:
    index, _ = filled("hnsw", clustered(300)[0])
    index.save(tmp_path / "x")
    _rewrite(tmp_path / "x", **changes)
    with pytest.raises(IndexFolderError, match=words) as caught:
        FaissIndex.open(tmp_path / "x")
    assert_one_sentence(caught.value)


def test_a_file_that_this_faiss_cannot_read_is_named_with_both_versions(tmp_path: Path) -> None:
    import hashlib

    index, _ = filled("hnsw", clustered(300)[0])
    index.save(tmp_path / "x")
    path = tmp_path / "x" / "index.faiss"
    path.write_bytes(b"IxZZ" + path.read_bytes()[4:])  # what a later FAISS may call a kind we do not know
    sums = json.loads((tmp_path / "x" / "index.json").read_text())["sha256"]
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    _rewrite(tmp_path / "x", faiss_version="99.0", sha256={**sums, "index.faiss": digest})
    with pytest.raises(IndexFolderError, match=rf"by FAISS 99\.0 and cannot be read by {faiss.__version__}") as caught:
        FaissIndex.open(tmp_path / "x")
    assert str(caught.value).count("\n") == 0


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"algorithm": "HNSW"}, "algorithm is 'HNSW', so choose one of ivf, hnsw"),
        ({"links": 1}, "links is 1"),
        ({"ef_search": 0}, "ef_search is 0"),
        ({"ef_construction": 1.5}, r"ef_construction is 1\.5"),
        ({"lists": -1}, "lists is -1"),
        ({"probes": True}, "probes is True"),
        ({"largest_dead_share": 1.1}, r"largest_dead_share is 1\.1"),
        ({"largest_dead_share": float("nan")}, "largest_dead_share is nan"),
    ],
)
def test_wrong_parameters_are_refused(settings: dict, words: str) -> None:
    with pytest.raises(CandidateInputError, match=words) as caught:
        FaissParameters(**settings)
    assert_one_sentence(caught.value)


@pytest.mark.parametrize(("count", "lists"), [(0, 1), (1, 1), (77, 1), (78, 2), (40_000, 800), (1_000_000, 4000)])
def test_the_number_of_lists_grows_with_the_root(count: int, lists: int) -> None:
    assert FaissParameters("ivf").lists_for(count) == lists


def test_a_chosen_number_of_lists_is_kept_where_there_are_vectors_enough() -> None:
    assert FaissParameters("ivf", lists=100).lists_for(10_000) == 100
    assert FaissParameters("ivf", lists=100).lists_for(390) == 10


def test_a_closed_index_is_neither_saved_nor_rebuilt(tmp_path: Path) -> None:
    index = FaissIndex(2)
    index.close()
    for call in (lambda: index.save(tmp_path / "x"), index.rebuild):
        with pytest.raises(CandidateError, match="is closed"):
            call()
