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
        {"max_length": 4},
        ITEMS,
        dict.fromkeys(names, (4, 4)),
        call={"segment": SEGMENT},
        dtype={"item_id": "int32", "segment": "int32", "hidden": "bool"},
        weights=0,
    )


def test_by_hand() -> None:
    found = AppendQuestion(4)(ITEMS, segment=SEGMENT)
    # the full row loses its oldest event
    np.testing.assert_array_equal(found["item_id"], [[6, 7, 8, 0], [0, 3, 4, 0], [3, 4, 9, 0], [0, 0, 0, 0]])
    # the question belongs to the newest event's user; without any event it is alone in a segment of its own
    np.testing.assert_array_equal(found["segment"], [[1, 1, 1, 1], [0, 1, 1, 1], [1, 2, 2, 2], [0, 0, 0, 1]])
    np.testing.assert_array_equal(found["hidden"], [[False, False, False, True]] * 4)


def test_padding_before_a_history_does_not_matter() -> None:
    """A row of one event keeps it, and what is kept is the same however wide the row was."""
    item, segment = tf.constant([[7]]), tf.constant([[1]])
    narrow = AppendQuestion(4)(item, segment=segment)
    np.testing.assert_array_equal(narrow["item_id"], [[7, 0]])
    wide = AppendQuestion(4)(tf.constant([[0, 0, 0, 7]]), segment=tf.constant([[0, 0, 0, 1]]))
    for name, column in narrow.items():
        np.testing.assert_array_equal(wide[name][:, -2:], column)
