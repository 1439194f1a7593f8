"""Which state a position gets while the newest events are hidden."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intentrec_tf.layers import HideRecent
from tests.support import run_layer_test

DAY = 86_400
# One padding place, user 1 with four events, user 2 with two.
SEGMENT = tf.constant([[0, 1, 1, 1, 1, 2, 2]])
TIME = tf.constant([[0, 100, 110, 170, 200, 1000, 1500]], tf.int64)
REQUEST = tf.constant([[0, 110, 170, 200, 260, 1500, 1501]], tf.int64)
STATES = tf.reshape(tf.range(1.0, 15), [1, 7, 2])
WHERE = {"segment": SEGMENT, "timestamp": TIME, "request": REQUEST}


def _fixed(window: int, monkeypatch: pytest.MonkeyPatch) -> HideRecent:
    """A layer that draws this window for everybody."""
    layer = HideRecent(DAY)
    bits = tf.constant(-(-window * 2**32 // DAY), tf.uint32)
    monkeypatch.setattr(layer, "bits", lambda shape: tf.fill(shape, bits))
    return layer


def _rows(found: tf.Tensor) -> list[int]:
    """Which place each state is from; -1 for none."""
    return [int(state[1]) // 2 - 1 for state in found.numpy()[0]]


def test_contract() -> None:
    run_layer_test(HideRecent, {"window": 90, "seed": 3}, STATES, (1, 7, 2), call=WHERE, weights=0)


@pytest.mark.parametrize(
    ("window", "rows"),
    [
        (0, [0, 1, 2, 3, 4, 5, 6]),
        (1, [0, 1, 2, 3, 4, 5, 6]),  # the newest of user 2 is one second old: not younger than the window
        (2, [0, 1, 2, 3, 4, 5, 5]),
        (31, [0, -1, 2, 2, 4, 5, 5]),
        (60, [0, -1, 2, 2, 4, 5, 5]),
        (61, [0, -1, 1, 2, 3, 5, 5]),
        (91, [0, -1, -1, 1, 2, 5, 5]),
        (502, [0, -1, -1, -1, -1, -1, -1]),
    ],
)
def test_the_newest_event_that_is_older_than_the_window(
    window: int, rows: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Zeros where every event is hidden; never another user's, and padding keeps its own."""
    assert _rows(_fixed(window, monkeypatch)(STATES, **WHERE, training=True)) == rows


def test_an_event_out_of_order_shows_nothing_younger_than_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """The state of place 2 has seen place 1, which is hidden."""
    times = tf.constant([[100, 300, 150, 320]], tf.int64)
    where = {"segment": tf.ones([1, 4], tf.int32), "timestamp": times, "request": times + 50}
    found = _fixed(100, monkeypatch)(STATES[:, :4], **where, training=True)
    assert _rows(found) == [-1, 0, 0, 0]


def test_identity_when_not_training_or_without_a_window() -> None:
    np.testing.assert_array_equal(HideRecent(DAY)(STATES, **WHERE), STATES)
    np.testing.assert_array_equal(HideRecent(DAY)(STATES, **WHERE, training=False), STATES)
    np.testing.assert_array_equal(HideRecent(0)(STATES, **WHERE, training=True), STATES)


def _ages(layer: HideRecent, users: int) -> np.ndarray:
    """Age in seconds of the newest visible event, [row, user, event]: events each second, two users a row."""
    length = 100
    time = tf.tile(tf.range(length, dtype=tf.int64)[None], [users, 2])
    segment = tf.repeat(tf.constant([[1, 2]]), length, axis=1) * tf.ones([users, 1], tf.int32)
    states = tf.cast(time, tf.float32)[..., None] + 1
    found = layer(states, segment=segment, timestamp=time, request=time, training=True)
    return (time.numpy() + 1 - found.numpy()[..., 0]).reshape([users, 2, length])


def test_one_window_a_user_uniform_below_the_bound() -> None:
    ages = _ages(HideRecent(50, seed=1), 2000)
    windows = ages[..., -1]
    assert (ages[..., 50:] == windows[..., None]).all()
    assert set(np.unique(windows)) == set(range(50))
    # 5 standard deviations of 4000 draws of 50 values
    assert np.abs(np.bincount(windows.ravel().astype(int)) - 80).max() < 5 * np.sqrt(80)
    assert abs(np.corrcoef(windows.T)[0, 1]) < 0.1  # users of one row draw each their own


def test_each_draw_is_another_and_a_seed_repeats_them() -> None:
    first, again, other = HideRecent(50, seed=1), HideRecent(50, seed=1), HideRecent(50, seed=2)
    draws = [_ages(layer, 200)[..., -1] for layer in (first, first, other)]
    for i in range(3):
        for j in range(i):
            assert (draws[i] == draws[j]).mean() < 0.1
    np.testing.assert_array_equal(_ages(again, 200)[..., -1], draws[0])
    np.testing.assert_array_equal(_ages(again, 200)[..., -1], draws[1])


def test_compiled_and_not_compiled_hide_the_same() -> None:
    plain, compiled = HideRecent(200, seed=9), HideRecent(200, seed=9)
    compiled.build(STATES.shape)
    step = tf.function(lambda states: compiled(states, **WHERE, training=True), jit_compile=True)
    for _ in range(5):
        np.testing.assert_array_equal(step(STATES), plain(STATES, **WHERE, training=True))


@pytest.mark.parametrize("window", [-1, 2**31])
def test_window_out_of_range(window: int) -> None:
    with pytest.raises(ValueError, match=r"window must be in \[0, 2\*\*31\)"):
        HideRecent(window)
