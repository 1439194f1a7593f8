"""Embeddings of one label, and of several."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intentrec_tf.layers import LabelEmbedding
from tests.support import run_layer_test

ROWS = tf.constant([[[2, 3], [2, 0]], [[0, 0], [4, 1]]])


@pytest.mark.parametrize(("multi_label", "shape"), [(False, (2, 2, 2, 3)), (True, (2, 2, 3))])
def test_contract(multi_label: bool, shape: tuple[int, ...]) -> None:
    init = {"vocabulary_size": 5, "dim": 3, "multi_label": multi_label}
    run_layer_test(LabelEmbedding, init, ROWS, shape, weights=1)


def test_mean_by_hand() -> None:
    layer = LabelEmbedding(5, 2, multi_label=True)
    layer(ROWS)
    layer.table.assign([[9, 9], [0, 8], [2, 4], [4, 0], [6, 6]])
    # mean of rows 2 and 3; row 2 alone (padding does not count); nothing; mean of rows 4 and 1 (OOV counts)
    np.testing.assert_allclose(layer(ROWS), [[[3, 2], [2, 4]], [[0, 0], [3, 7]]])


def test_padding_is_zero_whatever_the_table_holds() -> None:
    layer = LabelEmbedding(5, 2)
    layer(ROWS)
    layer.table.assign(np.full((5, 2), 7.0))
    np.testing.assert_allclose(layer(tf.constant([0, 1])), [[0, 0], [7, 7]])
