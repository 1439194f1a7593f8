"""Items met since an event."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from intentrec_tf.layers import AttentionMask, ItemRecency
from tests.support import run_layer_test


def _recency(ids: np.ndarray, segment: np.ndarray) -> list[np.ndarray]:
    mask = AttentionMask()(tf.constant(segment), timestamp=tf.zeros(segment.shape, tf.int64))
    return [part.numpy() for part in ItemRecency()(tf.constant(ids), mask=mask)]


def test_contract() -> None:
    ids, segment = tf.constant([[5, 6, 5, 7]]), tf.constant([[1, 1, 1, 1]])
    mask = AttentionMask()(segment, timestamp=tf.zeros([1, 4], tf.int64))
    run_layer_test(ItemRecency, {}, ids, [(1, 4, 4)] * 3, call={"mask": mask}, dtype=[tf.float32] * 3, weights=0)


def test_by_hand() -> None:
    """From the last of a, b, a, c: c is newest, a has one item after it, b two; the first a, with three, came again."""
    number, other, again = _recency(np.array([[5, 6, 5, 7]]), np.ones((1, 4), int))
    np.testing.assert_allclose(np.expm1(number[0, 3]), [3, 2, 1, 0], atol=1e-6)
    np.testing.assert_array_equal(other[0, 3], [1, 1, 1, 0])
    np.testing.assert_array_equal(again[0, 3], [1, 0, 0, 0])
    np.testing.assert_allclose(np.expm1(number[0, 1]), [1, 0, 0, 0], atol=1e-6)  # nothing later is counted
    np.testing.assert_array_equal(again[0, 1], [0, 0, 0, 0])


def test_equals_plain_python_for_several_users_in_a_row() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        segment = np.repeat([[1, 2, 0]], [6, 5, 2], axis=1)
        ids = np.where(segment > 0, rng.integers(1, 6, segment.shape), 0)  # 1 is an unknown item
        number, _, again = _recency(ids, segment)
        for k in range(11):
            for i in range(k + 1):
                if segment[0, i] != segment[0, k]:
                    assert number[0, k, i] == again[0, k, i] == 0
                    continue
                later = [j if ids[0, j] == 1 else 100 + ids[0, j] for j in range(i + 1, k + 1)]
                assert round(float(np.expm1(number[0, k, i]))) == len(set(later))
                assert again[0, k, i] == (ids[0, i] != 1 and ids[0, i] in ids[0, i + 1 : k + 1])
