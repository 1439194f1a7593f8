"""Dropout: how many, how large, which, and when."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intentrec_tf.layers import Dropout
from tests.support import run_layer_test

X = tf.ones([400, 50])


def test_contract() -> None:
    run_layer_test(Dropout, {"rate": 0.3, "seed": 5}, X, (400, 50), weights=0)


def test_identity_when_not_training() -> None:
    np.testing.assert_array_equal(Dropout(0.5)(X, training=False), X)
    np.testing.assert_array_equal(Dropout(0.5)(X), X)
    np.testing.assert_array_equal(Dropout(0.0)(X, training=True), X)


def test_share_and_size() -> None:
    found = Dropout(0.2, seed=1)(X, training=True).numpy()
    assert set(np.unique(found)) == {np.float32(0), np.float32(1.25)}
    assert abs((found == 0).mean() - 0.2) < 0.0114  # 4 standard deviations of 20,000 draws
    assert (found == 0).any(axis=0).all()
    assert (found == 0).any(axis=1).all()


def test_each_draw_and_each_layer_is_another_and_a_seed_repeats_them() -> None:
    first, again, other = Dropout(0.5, seed=1), Dropout(0.5, seed=1), Dropout(0.5, seed=2)
    draws = [first(X, training=True).numpy(), first(X, training=True).numpy(), other(X, training=True).numpy()]
    for i in range(3):
        for j in range(i):
            agree = np.mean((draws[i] > 0) == (draws[j] > 0))
            assert abs(agree - 0.5) < 0.0142  # independent masks agree half the time; 4 standard deviations
    np.testing.assert_array_equal(again(X, training=True), draws[0])
    np.testing.assert_array_equal(again(X, training=True), draws[1])


def test_the_global_seed_decides_the_layers() -> None:
    def seeds() -> list[int]:
        tf.keras.utils.set_random_seed(3)
        return [Dropout(0.1).seed, Dropout(0.1).seed]

    assert seeds() == seeds()
    assert len(set(seeds())) == 2


def test_compiled_and_not_compiled_drop_the_same() -> None:
    plain, compiled = Dropout(0.4, seed=9), Dropout(0.4, seed=9)
    compiled.build(X.shape)
    step = tf.function(lambda x: compiled(x, training=True), jit_compile=True)
    np.testing.assert_array_equal(step(X), plain(X, training=True))


def test_gradients_pass_where_values_do() -> None:
    layer = Dropout(0.4, seed=9)
    with tf.GradientTape() as tape:
        tape.watch(X)
        found = layer(X, training=True)
    np.testing.assert_array_equal(tape.gradient(found, X), found)


@pytest.mark.parametrize("rate", [-0.1, 1.0])
def test_rate_out_of_range(rate: float) -> None:
    with pytest.raises(ValueError, match=r"rate must be in \[0, 1\)"):
        Dropout(rate)
