"""One block, plain and gated."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intentrec_tf.layers import TransformerBlock
from tests.support import run_layer_test

X = tf.random.stateless_normal([2, 4, 6], [0, 1])
CAUSAL = tf.cast(tf.linalg.band_part(tf.ones([2, 4, 4]), -1, 0), tf.bool)
FAR = [tf.random.stateless_uniform([1, 4, 4], [0, 5]), tf.random.stateless_uniform([2, 4, 4], [0, 6])]


@pytest.mark.parametrize(
    ("gated", "distances", "weights"),
    [(False, 0, 12), (True, 0, 18), (True, 2, 19)],  # three gated projections of two arrays each; the slopes
)
def test_contract(gated: bool, distances: int, weights: int) -> None:
    init = {"heads": 2, "ffn_dim": 9, "dropout": 0.0, "attention_dropout": 0.0, "causal": True}
    init |= {"distances": distances, "gated": gated}
    call = {"mask": CAUSAL, "distances": FAR[:distances]}
    run_layer_test(TransformerBlock, init, X, (2, 4, 6), call=call, weights=weights)


def test_a_closed_gate_lets_nothing_in() -> None:
    block = TransformerBlock(2, 8, dropout=0.0, gated=True)
    block(X, CAUSAL)
    for gate in (block.attention_gate, block.ffn_gate):
        gate.kernel.assign(tf.zeros_like(gate.kernel))
        gate.bias.assign(tf.fill(gate.bias.shape, -50.0))
    np.testing.assert_allclose(block(X, CAUSAL), X, atol=1e-6)
    block.ffn_gate.bias.assign(tf.fill(block.ffn_gate.bias.shape, 50.0))
    assert np.abs(block(X, CAUSAL) - X).max() > 0.01


def test_both_branches_are_dropped_in_training_alone() -> None:
    block = TransformerBlock(2, 8, dropout=0.999999)
    np.testing.assert_allclose(block(X, CAUSAL, training=True), X, atol=1e-6)
    assert np.abs(block(X, CAUSAL) - X).max() > 0.01
