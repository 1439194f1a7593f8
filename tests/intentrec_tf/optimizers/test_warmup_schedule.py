"""Rise, then stay or fall."""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

from intentrec_tf.optimizers import LazyAdam, WarmupSchedule


def test_rises_and_stays() -> None:
    schedule = WarmupSchedule(0.8, warmup=4)
    np.testing.assert_allclose([schedule(step) for step in range(6)], [0.2, 0.4, 0.6, 0.8, 0.8, 0.8], rtol=1e-6)


def test_falls_by_half_a_cosine() -> None:
    schedule = WarmupSchedule(1.0, warmup=2, last=10)
    halves = [0.5 * (1 + math.cos(math.pi * k / 8)) for k in range(9)]
    np.testing.assert_allclose([schedule(step) for step in range(2, 11)], halves, rtol=1e-5, atol=1e-7)
    assert float(schedule(10)) == float(schedule(1_000)) == 0


def test_warmup_as_long_as_the_training_is_no_division_by_zero() -> None:
    assert all(math.isfinite(WarmupSchedule(1.0, warmup=3, last=3)(step)) for step in range(6))


def test_comes_back_with_its_optimiser() -> None:
    optimizer = LazyAdam(WarmupSchedule(0.1, 5, 50))
    again = LazyAdam.from_config(optimizer.get_config())
    for step in (0, 7, 49):
        optimizer.iterations.assign(step)
        again.iterations.assign(step)
        assert float(tf.convert_to_tensor(again.learning_rate)) == float(tf.convert_to_tensor(optimizer.learning_rate))
