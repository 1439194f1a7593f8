"""Several sequences in one row, none lost, none torn."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.packing import assign_rows, pack


@pytest.mark.parametrize("seed", range(15))
def test_every_event_once_in_order_in_numbered_unbroken_segments(seed: int):
    rng = np.random.default_rng(seed)
    row_length = int(rng.integers(4, 40))
    lengths = rng.integers(1, row_length + 1, rng.integers(1, 80))
    values = np.arange(1, lengths.sum() + 1)
    pairs = np.stack([values, -values], axis=1)
    segment, flat, wide = pack(lengths, row_length, values, pairs)
    assert segment.shape == flat.shape == wide.shape[:2]
    assert segment.dtype == np.int32
    np.testing.assert_array_equal(np.sort(flat[flat > 0]), values)
    np.testing.assert_array_equal(flat > 0, segment > 0)
    np.testing.assert_array_equal(wide[..., 0], flat)
    np.testing.assert_array_equal(wide[..., 1], -flat)
    found = set()
    for row, numbers in zip(flat, segment, strict=True):
        used = np.count_nonzero(numbers)
        assert (numbers[:used] > 0).all()  # padding is at the end
        assert set(np.diff(numbers[:used])) <= {0, 1}  # 1, 1, 2, 2, 3: contiguous and numbered
        assert numbers[0] == 1
        for number in range(1, numbers.max() + 1):
            found.add(tuple(row[numbers == number]))
    ends = np.cumsum(lengths)
    assert found == {tuple(values[end - n : end]) for end, n in zip(ends, lengths, strict=True)}


def test_no_row_is_over_full():
    lengths = np.array([5, 4, 3, 3, 2, 1])
    rows, starts, count = assign_rows(lengths, 6)
    assert count == 3  # 18 events in three rows of 6: 5+1, 4+2, 3+3
    for row in range(count):
        assert lengths[rows == row].sum() <= 6
        assert sorted(starts[rows == row])[0] == 0


def test_almost_no_padding_on_realistic_lengths():
    lengths = np.clip(np.random.default_rng(0).lognormal(4, 1.1, 2_000).astype(int), 1, 200)
    segment = pack(lengths, 256)[0]
    assert (segment > 0).mean() > 0.9


def test_no_sequence_and_one_sequence():
    segment, column = pack(np.zeros(0, np.int64), 4, np.zeros(0, np.float32))
    assert segment.shape == column.shape == (0, 4)
    segment, column = pack(np.array([3]), 4, np.array([7.0, 8.0, 9.0], np.float32))
    assert segment.tolist() == [[1, 1, 1, 0]]
    assert column.tolist() == [[7.0, 8.0, 9.0, 0.0]]
    assert column.dtype == np.float32
