"""The contract that every index of item vectors keeps; a test class of each kind inherits it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serving.candidates import CandidateError, CandidateIndex, CandidateInputError

ODD_IDS = [
    *(
        "a b",
        "it's",
        'say "hi"',
        "back\\slash",
        "\\",
        "new\nline",
        "tab\t",
        "日本",
        "é",
        "e\u0301",
        "{x}",
        "%s",
        "nul\0mid",
    ),
    *("x'] or item_id != '", '"] or item_id != "', "item_id", "-1", "0", " ", "\u2028", "😀"),
]


def names(prefix: str, count: int) -> list[str]:
    """``prefix0``, ``prefix1``, ..."""
    return [f"{prefix}{number}" for number in range(count)]


def best(content: dict[str, np.ndarray], query: np.ndarray, k: int) -> list[tuple[str, float]]:
    """The answer by definition."""
    scored = [(name, float(np.float64(vector) @ np.float64(query))) for name, vector in content.items()]
    return sorted(scored, key=lambda entry: (-entry[1], entry[0]))[:k]


def answer(index: CandidateIndex, query: Any, k: int) -> list[str]:
    """The ids found for one query, without the empty places."""
    return [name for name in index.search([query], k).item_ids[0] if name]


class IndexContract(ABC):
    """What `CandidateIndex` promises.  Vectors of small whole numbers make scores exact, so ties are real."""

    @abstractmethod
    def make(self, folder: Path, dimension: int) -> CandidateIndex:
        """An empty index that may keep files in ``folder``, the same one for the same folder."""

    @abstractmethod
    def reopen(self, index: CandidateIndex, folder: Path) -> CandidateIndex:
        """Close ``index`` and open what it held."""

    @pytest.fixture
    def index(self, tmp_path: Path) -> Any:
        """An empty index of dimension 2."""
        with self.make(tmp_path, 2) as made:
            yield made

    def test_the_best_come_first_with_their_scores(self, index: CandidateIndex) -> None:
        index.upsert(["low", "high", "middle", "against"], [[1, 1], [3, 9], [2, 0], [-5, 0]])
        found = index.search([[1, 0], [0, -1], [-1, 0]], 2)
        assert found.item_ids.tolist() == [["high", "middle"], ["against", "middle"], ["against", "low"]]
        assert found.scores.tolist() == [[3, 2], [0, 0], [5, -1]]
        assert (found.item_ids.dtype, found.scores.dtype) == (np.dtype(object), np.dtype(np.float32))
        assert type(found.item_ids[0, 0]) is str

    def test_a_larger_catalogue_agrees_with_the_definition(self, tmp_path: Path) -> None:
        rng = np.random.default_rng(5)
        content = dict(zip(names("i", 3000), rng.normal(size=(3000, 8)).astype(np.float32), strict=True))
        queries = rng.normal(size=(20, 8)).astype(np.float32)
        with self.make(tmp_path, 8) as index:
            index.upsert(content, np.stack(list(content.values())))
            assert len(index) == 3000
            found = index.search(queries, 10)
        hits = 0
        for query, row, scores in zip(queries, found.item_ids, found.scores, strict=True):
            hits += len({name for name, _ in best(content, query, 10)} & set(row))
            np.testing.assert_allclose(scores, [content[name] @ query for name in row], rtol=1e-4, atol=1e-5)
            assert (np.diff(scores) <= 0).all()
        assert hits >= 0.98 * 200

    def test_an_upsert_adds_and_replaces(self, index: CandidateIndex) -> None:
        index.upsert(["a", "b"], [[9, 0], [5, 0]])
        index.upsert(["c", "a"], [[7, 0], [1, 0]])
        assert len(index) == 3
        found = index.search([[1, 0]], 4)
        assert found.item_ids.tolist() == [["c", "b", "a", ""]]
        assert found.scores[0, :3].tolist() == [7, 5, 1]

    def test_removed_items_are_gone_and_may_come_back(self, index: CandidateIndex) -> None:
        index.upsert(names("i", 5), [[value, 0] for value in range(5)])
        assert index.remove(["i4", "i0", "i4", "never there"]) == 2
        assert len(index) == 3
        assert answer(index, [1, 0], 5) == ["i3", "i2", "i1"]
        assert index.remove(["i4"]) == 0
        index.upsert(["i4"], [[-1, 0]])
        assert answer(index, [1, 0], 5) == ["i3", "i2", "i1", "i4"]

    def test_places_that_nothing_is_left_for_are_empty(self, index: CandidateIndex) -> None:
        index.upsert(["a", "b"], [[-1, 0], [-2, 0]])
        found = index.search([[1, 0], [0, 0]], 50)
        assert found.item_ids.shape == found.scores.shape == (2, 50)
        assert found.item_ids[:, :2].tolist() == [["a", "b"]] * 2
        assert (found.item_ids[:, 2:] == "").all()
        assert np.isneginf(found.scores[:, 2:]).all()

    def test_all_of_many_items_are_found_when_asked_for(self, tmp_path: Path) -> None:
        rng = np.random.default_rng(3)
        with self.make(tmp_path, 4) as index:
            index.upsert(names("i", 700), rng.normal(size=(700, 4)))
            index.remove(names("i", 100))
            for k in (60, 599, 600, 900):
                found = index.search(rng.normal(size=(3, 4)), k).item_ids
                assert [len(set(row) - {""}) for row in found] == [min(k, 600)] * 3

    def test_an_empty_index_answers(self, index: CandidateIndex) -> None:
        assert len(index) == 0
        assert index.search([[1, 2]], 3).item_ids.tolist() == [["", "", ""]]
        assert np.isneginf(index.search([[1, 2]], 3).scores).all()
        assert index.remove(["a"]) == 0
        assert index.remove([]) == 0
        index.upsert([], np.zeros((0, 2)))
        assert len(index) == 0

    def test_an_emptied_index_can_be_filled_again(self, index: CandidateIndex) -> None:
        index.upsert(names("i", 60), np.ones((60, 2)))
        assert index.remove(names("i", 60)) == 60
        assert len(index) == 0
        assert answer(index, [1, 1], 3) == []
        index.upsert(["new"], [[1, 1]])
        assert answer(index, [1, 1], 3) == ["new"]

    def test_no_query_no_answer(self, index: CandidateIndex) -> None:
        index.upsert(["a"], [[1, 1]])
        found = index.search(np.zeros((0, 2), np.float32), 3)
        assert found.item_ids.shape == found.scores.shape == (0, 3)

    def test_equal_scores_are_ordered_by_id_whatever_the_history(self, tmp_path: Path) -> None:
        ids = names("i", 12)
        answers = []
        for seed in range(3):
            order = np.random.default_rng(seed).permutation(12)
            (tmp_path / str(seed)).mkdir()
            with self.make(tmp_path / str(seed), 2) as index:
                index.upsert(["i3", "gone"], [[8, 8], [9, 9]])
                index.remove(["gone"])
                index.upsert([ids[place] for place in order], [[place % 3, 1] for place in order])
                answers.append(answer(index, [1, 0], 12))
        assert answers[0] == sorted(ids, key=lambda name: (-(int(name[1:]) % 3), name))
        assert answers[1:] == answers[:1] * 2

    def test_ids_of_any_text_survive_and_do_not_touch_each_other(self, tmp_path: Path) -> None:
        with self.make(tmp_path, 2) as index:
            index.upsert(ODD_IDS, [[1, place] for place in range(len(ODD_IDS))])
            assert answer(index, [0, 1], 50) == ODD_IDS[::-1]
            left = list(ODD_IDS)
            for name in ODD_IDS[::2]:
                assert index.remove([name]) == 1, name
                left.remove(name)
                assert answer(index, [0, 1], 50) == left[::-1], name
            assert index.remove(ODD_IDS) == len(left)
            assert len(index) == 0

    def test_any_sequence_of_changes_agrees_with_a_dictionary(self, tmp_path: Path) -> None:
        rng = np.random.default_rng(11)
        content: dict[str, np.ndarray] = {}
        with self.make(tmp_path, 4) as index:
            for step in range(25):
                ids = [f"i{number}" for number in rng.choice(120, size=rng.integers(1, 40), replace=False)]
                if step % 3 == 2:
                    assert index.remove(ids) == len(content.keys() & set(ids))
                    content = {name: vector for name, vector in content.items() if name not in ids}
                else:
                    vectors = rng.normal(size=(len(ids), 4)).astype(np.float32)
                    index.upsert(ids, vectors)
                    content.update(zip(ids, vectors, strict=True))
                assert len(index) == len(content)
                query = rng.normal(size=4).astype(np.float32)
                assert answer(index, query, 4) == [name for name, _ in best(content, query, 4)]

    def test_what_was_changed_is_there_after_opening_again(self, tmp_path: Path) -> None:
        rng = np.random.default_rng(2)
        index = self.make(tmp_path, 4)
        index.upsert(names("i", 200), rng.normal(size=(200, 4)))
        index.remove(names("i", 20))
        index.upsert([*names("i", 30)[25:], *ODD_IDS], rng.normal(size=(5 + len(ODD_IDS), 4)))
        queries = rng.normal(size=(6, 4)).astype(np.float32)
        before = index.search(queries, 12)
        with self.reopen(index, tmp_path) as opened:
            assert len(opened) == 180 + len(ODD_IDS)
            after = opened.search(queries, 12)
            np.testing.assert_array_equal(after.item_ids, before.item_ids)
            np.testing.assert_allclose(after.scores, before.scores, rtol=1e-5, atol=1e-6)
            opened.upsert(["more"], [queries[0] * 100])
            opened.remove([before.item_ids[0, 0]])
            assert answer(opened, queries[0], 2) == ["more", before.item_ids[0, 1]]

    def test_threads_may_search_at_once(self, tmp_path: Path) -> None:
        rng = np.random.default_rng(8)
        with self.make(tmp_path, 4) as index:
            index.upsert(names("i", 400), rng.normal(size=(400, 4)))
            index.remove(names("i", 50))
            queries = rng.normal(size=(40, 4)).astype(np.float32)
            alone = [answer(index, query, 10) for query in queries]
            with ThreadPoolExecutor(8) as pool:
                assert list(pool.map(lambda query: answer(index, query, 10), queries)) == alone

    def test_the_callers_arrays_stay_the_callers(self, index: CandidateIndex) -> None:
        vectors, queries = np.array([[1, 0], [2, 0]], np.float32), np.array([[1, 0]], np.float32)
        index.upsert(["a", "b"], vectors)
        assert vectors.tolist() == [[1, 0], [2, 0]]
        vectors[:] = [[9, 0], [-9, 0]]
        found = index.search(queries, 2)
        assert found.item_ids.tolist() == [["b", "a"]]
        found.item_ids[:], found.scores[:] = "?", 0
        assert index.search(queries, 2).item_ids.tolist() == [["b", "a"]]

    @pytest.mark.parametrize("dtype", [np.float64, np.float16, np.int32, np.uint8])
    def test_any_real_numbers_and_kinds_of_text_are_taken(self, index: CandidateIndex, dtype: Any) -> None:
        index.upsert(np.array(["a", "b"]), np.array([[1, 0], [2, 0]], dtype))
        index.upsert((name for name in ["c"]), np.asfortranarray([[3, 0]]))
        found = index.search(np.array([[1, 0]], dtype), 3)
        assert found.item_ids.tolist() == [["c", "b", "a"]]
        assert {type(name) for name in found.item_ids[0]} == {str}

    @pytest.mark.parametrize(
        ("ids", "vectors", "words"),
        [
            (["b", "c"], [[1, 2, 3], [1, 2, 3]], r"vectors have shape \[2, 3\] .* needs \[N, 2\]"),
            (["b"], [1, 2], r"shape \[2\]"),
            (["b", "c"], [[1, 2], [1]], "different lengths"),
            (["b", "c"], [[1, 2], [np.nan, 1]], "nan at row 1, column 0"),
            (["b", "c"], [[1, np.inf], [3, 1]], "inf at row 0, column 1"),
            (["b"], [[1e300, 1]], r"1e\+300 at row 0"),
            (["b"], [[-1e16, 1]], "of at most 1e"),
            (["b"], [["1", "2"]], "dtype <U1"),
            (["b"], [[True, False]], "dtype bool"),
            (["b"], None, "dtype object"),
            (["b", "c"], [[1, 2]], "2 item ids and 1 vectors"),
            (["b", "c", "b"], [[1, 2]] * 3, "'b' is at rows 0 and 2"),
            (["b", ""], [[1, 2]] * 2, "at row 1 is ''"),
            (["b", 7], [[1, 2]] * 2, "at row 1 is 7"),
            ([b"b"], [[1, 2]], "at row 0 is b'b'"),
            (["b", "\ud800"], [[1, 2]] * 2, r"half a character \(U\+D800\)"),
            ("bc", [[1, 2]] * 2, "item_ids is 'bc'"),
            (None, [[1, 2]], "item_ids is None"),
        ],
    )
    def test_a_wrong_upsert_is_refused_in_one_sentence_and_changes_nothing(
        self, index: CandidateIndex, ids: Any, vectors: Any, words: str
    ) -> None:
        index.upsert(["a"], [[1, 1]])
        with pytest.raises(CandidateInputError, match=words) as caught:
            index.upsert(ids, vectors)
        assert_one_sentence(caught.value)
        assert len(index) == 1
        assert index.search([[1, 1]], 1).scores.tolist() == [[2]]

    @pytest.mark.parametrize(
        ("queries", "k", "words"),
        [
            ([[1, 2, 3]], 1, r"queries have shape \[1, 3\]"),
            ([1, 2], 1, r"queries have shape \[2\]"),
            ([[np.nan, 0]], 1, "queries hold nan"),
            ([[1, 2]], 0, "k is 0"),
            ([[1, 2]], -1, "k is -1"),
            ([[1, 2]], 1.0, r"k is 1\.0"),
            ([[1, 2]], True, "k is True"),
            ([[1, 2]], "3", "k is '3'"),
        ],
    )
    def test_a_wrong_search_is_refused_in_one_sentence(
        self, index: CandidateIndex, queries: Any, k: Any, words: str
    ) -> None:
        with pytest.raises(CandidateInputError, match=words) as caught:
            index.search(queries, k)
        assert_one_sentence(caught.value)

    @pytest.mark.parametrize(
        ("ids", "words"), [([""], "at row 0 is ''"), ("a", "item_ids is 'a'"), (["a", 1], "row 1")]
    )
    def test_a_wrong_removal_is_refused_and_changes_nothing(self, index: CandidateIndex, ids: Any, words: str) -> None:
        index.upsert(["a"], [[1, 1]])
        with pytest.raises(CandidateInputError, match=words):
            index.remove(ids)
        assert len(index) == 1

    @pytest.mark.parametrize("dimension", [0, -3, 1.5, "2", None])
    def test_a_wrong_dimension_is_refused(self, tmp_path: Path, dimension: Any) -> None:
        with pytest.raises(CandidateInputError, match="dimension is"):
            self.make(tmp_path, dimension)

    def test_a_closed_index_says_so(self, tmp_path: Path) -> None:
        with self.make(tmp_path, 2) as index:
            index.upsert(["a"], [[1, 1]])
        index.close()
        for call in (
            lambda: index.search([[1, 1]], 1),
            lambda: index.upsert(["b"], [[1, 1]]),
            lambda: index.remove(["a"]),
            lambda: len(index),
        ):
            with pytest.raises(CandidateError, match=r"is closed, so open it again\.") as caught:
                call()
            assert_one_sentence(caught.value)


def assert_one_sentence(error: BaseException) -> None:
    """A message for people: one line, one full stop, at its end."""
    message = str(error)
    assert message.endswith(".")
    assert "\n" not in message
    assert ". " not in message.replace("... ", " ")
