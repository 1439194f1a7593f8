"""Adam for tables of which a batch reads a few rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from intentrec_tf.optimizers import LazyAdam
from intentrec_tf.optimizers.sparse_gradients import sum_rows

ROWS, DIM = 7, 3
RATE = 0.1
START = np.random.default_rng(1).normal(size=(ROWS, DIM)).astype(np.float32)
READ = [[4, 1, 4, 6], [1, 1, 1, 1], [6, 4, 2, 4]]  # rows that three batches read, some of them again and again
SLOPES = np.random.default_rng(2).normal(size=(3, 4, DIM)).astype(np.float32)


def _slices(rows: list[int], values: np.ndarray) -> tf.IndexedSlices:
    return tf.IndexedSlices(tf.constant(values), tf.constant(rows, tf.int64), tf.constant(START.shape))


def _lazy(**changes: Any) -> LazyAdam:
    """The table has one row more than a small one may have."""
    return LazyAdam(RATE, **{"large": ROWS - 1, **changes})


def _moments(optimizer: LazyAdam) -> list[np.ndarray]:
    """First and second moments of the only variable."""
    return [variable.numpy() for variable in optimizer.variables if variable.shape.rank][:2]


def _by_hand(steps: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Table and moments after lazy Adam, row by row in plain numbers."""
    table, first, second = START.astype(np.float64), np.zeros((ROWS, DIM)), np.zeros((ROWS, DIM))
    for step in range(1, steps + 1):
        for row in set(READ[step - 1]):
            gradient = sum(slope for place, slope in zip(READ[step - 1], SLOPES[step - 1], strict=True) if place == row)
            first[row] = 0.9 * first[row] + 0.1 * gradient
            second[row] = 0.999 * second[row] + 0.001 * gradient**2
            mean, square = first[row] / (1 - 0.9**step), second[row] / (1 - 0.999**step)
            table[row] -= RATE * mean / (np.sqrt(square) + 1e-7 / np.sqrt(1 - 0.999**step))
    return table, first, second


@pytest.mark.parametrize("compiled", [False, True])
def test_several_steps_by_hand(compiled: bool) -> None:
    table, optimizer = tf.Variable(START), _lazy()
    optimizer.build([table])

    def step(rows: tf.Tensor, slopes: tf.Tensor) -> None:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.gather(table, rows) * slopes)
        optimizer.apply_gradients([(tape.gradient(loss, table), table)])

    run = tf.function(step, jit_compile=True) if compiled else step
    for rows, slopes in zip(READ, SLOPES, strict=True):
        run(tf.constant(rows), tf.constant(slopes))
    for found, expected in zip((table, *_moments(optimizer)), _by_hand(3), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-6)


def test_rows_that_were_not_read_stay_bit_for_bit() -> None:
    table, optimizer = tf.Variable(START), _lazy()
    optimizer.build([table])
    for rows, slopes in zip(READ, SLOPES, strict=True):
        before = [table.numpy(), *_moments(optimizer)]
        optimizer.apply_gradients([(_slices(rows, slopes), table)])
        for old, new in zip(before, (table.numpy(), *_moments(optimizer)), strict=True):
            np.testing.assert_array_equal(np.flatnonzero((old != new).any(axis=1)), sorted(set(rows)))


def test_the_first_step_moves_read_rows_as_adam_does() -> None:
    tables = [tf.Variable(START), tf.Variable(START)]
    for table, optimizer in zip(tables, (_lazy(), tf.keras.optimizers.Adam(RATE)), strict=True):
        optimizer.apply_gradients([(_slices(READ[0], SLOPES[0]), table)])
    np.testing.assert_allclose(tables[0], tables[1], rtol=1e-5)


def test_a_vector_is_updated_like_a_table_of_one_column() -> None:
    """A large catalogue's biases are one number a row."""
    biases, columns = tf.Variable(START[:, 0]), tf.Variable(START[:, :1])
    for variable in (biases, columns):
        optimizer = _lazy()
        for rows, slopes in zip(READ, SLOPES, strict=True):
            values = slopes[:, 0] if variable is biases else slopes[:, :1]
            optimizer.apply_gradients([(tf.IndexedSlices(values, tf.constant(rows), variable.shape), variable)])
    np.testing.assert_array_equal(biases, columns[:, 0])
    assert (biases.numpy() != START[:, 0]).sum() == 4


Gradients = Callable[[int], list[Any]]


def _trained(optimizer: tf.keras.optimizers.Optimizer, gradients: Gradients) -> list[np.ndarray]:
    variables = [tf.Variable(START), tf.Variable(START[0])]
    for step in range(3):
        optimizer.apply_gradients(zip(gradients(step), variables, strict=True))
    return [variable.numpy() for variable in variables]


