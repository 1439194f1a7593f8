"""Rows that hold several users."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from intentrec_tf.layers.segments import position_in_segment, previous_in_segment, same_segment

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


def test_first_place_of_a_row_has_no_predecessor() -> None:
    values, known = previous_in_segment(tf.constant([[5, 6]]), tf.constant([[1, 1]]))
    np.testing.assert_array_equal(known, [[False, True]])
    np.testing.assert_array_equal(values, [[5, 5]])
