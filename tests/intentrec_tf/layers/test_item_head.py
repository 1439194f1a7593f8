"""Scores of all items."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intentrec_tf.layers import ItemHead
from tests.support import run_layer_test

STATE = tf.random.stateless_normal([2, 3, 4], [0, 2])
VECTORS = tf.random.stateless_normal([6, 5], [0, 3])
BASE = {"vocabulary_size": 6, "dim": 5}


@pytest.mark.parametrize("similarity", ["dot", "cosine"])
@pytest.mark.parametrize("tied", [True, False])
def test_contract(tied: bool, similarity: str) -> None:
    init = {**BASE, "tied": tied, "similarity": similarity, "temperature": 0.5}
    call = {"item_vectors": VECTORS} if tied else {}
    run_layer_test(ItemHead, init, STATE, (2, 3, 6), call=call, weights=3 if tied else 4)


@pytest.mark.parametrize("tied", [True, False])
def test_contract_without_biases(tied: bool) -> None:
    call = {"item_vectors": VECTORS} if tied else {}
    run_layer_test(ItemHead, {**BASE, "tied": tied, "item_bias": False}, STATE, (2, 3, 6), call=call, weights=3 - tied)


def test_without_biases_only_padding_and_oov_have_one() -> None:
    head = ItemHead(**BASE, item_bias=False)
    head.build(STATE.shape)
    rows = tf.constant([4, 1, 0, 2])
    np.testing.assert_array_equal(head.factors(STATE, VECTORS)[2], [-1e9, -1e9, 0, 0, 0, 0])
    np.testing.assert_array_equal(head.factors(STATE, tf.gather(VECTORS, rows), rows)[2], [0, -1e9, -1e9, 0])


def _by_hand(similarity: str) -> np.ndarray:
    head = ItemHead(4, 2, similarity=similarity, temperature=0.5)
    vectors = tf.constant([[9.0, 9], [9, 9], [3, 4], [0, 2]])
    head(tf.zeros([1, 2]), item_vectors=vectors)
    head.query.set_weights([np.eye(2) * 2, np.zeros(2)])
    head.bias.assign([0, 0, 0.5, 0])
    return head(tf.constant([[0.0, 1]]), item_vectors=vectors).numpy()[0]


def test_dot_by_hand() -> None:
    # q = (0, 2): q.v = 8 and 4; the bias adds 0.5
    np.testing.assert_allclose(_by_hand("dot")[2:], [8.5, 4])


def test_cosine_by_hand() -> None:
    # cosines 4/5 and 1, over the temperature 0.5: 1.6 + 0.5 and 2
    np.testing.assert_allclose(_by_hand("cosine")[2:], [2.1, 2], rtol=1e-6)


@pytest.mark.parametrize("similarity", ["dot", "cosine"])
def test_padding_and_oov_never_win(similarity: str) -> None:
    scores = _by_hand(similarity)  # their vectors are the longest
    assert (scores[:2] < -1e8).all()
    assert (tf.nn.softmax(scores).numpy()[:2] == 0).all()


def test_logits_are_float32_under_mixed_precision() -> None:
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        assert ItemHead(**BASE)(STATE, item_vectors=VECTORS).dtype == tf.float32
    finally:
        tf.keras.mixed_precision.set_global_policy("float32")


def test_unknown_similarity() -> None:
    with pytest.raises(ValueError, match="'dot' or 'cosine', got 'euclid'"):
        ItemHead(**BASE, similarity="euclid")


@pytest.mark.parametrize("similarity", ["dot", "cosine"])
@pytest.mark.parametrize("tied", [True, False])
def test_factors_of_some_rows_are_those_of_all(tied: bool, similarity: str) -> None:
    head = ItemHead(**BASE, tied=tied, similarity=similarity, temperature=0.5)
    head.build(STATE.shape)
    for number, weight in enumerate(head.weights):
        weight.assign(tf.random.stateless_normal(weight.shape, [1, number]))
    rows = tf.constant([5, 0, 3, 1, 3])
    given = (VECTORS, tf.gather(VECTORS, rows)) if tied else (None, None)
    query, vectors, bias = head.factors(STATE, given[0])
    some_query, some_vectors, some_bias = head.factors(STATE, given[1], rows)
    np.testing.assert_array_equal(some_query, query)
    np.testing.assert_allclose(some_vectors, tf.gather(vectors, rows), rtol=1e-6)
    np.testing.assert_array_equal(some_bias, tf.gather(bias, rows))
    assert ((some_bias.numpy() < -1e8) == (rows.numpy() < 2)).all()
    logits = tf.matmul(query, vectors, transpose_b=True) + bias
    np.testing.assert_allclose(head(STATE, item_vectors=given[0]), logits, rtol=1e-5, atol=1e-6)


def test_items_without_their_id_have_the_bias_of_the_unknown() -> None:
    head = ItemHead(**BASE)
    head.build(STATE.shape)
    head.bias.assign([0, 7, 1, 2, 3, 4])
    known = tf.constant([False, False, True, False, True, False])
    np.testing.assert_array_equal(head.factors(STATE, VECTORS, known=known)[2][2:], [1, 7, 3, 7])
    rows = tf.constant([3, 4, 1])
    bias = head.factors(STATE, tf.gather(VECTORS, rows), rows, tf.gather(known, rows))[2]
    np.testing.assert_array_equal(bias[:2], [7, 3])
    assert bias[2] < -1e8
