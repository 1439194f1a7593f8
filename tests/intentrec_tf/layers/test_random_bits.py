"""Random bits look random."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intentrec_tf.layers.random_bits import bernoulli, mix, open_uniform, random_bits


def test_mix_by_hand() -> None:
    # the finaliser's published test values: 0 stays 0; 1 gives 0x514E28B7
    np.testing.assert_array_equal(mix(tf.constant([0, 1], tf.uint32)), np.array([0, 0x514E28B7], np.uint32))


def test_bits_are_balanced_and_independent() -> None:
    draws = tf.stack([random_bits([2**15], 7, tf.constant(k)) for k in range(4)]).numpy()
    bits = (draws[..., None] >> np.arange(32, dtype=np.uint32) & 1).astype(float)
    spread = 5 / (2 * np.sqrt(2**15))  # five standard deviations of a mean of 32,768 bits
    assert np.abs(bits.mean(axis=1) - 0.5).max() < spread
    neighbours = (bits[:, 1:] == bits[:, :-1]).mean(axis=1)  # with the next index
    assert np.abs(neighbours - 0.5).max() < spread
    for step in range(1, 4):  # with the same index of another draw
        assert np.abs((bits[0] == bits[step]).mean(axis=0) - 0.5).max() < spread
    assert len(np.unique(draws)) > 0.999 * draws.size


def test_uniform_over_the_range() -> None:
    counts, _ = np.histogram(random_bits([64_000], 3, tf.constant(1)).numpy(), bins=64, range=(0, 2**32))
    chi_squared = ((counts - 1000) ** 2 / 1000).sum()
    assert 30 < chi_squared < 115  # 63 degrees of freedom: both ends are beyond one in ten thousand


@pytest.mark.parametrize("probability", [0.0, 0.01, 0.5, 1.0])
def test_bernoulli(probability: float) -> None:
    share = bernoulli([100_000], probability, 11, tf.constant(5)).numpy().mean()
    assert abs(share - probability) <= 4 * np.sqrt(probability * (1 - probability) / 100_000)


def test_open_uniform_keeps_off_both_ends() -> None:
    found = open_uniform(tf.constant([0, 2**31, 2**32 - 1], tf.uint32)).numpy()
    assert 0 < found[0] < 1e-6
    assert found[1] == pytest.approx(0.5, abs=1e-6)
    assert 1 - 1e-6 < found[2] < 1
