"""Exact search: the contract, rounding, ties at the end of the list, blocks, and its folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from serving.candidates import CandidateIndex, ExactIndex, IndexFolderError, exact_search
from tests.serving.candidates.contract import IndexContract, answer, assert_one_sentence, best, names


class TestContract(IndexContract):
    """`ExactIndex` keeps the contract."""

    def make(self, folder: Path, dimension: int) -> CandidateIndex:
        return ExactIndex(dimension)

    def reopen(self, index: CandidateIndex, folder: Path) -> CandidateIndex:
        assert isinstance(index, ExactIndex)
        index.save(folder / "index")
        index.close()
        return ExactIndex.open(folder / "index")


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of seven items and five queries, so that a small test sees many."""
    monkeypatch.setattr(exact_search, "_ITEMS", 7)
    monkeypatch.setattr(exact_search, "_QUERIES", 5)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("k", [1, 6, 7, 8, 40, 99, 100, 101])
def test_blocks_change_nothing(k: int) -> None:
    rng = np.random.default_rng(k)
    content = dict(zip(names("i", 100), rng.normal(size=(100, 5)).astype(np.float32), strict=True))
    index = ExactIndex(5)
    index.upsert(content, np.stack(list(content.values())))
    queries = rng.normal(size=(12, 5)).astype(np.float32)
    found = index.search(queries, k)
    for query, row, scores in zip(queries, found.item_ids, found.scores, strict=True):
        expected = best(content, query, k)
        assert [name for name in row if name] == [name for name, _ in expected]
        assert scores[: len(expected)].tolist() == [np.float32(score) for _, score in expected]


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("k", [1, 3, 20, 39])
def test_ties_for_the_last_place_go_to_the_smaller_ids(k: int) -> None:
    ids = names("i", 60)
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(60)
        index = ExactIndex(2)
        index.upsert([ids[place] for place in order], [[place % 3, 1] for place in order])
        expected = sorted(ids, key=lambda name: (-(int(name[1:]) % 3), name))[:k]
        assert answer(index, [1, 0], k) == expected


def test_equal_vectors_have_equal_scores_wherever_they_lie_and_whoever_asks_with_them() -> None:
    """Matrix products round differently in different places; what comes out must not."""
    rng = np.random.default_rng(0)
    for dimension in (3, 17, 64, 200):
        vectors = rng.normal(size=(2000, dimension)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)  # each is its own nearest
        twins = rng.permutation(2000)[:300]
        vectors[twins] = vectors[twins[0]]
        index = ExactIndex(dimension)
        index.upsert(names("i", 2000), vectors)
        queries = np.concatenate([vectors[twins[:1]], rng.normal(size=(9, dimension)).astype(np.float32)])
        together = index.search(queries, 250)
        assert len(set(together.scores[0])) == 1
        assert together.item_ids[0].tolist() == sorted(f"i{place}" for place in twins)[:250]
        for place, query in enumerate(queries):
            alone = index.search([query], 250)
            np.testing.assert_array_equal(alone.scores[0], together.scores[place])
            np.testing.assert_array_equal(alone.item_ids[0], together.item_ids[place])


def test_scores_are_the_true_ones_rounded_once() -> None:
    """Large numbers that cancel: a float32 sum loses what is left."""
    index = ExactIndex(3)
    index.upsert(["a", "b"], [[1e8, 1, -1e8], [1e8, 2, -1e8]])
    found = index.search([[1, 1, 1]], 1)
    assert (found.item_ids.tolist(), found.scores.tolist()) == ([["b"]], [[2.0]])


def test_growing_in_small_steps_keeps_everything() -> None:
    index = ExactIndex(1)
    for number in range(300):
        index.upsert([f"i{number}"], [[number]])
    assert answer(index, [1], 300) == [f"i{number}" for number in range(299, -1, -1)]


def test_a_saved_index_names_its_model_version(tmp_path: Path) -> None:
    index = ExactIndex(2)
    index.upsert(["a"], [[1, 2]])
    index.save(tmp_path / "x", model_version="7")
    assert len(ExactIndex.open(tmp_path / "x", "7")) == len(ExactIndex.open(str(tmp_path / "x"))) == 1
    with pytest.raises(IndexFolderError, match="model version '7', not '8'") as caught:
        ExactIndex.open(tmp_path / "x", "8")
    assert_one_sentence(caught.value)


def test_an_empty_index_can_be_saved(tmp_path: Path) -> None:
    ExactIndex(3).save(tmp_path / "x")
    opened = ExactIndex.open(tmp_path / "x")
    assert (len(opened), opened.dimension) == (0, 3)


def test_a_description_that_does_not_fit_the_vectors_is_refused(tmp_path: Path) -> None:
    index = ExactIndex(2)
    index.upsert(["a"], [[1, 2]])
    index.save(tmp_path / "x")
    path = tmp_path / "x" / "index.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "dimension": 3}))
    with pytest.raises(IndexFolderError, match="contradicts itself"):
        ExactIndex.open(tmp_path / "x")


def test_a_closed_index_cannot_be_saved(tmp_path: Path) -> None:
    index = ExactIndex(2)
    index.close()
    with pytest.raises(Exception, match="is closed"):
        index.save(tmp_path / "x")
    assert not (tmp_path / "x").exists()
