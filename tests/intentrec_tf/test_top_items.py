"""The best of many items are the best of all."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intentrec_tf import top_items as module
from intentrec_tf.top_items import exclude, nearest_items, top_items


@pytest.mark.parametrize(("size", "k"), [(1_000, 3), (1_024, 5), (70, 70), (33, 1), (1_000, 1)])
@pytest.mark.parametrize("levels", [2, 50, 10**6])
def test_as_if_all_had_been_ordered(size: int, k: int, levels: int) -> None:
    """Whatever the number of ties."""
    scores = np.random.default_rng(size).integers(0, levels, (size, 4)).astype(np.float32)
    scores[:, 2] = -np.inf
    scores[size // 2, 3] = np.inf
    best, rows = top_items(tf.constant(scores), k)
    expected, order = tf.math.top_k(scores.T, k)
    np.testing.assert_array_equal(best, expected)
    np.testing.assert_array_equal(rows, order)


def test_no_query_has_no_answer() -> None:
    best, rows = top_items(tf.zeros([1_000, 0]), 3)
    assert best.shape == rows.shape == (0, 3)


def test_exclude() -> None:
    scores = exclude(tf.ones([5, 2]), tf.constant([[2, 2, 0], [4, 3, 0]])).numpy()
    assert np.isinf(scores).T.tolist() == [[True, False, True, False, False], [True, False, False, True, True]]


@pytest.fixture
def vectors() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(500, 8)).astype(np.float32)


@pytest.fixture
def queries() -> np.ndarray:
    return np.random.default_rng(2).normal(size=(5, 3, 8)).astype(np.float32)


@pytest.mark.parametrize("at_once", [1, 3_000, 2**24])
def test_users_at_a_time_change_nothing(
    at_once: int, vectors: np.ndarray, queries: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AT_ONCE", at_once)
    never = np.random.default_rng(3).integers(0, 500, (5, 40)).astype(np.int32)
    rows, best = tf.function(nearest_items)(queries, tf.constant(vectors), tf.constant(never), 6)
    truth = np.einsum("bkd,vd->bkv", queries, vectors)
    for user in range(5):
        truth[user][:, [0, 1, *never[user]]] = -np.inf
    order = np.argsort(-truth, axis=-1)[..., :6]
    np.testing.assert_array_equal(rows, order)
    np.testing.assert_allclose(best, np.take_along_axis(truth, order, -1), rtol=1e-4)


def test_what_there_is_of_a_topic_and_no_more(vectors: np.ndarray, queries: np.ndarray) -> None:
    labels = np.zeros((500, 2), np.int32)
    labels[[7, 300], 1] = 4
    labels[9, 0] = 5
    topics = tf.constant([[4, 5, 6]] * 5)
    never = tf.constant([[300]] + [[0]] * 4)
    rows, best = nearest_items(queries, tf.constant(vectors), never, 3, topics, tf.constant(labels))
    assert [[set(found) for found in user] for user in rows.numpy().tolist()] == [
        [{7, 0}, {9, 0}, {0}],
        *[[{7, 300, 0}, {9, 0}, {0}]] * 4,
    ]
    np.testing.assert_array_equal(best.numpy()[rows.numpy() == 0], 0)


def test_nobody_and_nothing_asked(vectors: np.ndarray) -> None:
    for shape in ((0, 3, 8), (2, 0, 8)):
        never = tf.zeros([shape[0], 0], tf.int32)
        rows, best = nearest_items(tf.zeros(shape), tf.constant(vectors), never, 4)
        assert rows.shape == best.shape == (*shape[:2], 4)
