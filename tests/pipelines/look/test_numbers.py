"""Numbers exist or are None."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pipelines.look.numbers import among, binned, distinct, mean, median, plain, share, spread, tenths

NOTHING = np.zeros(0)


def test_nothing_has_no_numbers() -> None:
    assert [share(0, 0), mean(NOTHING), median(NOTHING), spread(NOTHING)] == [None] * 4


def test_spread() -> None:
    found = spread(np.arange(101))
    assert found == {"min": 0, "p10": 10, "p25": 25, "median": 50, "p75": 75, "p90": 90, "max": 100, "mean": 50}
    assert set((spread(np.array([3])) or {}).values()) == {3.0}


def test_bins_hold_their_low_end() -> None:
    assert binned(np.array([0, 1, 2, 3, 5, 6, 99]), [1, 3, 6]) == [2, 2, 2]  # 0 lies in no bin
    assert binned(NOTHING, [0, 1]) == [0, 0]


@pytest.mark.parametrize("k", range(11))
def test_every_tenth_lies_in_its_own_bin(k: int) -> None:
    expected = [0] * 10
    expected[min(k, 9)] = 1
    assert tenths(np.array([sum([0.1] * k)])) == expected  # also where 0.1 k is a little less


def test_sets_of_codes() -> None:
    codes = np.random.default_rng(0).integers(-5, 50, 500)
    assert distinct(codes).tolist() == sorted(set(codes.tolist()))
    assert among(codes, np.array([3, 7])).tolist() == [code in (3, 7) for code in codes.tolist()]
    assert among(codes, np.zeros(0, np.int64)).sum() == 0


def test_plain_is_ready_for_json() -> None:
    value = {1: np.float32(0.5), "a": (np.int64(3), np.array([1.23456789])), "b": [None, np.bool_(True)]}
    assert json.loads(json.dumps(plain(value))) == {"1": 0.5, "a": [3, [1.234568]], "b": [None, True]}
