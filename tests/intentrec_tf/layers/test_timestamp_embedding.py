"""Positions from time."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intentrec_tf.layers import TimestampEmbedding
from intentrec_tf.layers.timestamp_embedding import GAP_BUCKETS, _clock, gap_bucket
from tests.support import run_layer_test

TIME = tf.constant([[0, 1000, 5000, 90_000], [10, 2000, 0, 0]], tf.int64)
NEXT = tf.constant([[1000, 5000, 90_000, 90_500], [2000, 9000, 0, 0]], tf.int64)
SEGMENT = tf.constant([[1, 1, 1, 1], [1, 1, 0, 0]])


@pytest.mark.parametrize(
    ("encoding", "request_time", "weights"),
    [("timestamp", False, 4), ("timestamp", True, 7), ("position", False, 1), ("position", True, 4)],
)
def test_contract(encoding: str, request_time: bool, weights: int) -> None:
    init = {"dim": 6, "encoding": encoding, "request_time": request_time, "max_positions": 3}
    call = {"segment": SEGMENT, **({"next_timestamp": NEXT} if request_time else {})}
    run_layer_test(TimestampEmbedding, init, TIME, (2, 4, 6), call=call, weights=weights)


def test_gap_bucket_is_one_per_doubling() -> None:
    # the number of binary digits of the gap, plus 1
    gaps = [-7, 0, 1, 2, 3, 4, 7, 8, 8191, 8192, 2**27 - 1, 2**27, 2**62]
    expected = [1, 1, 2, 3, 3, 4, 4, 5, 14, 15, 28, 29, GAP_BUCKETS - 1]
    np.testing.assert_array_equal(gap_bucket(tf.constant(gaps, tf.int64)), expected)


def test_clock_is_utc() -> None:
    # 1970-01-01 was a Thursday (3); 2024-02-29T23:59:59Z a Thursday; 1969-12-31T23:00Z a Wednesday
    hour, day = _clock(tf.constant([0, 1_709_251_199, -3600], tf.int64))
    np.testing.assert_array_equal(hour, [0, 23, 23])
    np.testing.assert_array_equal(day, [3, 3, 2])


def _tables(layer: TimestampEmbedding, values: dict[str, float]) -> None:
    """Fill the named tables so that row r of a table gives ``r * value``; all else becomes zero."""
    for weight in layer.trainable_weights:
        weight.assign(tf.zeros_like(weight))
    for name, value in values.items():
        table = layer.tables[name]
        table.assign(tf.ones_like(table) * tf.range(table.shape[0], dtype=tf.float32)[:, None] * value)


def test_parts_by_hand() -> None:
    layer = TimestampEmbedding(1, request_time=True)
    layer(TIME, SEGMENT, NEXT)
    _tables(layer, {"gap": 1.0})
    # first event: no gap (row 0); 1000 -> 10 digits + 1; 4000 -> 12 + 1; 85000 -> 17 + 1
    np.testing.assert_allclose(layer(TIME, SEGMENT, NEXT)[0, :, 0], [0, 11, 13, 18])
    _tables(layer, {"request_gap": 1.0})
    # the same gaps seen from the earlier event, then 500 s -> 9 + 1
    np.testing.assert_allclose(layer(TIME, SEGMENT, NEXT)[0, :, 0], [11, 13, 18, 10])
    _tables(layer, {"hour": 1.0, "day": 100.0})
    # 90000 s is 01:00 on Friday (4), everything else Thursday (3)
    np.testing.assert_allclose(layer(TIME, SEGMENT, NEXT)[0, :, 0], [300, 300, 301, 401])


def test_age_counts_from_the_users_first_event_not_the_rows() -> None:
    layer = TimestampEmbedding(5)
    alone = layer(tf.constant([[500, 900]], tf.int64), tf.constant([[1, 1]]))
    packed = layer(tf.constant([[7, 500, 900]], tf.int64), tf.constant([[1, 2, 2]]))
    np.testing.assert_allclose(packed[:, 1:], alone, atol=1e-6)


def test_positions_beyond_the_table_share_its_last_row() -> None:
    layer = TimestampEmbedding(1, encoding="position", max_positions=3)
    layer(TIME, SEGMENT)
    _tables(layer, {"position": 1.0})
    np.testing.assert_allclose(layer(TIME, SEGMENT)[..., 0], [[0, 1, 2, 2], [0, 1, 0, 0]])


def test_times_in_the_far_future_and_past_are_finite() -> None:
    layer = TimestampEmbedding(4, request_time=True)
    time = tf.constant([[-(2**62), 2**62, 0, -5]], tf.int64)
    assert np.isfinite(layer(time, tf.ones([1, 4], tf.int32), time[:, ::-1])).all()


def test_unknown_encoding() -> None:
    with pytest.raises(ValueError, match="'timestamp' or 'position', got 'fourier'"):
        TimestampEmbedding(4, encoding="fourier")