@pytest.mark.parametrize("options", [{}, {"epsilon": 0.1, "beta_1": 0.5}, {"global_clipnorm": 0.1}])
def test_dense_gradients_and_small_tables_are_adam(options: dict[str, float]) -> None:
    """A table of just ``large`` rows is small; also where its gradient is of a few rows."""

    def dense(step: int) -> list[Any]:
        return [tf.constant(START * (step - 1.5)), tf.constant(SLOPES[step, 0])]

    def sparse(step: int) -> list[Any]:
        return [_slices(READ[step], SLOPES[step]), tf.constant(SLOPES[step, 0])]

    def densified(step: int) -> list[Any]:
        return [tf.convert_to_tensor(sparse(step)[0]), sparse(step)[1]]

    for gradients, reference in ((dense, dense), (sparse, densified)):
        found = _trained(_lazy(large=ROWS, **options), gradients)
        expected = _trained(tf.keras.optimizers.Adam(RATE, **options), reference)
        for value, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(value, other)


@pytest.mark.parametrize("options", [{"global_clipnorm": 0.5}, {"clipnorm": 0.5}])
def test_clipping_sees_rows_summed(options: dict[str, float]) -> None:
    """A row read twice with opposite gradients has none, so there is little to clip."""
    opposite = np.array([[30, 40, 0], [0, 0.3, 0.4], [-30, -40, 0]], np.float32)  # the sum has norm 1/2
    table, optimizer = tf.Variable(START), _lazy(**options)
    optimizer.apply_gradients([(_slices([2, 5, 2], opposite), table)])
    np.testing.assert_allclose(_moments(optimizer)[0][5], [0, 0.03, 0.04], rtol=1e-5)
    doubled = _lazy(**options)
    doubled.apply_gradients([(_slices([2, 5, 2], 2 * opposite), tf.Variable(START))])
    np.testing.assert_allclose(_moments(doubled)[0][5], [0, 0.03, 0.04], rtol=1e-5)  # clipped to 1/2


def test_a_schedule_is_followed() -> None:
    """The first step of Adam moves by the rate, whatever the gradient."""
    schedule = tf.keras.optimizers.schedules.PiecewiseConstantDecay([0], [0.25, 0.5])
    table = tf.Variable(START)
    optimizer = LazyAdam(schedule, large=0, beta_1=0, beta_2=0)
    for rate in (0.25, 0.5):
        before = table.numpy()
        optimizer.apply_gradients([(_slices([3], np.full((1, DIM), 5, np.float32)), table)])
        np.testing.assert_allclose(before[3] - table.numpy()[3], rate, rtol=1e-4)


def test_configuration_round_trip() -> None:
    optimizer = LazyAdam(0.02, large=123, beta_1=0.8, global_clipnorm=2.0)
    for clone in (
        LazyAdam.from_config(optimizer.get_config()),
        tf.keras.optimizers.deserialize(tf.keras.optimizers.serialize(optimizer)),
    ):
        assert type(clone) is LazyAdam
        assert clone.get_config() == optimizer.get_config()
        assert (clone.large, clone.beta_1, clone.global_clipnorm) == (123, 0.8, 2.0)
        assert float(clone.learning_rate) == pytest.approx(0.02)


def test_amsgrad_is_refused() -> None:
    with pytest.raises(ValueError, match="LazyAdam does not support amsgrad"):
        LazyAdam(amsgrad=True)


COMPILED = tf.function(sum_rows, jit_compile=True)


@pytest.mark.parametrize(
    ("rows", "kept", "summed"),
    [
        ([3, 0, 3, 1], [0, 1, 3, -1], [2, 8, 5, 0]),
        ([2, 2, 2, 2], [2, -1, -1, -1], [15, 0, 0, 0]),
        ([5, 4, 0, 1], [0, 1, 4, 5], [4, 8, 2, 1]),
    ],
)
def test_sum_rows_by_hand(rows: list[int], kept: list[int], summed: list[int]) -> None:
    values = tf.constant([[1.0, -1], [2, -2], [4, -4], [8, -8]])
    gradient = tf.IndexedSlices(values, tf.constant(rows), tf.constant([6, 2]))
    for run in (sum_rows, COMPILED):
        found = run(gradient)
        np.testing.assert_array_equal(found.indices, kept)
        np.testing.assert_array_equal(found.values, np.outer(summed, [1, -1]))
        np.testing.assert_array_equal(found.dense_shape, [6, 2])
