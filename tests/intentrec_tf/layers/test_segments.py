"""Rows that hold several users."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intentrec_tf.layers.segments import accumulate, position_in_segment, previous_in_segment, same_segment

SEGMENT = tf.constant([[0, 1, 1, 2, 2, 0]])


def test_same_segment() -> None:
    same = same_segment(SEGMENT).numpy()[0]
    assert same[1].tolist() == [False, True, True, False, False, False]
    assert not same[0].any()  # padding sees nothing ...
    assert not same[:, 5].any()  # ... and nobody sees padding


def test_position() -> None:
    np.testing.assert_array_equal(position_in_segment(SEGMENT), [[0, 0, 1, 0, 1, 0]])


def test_previous() -> None:
    values, known = previous_in_segment(tf.constant([[9, 10, 20, 30, 40, 50]]), SEGMENT)
    np.testing.assert_array_equal(known, [[False, False, True, False, True, False]])
    np.testing.assert_array_equal(values, [[9, 10, 10, 30, 30, 50]])


@pytest.mark.parametrize("steps", [2, 6, 9])
def test_several_events_earlier(steps: int) -> None:
    segment = tf.constant([[1, 1, 1, 2, 2, 0]])
    values, known = previous_in_segment(tf.range(6)[None, :, None] + tf.zeros([1, 1, 2], tf.int32), segment, steps)
    assert values.shape == (1, 6, 2)
    np.testing.assert_array_equal(known, [[False, False, steps == 2, False, False, False]])
    np.testing.assert_array_equal(values[0, :, 1], [0, 1, 0 if steps == 2 else 2, 3, 4, 5])


def test_accumulate_a_product() -> None:
    values = tf.constant([[9.0, 2, 3, 5, 7, 9]])[..., None]
    np.testing.assert_array_equal(accumulate(values, SEGMENT, tf.multiply)[..., 0], [[9, 2, 6, 5, 35, 9]])


def test_first_place_of_a_row_has_no_predecessor() -> None:
    values, known = previous_in_segment(tf.constant([[5, 6]]), tf.constant([[1, 1]]))
    np.testing.assert_array_equal(known, [[False, True]])
    np.testing.assert_array_equal(values, [[5, 5]])
