"""Negatives: which, how often, and what the layer says about how often."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intentrec_tf.layers import NegativeSampler
from intentrec_tf.layers.negative_sampler import _search
from tests.support import run_layer_test

TRUE = tf.constant([4, 0, 2])
V = 8  # rows 2..7 are items
COUNTS = np.array([0, 0, 50, 25, 15, 9, 1, 0.0])
MANY = 60_000


def _sampler(count: int = MANY, counts: np.ndarray | None = COUNTS, seed: int = 1, size: int = V) -> NegativeSampler:
    layer = NegativeSampler(count, size, seed)
    layer.build([None])
    if counts is not None:
        layer.set_counts(counts)
    return layer


def test_contract() -> None:
    init = {"count": 5, "vocabulary_size": V, "seed": 3}
    run_layer_test(NegativeSampler, init, TRUE, ((8,), (5,)), dtype=("int32", "float32"), weights=0)


def _drawn(layer: NegativeSampler) -> tuple[np.ndarray, np.ndarray]:
    """Drawn rows and the logarithm of how often each was expected."""
    rows, log_expected = layer(TRUE)
    np.testing.assert_array_equal(rows[:3], TRUE)
    return rows[3:].numpy(), log_expected.numpy()


@pytest.mark.parametrize("counts", [COUNTS, None, np.zeros(V)])
@pytest.mark.parametrize("count", [MANY, 30_001])
def test_items_come_as_often_as_expected(count: int, counts: np.ndarray | None) -> None:
    """The first half uniformly, the rest by their share in training; uniform throughout without any count."""
    rows, log_expected = _drawn(_sampler(count, counts))
    half = count // 2
    shares = np.full(6, 1 / 6) if counts is None or not counts.any() else counts[2:] / 100
    expected = half / 6 + (count - half) * shares
    found = np.bincount(rows, minlength=V)
    assert not found[:2].any()
    assert len(found) == V
    assert (np.abs(found[2:] - expected) < 4.5 * np.sqrt(expected)).all()
    np.testing.assert_allclose(np.exp(log_expected), expected[rows - 2], rtol=1e-5)


def test_counts_of_padding_and_oov_do_not_matter() -> None:
    rows, log_expected = _drawn(_sampler())
    other_rows, other_expected = _drawn(_sampler(counts=np.r_[1e6, 1e6, COUNTS[2:]]))
    np.testing.assert_array_equal(other_rows, rows)
    np.testing.assert_array_equal(other_expected, log_expected)


def test_the_last_item_is_reached_from_both_halves() -> None:
    rows, _ = _drawn(_sampler(counts=np.arange(V)))
    assert (rows[: MANY // 2] == V - 1).any()
    assert (rows[MANY // 2 :] == V - 1).any()


def test_an_item_of_all_the_training_is_all_of_the_second_half() -> None:
    rows, log_expected = _drawn(_sampler(10, np.array([0, 0, 0, 0, 3.0, 0, 0, 0])))
    assert (rows[5:] == 4).all()
    # 10 * (1/2 * 1/6 + 1/2) of item 4, 10 * 1/2 * 1/6 of any other
    np.testing.assert_allclose(np.exp(log_expected[5:]), 35 / 6, rtol=1e-5)
    np.testing.assert_allclose(np.exp(log_expected[:5]), np.where(rows[:5] == 4, 35 / 6, 5 / 6), rtol=1e-5)


@pytest.mark.parametrize("size", [1, 2, 7, 8, 100])
def test_search_takes_the_first_entry_above(size: int) -> None:
    """An entry equal to the one before belongs to an item without any share, which is not to be found."""
    entries = np.sort(np.random.default_rng(size).integers(0, size, size)).astype(np.float32)
    values = np.arange(-0.5, size + 1, 0.5, dtype=np.float32)
    expected = np.searchsorted(entries, values, side="right")
    np.testing.assert_array_equal(_search(tf.constant(entries), tf.constant(values)), expected)


def test_compiled_draws_the_same() -> None:
    plain, compiled = _sampler(1000), _sampler(1000)
    rows, log_expected = tf.function(compiled, jit_compile=True)(TRUE)
    expected_rows, expected = plain(TRUE)
    np.testing.assert_array_equal(rows, expected_rows)
    np.testing.assert_allclose(log_expected, expected, rtol=1e-6)


def test_each_draw_is_another_and_a_seed_repeats_them() -> None:
    size = 10_002
    layer, again, other = (_sampler(2000, None, seed, size) for seed in (1, 1, 2))
    draws = [_drawn(layer)[0] for layer in (layer, layer, other)]
    for i in range(3):
        for j in range(i):
            assert (draws[i] == draws[j]).sum() < 6  # 0.2 are expected of 2000 pairs among 10,000 items
    np.testing.assert_array_equal(_drawn(again)[0], draws[0])
    np.testing.assert_array_equal(_drawn(again)[0], draws[1])


def test_a_large_catalogue_is_covered() -> None:
    """A million items: uniform in ten equal parts, and rows stay within the vocabulary."""
    rows, _ = _drawn(_sampler(MANY, None, size=1_000_002))
    assert rows.min() >= 2
    assert rows.max() < 1_000_002
    found, _ = np.histogram(rows, 10, (2, 1_000_002))
    assert np.abs(found - MANY / 10).max() < 4.5 * np.sqrt(MANY / 10)
