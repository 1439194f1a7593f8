"""The question "what comes next" as a hidden place."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from intentrec_tf.layers import AppendQuestion
from tests.support import run_layer_test

# A full row, a short history, two users of whom the second is asked for, and no event at all.
ITEMS = tf.constant([[5, 6, 7, 8], [0, 0, 3, 4], [2, 3, 4, 9], [0, 0, 0, 0]])
SEGMENT = tf.constant([[1, 1, 1, 1], [0, 0, 1, 1], [1, 1, 2, 2], [0, 0, 0, 0]])


def test_contract() -> None:
    names = ("item_id", "segment", "hidden")
    run_layer_test(
        AppendQuestion,
        {},
        ITEMS,
        dict.fromkeys(names, (4, 4)),
        call={"segment": SEGMENT},
        dtype={"item_id": "int32", "segment": "int32", "hidden": "bool"},
        weights=0,
    )


def test_by_hand() -> None:
    found = AppendQuestion()(ITEMS, segment=SEGMENT)
    # the full row loses its oldest event
    np.testing.assert_array_equal(found["item_id"], [[6, 7, 8, 0], [0, 3, 4, 0], [3, 4, 9, 0], [0, 0, 0, 0]])
    # the question belongs to the newest event's user; without any event it is alone in a segment of its own
    np.testing.assert_array_equal(found["segment"], [[1, 1, 1, 1], [0, 1, 1, 1], [1, 2, 2, 2], [0, 0, 0, 1]])
    np.testing.assert_array_equal(found["hidden"], [[False, False, False, True]] * 4)
