"""Ranks in a JSON file: nothing is lost, and the metrics come out again."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pipelines.evaluate import ranking_metrics
from pipelines.reproduce.compact import gains, pack_numbers, top_ranks, unpack_numbers


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([], "uint8"),
        ([0], "uint8"),
        ([255, 0], "uint8"),
        ([256, 0, 3], "uint16"),
        ([65_535], "uint16"),
        ([65_536, 1], "uint32"),
        ([-1, 0, 1], "int8"),
        ([-1, 255], "int16"),
        ([-129, 40_000], "int32"),
        ([-1, 127], "int8"),
        ([2**40, -5], "int64"),
    ],
)
def test_round_trip_in_the_smallest_type(values: list[int], dtype: str):
    text = pack_numbers(np.array(values, np.int64))
    assert text.partition(":")[0] == dtype
    back = unpack_numbers(json.loads(json.dumps(text)))
    assert back.dtype == np.int64
    assert back.tolist() == values


def test_round_trip_of_many_and_their_size():
    ranks = np.minimum(np.random.default_rng(0).geometric(0.2, 30_000), 20).astype(np.int32)
    text = pack_numbers(ranks)
    np.testing.assert_array_equal(unpack_numbers(text), ranks)
    assert len(text) < len(ranks)  # below one byte a target


def test_top_ranks_and_gains_give_the_metrics_of_the_evaluation():
    ranks = np.r_[np.random.default_rng(1).integers(1, 40, 500), 1, 10, 11, 20, 21, 2**31 - 1].astype(np.int32)
    expected = ranking_metrics(ranks)
    kept = unpack_numbers(pack_numbers(top_ranks(ranks, 20)))
    assert kept.max() <= 20
    for name in ("HR@1", "HR@5", "HR@10", "HR@20", "NDCG@5", "NDCG@10", "NDCG@20"):
        assert gains(kept, name).mean() == pytest.approx(expected[name], abs=1e-7), name


def test_gains_by_hand():
    ranks = np.array([1, 3, 10, 11, 0])
    assert gains(ranks, "HR@10").tolist() == [1, 1, 1, 0, 0]
    assert gains(ranks, "HR@1").tolist() == [1, 0, 0, 0, 0]
    assert gains(ranks, "NDCG@10").tolist() == [1, 0.5, pytest.approx(1 / np.log2(11)), 0, 0]
    assert gains(np.zeros(0, int), "NDCG@10").shape == (0,)
