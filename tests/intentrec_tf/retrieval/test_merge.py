"""Budgets and the merging of candidate lists."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intentrec_tf.retrieval.merge import deal, merge, merge_by_score, split_budget


def _budget(total: int, mass: list[float], topics: list[bool], share: float = 0.4, slots: list[bool] | None = None):
    slots = [True] * len(mass) if slots is None else slots
    given = (tf.constant([mass], tf.float32), tf.constant([slots]), tf.constant([topics], tf.bool))
    return split_budget(total, *given, share).numpy()[0].tolist()


@pytest.mark.parametrize(
    ("total", "mass", "topics", "expected"),
    [
        (10, [3.0, 1.0], [], [8, 2]),  # 7.5 and 2.5: as large remainders, the earlier one is rounded up
        (10, [3.0, 1.0], [True, True], [5, 1, 2, 2]),  # 4.5, 1.5, 2, 2
        (10, [0.0, 0.0], [], [5, 5]),
        (7, [1.0, 1.0, 1.0], [], [3, 2, 2]),
        (10, [1.0], [False, True, False], [6, 0, 4, 0]),
    ],
)
def test_budgets_by_hand(total: int, mass: list[float], topics: list[bool], expected: list[int]) -> None:
    assert _budget(total, mass, topics) == expected


def test_who_has_no_topic_or_no_interest_gives_all_to_the_other() -> None:
    assert _budget(10, [1.0, 1.0], [False, False]) == [5, 5, 0, 0]
    assert _budget(10, [1.0, 1.0], [True, True], slots=[False, False]) == [0, 0, 5, 5]
    assert _budget(10, [1.0], [False], slots=[False]) == [0, 0]
    assert _budget(10, [5.0, 1.0], [], slots=[False, True]) == [0, 10]


def test_budgets_always_add_up() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        mass, topics = rng.exponential(size=rng.integers(1, 9)), rng.random(rng.integers(0, 6)) < 0.5
        slots, total = rng.random(len(mass)) < 0.7, int(rng.integers(1, 600))
        found = _budget(total, mass.tolist(), topics.tolist(), float(rng.random()), slots.tolist())
        assert sum(found) == (total if slots.any() or topics.any() else 0)
        assert min(found) >= 0
        assert not np.array(found)[: len(mass)][~slots].any()
        assert not np.array(found)[len(mass) :][~topics].any()


def _plain_merge(rows: np.ndarray, budgets: np.ndarray, total: int) -> list[tuple[int, int]]:
    """The same in plain Python: (row, source) in order."""
    seen: set[int] = set()
    lists: list[list[int]] = [[] for _ in rows]
    for rank in range(rows.shape[1]):
        for source in range(len(rows)):
            row = int(rows[source, rank])
            if row >= 2 and row not in seen:
                seen.add(row)
                lists[source].append(row)
    within = [(n, s, row) for s, own in enumerate(lists) for n, row in enumerate(own[: budgets[s]])]
    beyond = [(n, s, row) for s, own in enumerate(lists) for n, row in enumerate(own) if n >= budgets[s]]
    return [(row, s) for _, s, row in (*sorted(within), *sorted(beyond))][:total]


def test_merge_equals_the_plain_algorithm() -> None:
    rng = np.random.default_rng(1)
    for _ in range(60):
        sources, depth, total = rng.integers(1, 6), rng.integers(1, 12), int(rng.integers(1, 40))
        rows = np.stack([rng.permutation(30)[:depth] for _ in range(3 * sources)]).reshape(3, sources, depth)
        budgets = rng.integers(0, 8, (3, sources)).astype(np.int32)
        score = rng.random(rows.shape).astype(np.float32)
        merged = merge(tf.constant(rows, tf.int32), tf.constant(score), tf.constant(budgets), total)
        for user in range(3):
            expected = _plain_merge(rows[user], budgets[user], total)
            found = list(zip(merged.rows[user].numpy().tolist(), merged.source[user].numpy().tolist(), strict=True))
            assert found == expected + [(0, -1)] * (total - len(expected))
            for (row, source), value in zip(expected, merged.score[user].numpy(), strict=False):
                assert value == score[user, source, rows[user, source].tolist().index(row)]


def test_merge_by_hand() -> None:
    """Two sources, one place each and three in all: 5 and 7 take turns, 5 counts once, 6 fills up."""
    rows = tf.constant([[[5, 6, 8], [5, 7, 9]]])
    merged = merge(rows, tf.constant([[[0.9, 0.8, 0.1], [0.7, 0.6, 0.2]]]), tf.constant([[1, 1]]), 3)
    np.testing.assert_array_equal(merged.rows, [[5, 7, 6]])
    np.testing.assert_array_equal(merged.source, [[0, 1, 0]])
    np.testing.assert_allclose(merged.score, [[0.9, 0.6, 0.8]])


def test_by_score_an_item_is_of_the_source_that_scores_it_highest() -> None:
    rows = tf.constant([[[5, 6, 0], [6, 7, 5]], [[4, 0, 0], [0, 0, 0]]])
    score = tf.constant([[[0.9, 0.1, 5.0], [0.8, 0.3, 0.2]], [[-0.5, 9.0, 9.0], [9.0, 9.0, 9.0]]])
    found = merge_by_score(rows, score, 4)
    np.testing.assert_array_equal(found.rows, [[5, 6, 7, 0], [4, 0, 0, 0]])
    np.testing.assert_array_equal(found.source, [[0, 1, 1, -1], [0, -1, -1, -1]])
    np.testing.assert_allclose(found.score, [[0.9, 0.8, 0.3, 0], [-0.5, 0, 0, 0]])


def test_a_list_is_dealt_out_in_turn() -> None:
    np.testing.assert_array_equal(deal(tf.constant([[1, 2, 3, 4, 5]]), 2), [[[1, 3, 5], [2, 4, 0]]])
    np.testing.assert_array_equal(deal(tf.constant([[1, 2]]), 3), [[[1], [2], [0]]])


def test_labels_stand_for_the_sources() -> None:
    rows, score = tf.constant([[[5, 6], [7, 8]]]), tf.ones([1, 2, 2])
    found = merge(rows, score, tf.constant([[2, 2]]), 4, tf.constant([[[3, 1], [9, 9]]]))
    np.testing.assert_array_equal(found.rows, [[5, 7, 6, 8]])
    np.testing.assert_array_equal(found.source, [[3, 9, 1, 9]])


def test_the_client_side_merges_and_splits_alike() -> None:
    """`serving.candidates` does the same with NumPy, for a search outside the model."""
    from serving.candidates import merge as client_side

    rng = np.random.default_rng(2)
    for _ in range(60):
        sources, depth, total = rng.integers(1, 6), rng.integers(1, 12), int(rng.integers(1, 40))
        rows = np.stack([rng.permutation(30)[:depth] for _ in range(sources)])
        budgets = rng.integers(0, 8, sources).astype(np.int32)
        score = rng.random(rows.shape).astype(np.float32)
        ours = merge(tf.constant(rows[None], tf.int32), tf.constant(score[None]), tf.constant(budgets[None]), total)
        names = np.where(rows >= 2, rows.astype(str).astype(object), "")
        theirs = client_side.merge_candidates(names, score, budgets, total)
        count = len(theirs.item_ids)
        assert [str(row) for row in ours.rows[0].numpy()[:count]] == theirs.item_ids.tolist()
        assert not ours.rows[0].numpy()[count:].any()
        np.testing.assert_array_equal(ours.source[0].numpy()[:count], theirs.sources)
        best = merge_by_score(tf.constant(rows[None], tf.int32), tf.constant(score[None]), total)
        theirs = client_side.merge_by_score(names, score, total)
        count = len(theirs.item_ids)
        assert [str(row) for row in best.rows[0].numpy()[:count]] == theirs.item_ids.tolist()
        assert not best.rows[0].numpy()[count:].any()
        np.testing.assert_array_equal(best.source[0].numpy()[:count], theirs.sources)
        np.testing.assert_array_equal(best.score[0].numpy()[:count], theirs.scores)
        hands, numbers = int(rng.integers(1, 6)), rng.integers(1, 9, rng.integers(0, 12))
        dealt = client_side.deal(numbers, hands, 0)
        np.testing.assert_array_equal(deal(tf.constant(numbers[None]), hands)[0], dealt)
    for _ in range(300):
        mass = rng.integers(0, 4, rng.integers(1, 9)).astype(np.float32)  # many ties
        slots, topics = rng.random(len(mass)) < 0.7, int(rng.integers(0, 6))
        total, share = int(rng.integers(1, 600)), float(rng.choice([0.0, 0.25, 5 / 12, 1.0]))
        ours = _budget(total, mass.tolist(), [True] * topics, share, slots.tolist())
        assert ours == client_side.split_budget(total, mass, slots, topics, share).tolist()
