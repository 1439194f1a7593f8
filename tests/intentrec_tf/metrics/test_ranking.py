"""Ranks and what is computed from them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf

from intentrec_tf.metrics import candidate_rank, hit_rate, ndcg, reciprocal_rank, target_rank
from intentrec_tf.metrics.ranking import UNREACHABLE

NAN, INF = float("nan"), float("inf")


def _ranks(scores: tf.Tensor, target: tf.Tensor, *options: object) -> tf.Tensor:
    """Of scores that are all there."""
    return target_rank(lambda start, stop: scores[:, start:stop], scores.shape[1], target, *options)


def _rank(scores: list[float], target: int) -> int:
    return int(_ranks(tf.constant([scores]), tf.constant([target]))[0])


@pytest.mark.parametrize(("target", "rank"), [(2, 3), (3, 1), (4, 2), (5, 4)])
def test_by_hand(target: int, rank: int) -> None:
    assert _rank([99, 98, 0.3, 0.9, 0.5, 0.1], target) == rank  # padding and OOV score highest and do not count


@pytest.mark.parametrize("chunk", [1, 3, 14, 20])
def test_chunks_and_exclusion_change_nothing(chunk: int) -> None:
    """Against scores of -inf for what is excluded, all at once; few distinct scores, so there are ties."""
    rng = np.random.default_rng(0)
    scores = tf.constant(rng.integers(0, 4, (50, 14)).astype(np.float32))
    scores = tf.where(rng.random((50, 14)) < 0.1, np.nan, scores)
    target = tf.constant(rng.integers(0, 14, 50), tf.int32)
    excluded = np.stack([rng.permutation(14)[:4] for _ in range(50)]).astype(np.int32)
    barred = scores.numpy()
    np.put_along_axis(barred, excluded, -np.inf, axis=1)
    expected = _ranks(tf.constant(barred), target)
    assert len(set(expected.numpy().tolist())) > 5
    np.testing.assert_array_equal(_ranks(scores, target, tf.constant(excluded)), expected)
    found = _ranks(scores, target, tf.constant(excluded), chunk)
    np.testing.assert_array_equal(found, expected)


def test_constant_scores_give_the_worst_rank() -> None:
    ranks = _ranks(tf.zeros([12, 14]), tf.range(2, 14))
    assert ranks.numpy().tolist() == [12] * 12  # the number of candidates
    assert float(tf.reduce_mean(hit_rate(ranks, 11))) == 0


def test_ties_count_against_the_target() -> None:
    assert _rank([0, 0, 0.5, 0.5, 0.7, 0.1], 2) == 3
    assert _rank([0, 0, 0.5, 0.5, 0.7, 0.1], 3) == 3


def test_excluded_items_are_no_competitors() -> None:
    assert _rank([0, 0, 0.5, -INF, 0.7, NAN], 2) == 2
    assert _rank([0, 0, 0.5, -INF, INF, NAN], 2) == 2  # an overflowing score still beats the target


@pytest.mark.parametrize(
    ("scores", "target"),
    [([0, 0, -INF, 1.0], 2), ([0, 0, NAN, 1.0], 2), ([9, 9, 1.0, 1.0], 0), ([9, 9, 1.0, 1.0], 1), ([NAN] * 4, 3)],
)
def test_unreachable_targets(scores: list[float], target: int) -> None:
    rank = tf.constant([_rank(scores, target)])
    assert int(rank[0]) == UNREACHABLE
    assert float(hit_rate(rank, 10**6)[0]) == 0
    assert float(ndcg(rank, 10**6)[0]) == 0
    assert float(reciprocal_rank(rank)[0]) == 0


def test_metrics_by_hand() -> None:
    rank = tf.constant([1, 3, 10, 11])
    np.testing.assert_allclose(hit_rate(rank, 10), [1, 1, 1, 0])
    np.testing.assert_allclose(ndcg(rank, 10), [1, 0.5, 1 / math.log2(11), 0], rtol=1e-6)
    np.testing.assert_allclose(reciprocal_rank(rank), [1, 1 / 3, 0.1, 1 / 11], rtol=1e-6)


def test_against_ir_measures() -> None:
    oracle = pytest.importorskip("ir_measures")
    rng = np.random.default_rng(0)
    scores = rng.permuted(np.tile(np.arange(32, dtype=np.float32), (40, 1)), axis=1)  # no ties
    target = rng.integers(2, 32, 40)
    rank = _ranks(tf.constant(scores), tf.constant(target, tf.int32))
    qrels = [oracle.Qrel(str(q), str(t), 1) for q, t in enumerate(target)]
    run = [oracle.ScoredDoc(str(q), str(i), float(scores[q, i])) for q in range(40) for i in range(2, 32)]
    measures = [oracle.nDCG @ 10, oracle.Success @ 5, oracle.RR]
    expected = oracle.calc_aggregate(measures, qrels, run)
    found = [ndcg(rank, 10), hit_rate(rank, 5), reciprocal_rank(rank)]
    for measure, values in zip(measures, found, strict=True):
        assert float(tf.reduce_mean(values)) == pytest.approx(expected[measure], rel=1e-5), str(measure)


def test_rank_among_candidates() -> None:
    rows = tf.constant([[4, 0, 7, 1, 9]] * 5)
    scores = tf.constant([[0.5, 9.0, 0.5, 9.0, 0.7]] * 4 + [[NAN, 9.0, 0.5, 9.0, 0.7]])
    # 7 ties with 4; 5 is no candidate; padding and OOV are none; a score that is no number is the worst
    target = tf.constant([9, 7, 5, 0, 4])
    np.testing.assert_array_equal(candidate_rank(scores, rows, target), [1, 3, UNREACHABLE, UNREACHABLE, 3])
    assert candidate_rank(tf.zeros([1, 0]), tf.zeros([1, 0], tf.int32), tf.constant([4])).numpy() == [UNREACHABLE]
