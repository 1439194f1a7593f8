"""Who may look at whom."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intentrec_tf.layers import AttentionMask
from tests.support import run_layer_test

# One padding place, user 1 with three events, user 2 with two.
SEGMENT = tf.constant([[0, 1, 1, 1, 2, 2]])
TIME = tf.constant([[0, 100, 110, 170, 120, 160]], tf.int64)


@pytest.mark.parametrize(("window", "causal"), [(None, True), (60, True), (None, False)])
def test_contract(window: int | None, causal: bool) -> None:
    init = {"window": window, "causal": causal}
    run_layer_test(AttentionMask, init, SEGMENT, (1, 6, 6), call={"timestamp": TIME}, dtype="bool", weights=0)


def test_causal_within_a_user() -> None:
    expected = [
        [0, 0, 0, 0, 0, 0],
        [0, 1, 0, 0, 0, 0],
        [0, 1, 1, 0, 0, 0],
        [0, 1, 1, 1, 0, 0],
        [0, 0, 0, 0, 1, 0],
        [0, 0, 0, 0, 1, 1],
    ]
    np.testing.assert_array_equal(AttentionMask()(SEGMENT, TIME)[0], np.array(expected, bool))


def test_without_causality_a_user_sees_all_their_events() -> None:
    expected = [
        [0, 0, 0, 0, 0, 0],
        [0, 1, 1, 1, 0, 0],
        [0, 1, 1, 1, 0, 0],
        [0, 1, 1, 1, 0, 0],
        [0, 0, 0, 0, 1, 1],
        [0, 0, 0, 0, 1, 1],
    ]
    np.testing.assert_array_equal(AttentionMask(causal=False)(SEGMENT, TIME)[0], np.array(expected, bool))


def test_a_window_needs_causality() -> None:
    with pytest.raises(ValueError, match="a window looks back only: it needs causal=True"):
        AttentionMask(window=60, causal=False)


def test_window_is_inclusive() -> None:
    mask = AttentionMask(window=60)(SEGMENT, TIME).numpy()[0]
    assert mask[3].tolist() == [False, False, True, True, False, False]  # 70 s too old, 60 s just in, itself
    assert mask[5].tolist() == [False, False, False, False, True, True]  # 40 s


def test_an_event_with_a_later_time_is_outside_the_window() -> None:
    mask = AttentionMask(window=60)(tf.constant([[1, 1]]), tf.constant([[50, 40]], tf.int64)).numpy()[0]
    assert mask.tolist() == [[True, False], [False, True]]


def test_times_beyond_int32_do_not_overflow() -> None:
    time = tf.constant([[0, 2**40, 2**40 + 5]], tf.int64)
    mask = AttentionMask(window=10)(tf.constant([[1, 1, 1]]), time).numpy()[0]
    assert mask[2].tolist() == [False, True, True]
