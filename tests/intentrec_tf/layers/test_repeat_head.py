"""Pointing at events of the history."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from intentrec_tf.layers import AttentionMask, EventDistance, ItemRecency, RepeatHead
from tests.support import run_layer_test

STATE = tf.random.stateless_normal([2, 5, 6], [0, 1])
ITEMS = tf.random.stateless_normal([2, 5, 4], [0, 2])
SEGMENT = tf.constant([[1, 1, 1, 2, 2], [0, 0, 1, 1, 1]])
TIMES = tf.constant([[10, 20, 400, 5, 9], [0, 0, 50, 60, 70]], tf.int64)
IDS = tf.constant([[5, 1, 7, 5, 6], [0, 0, 3, 3, 4]])


def _call(**changes: tf.Tensor) -> dict:
    mask = AttentionMask()(SEGMENT, timestamp=TIMES)
    call = {"items": ITEMS, "item_id": IDS, "segment": SEGMENT, "mask": mask, "distances": EventDistance()(TIMES)}
    return {**call, **changes}


def test_contract() -> None:
    shapes = {"share": (2, 5), "pointer": (2, 5, 5), "item_id": (2, 5)}
    dtypes = {"share": tf.float32, "pointer": tf.float32, "item_id": tf.int32}
    run_layer_test(
        RepeatHead,
        {"dim": 3},
        STATE,
        shapes,
        call=_call(),
        dtype=dtypes,
        unmoved=lambda layer: [],
        weights=7,  # query and share with bias, situation, item, slopes
    )


def test_contract_with_slopes_by_the_state() -> None:
    shapes = {"share": (2, 5), "pointer": (2, 5, 5), "item_id": (2, 5)}
    dtypes = {"share": tf.float32, "pointer": tf.float32, "item_id": tf.int32}
    mask = AttentionMask()(SEGMENT, timestamp=TIMES)
    run_layer_test(
        RepeatHead,
        {"dim": 3, "distances": 5, "adaptive": True},
        STATE,
        shapes,
        call=_call(distances=[*EventDistance()(TIMES), *ItemRecency()(IDS, mask=mask)]),
        dtype=dtypes,
        unmoved=lambda layer: [],
        weights=8,
    )


def test_slopes_by_the_state_begin_as_the_plain_ones() -> None:
    plain, bent = RepeatHead(3), RepeatHead(3, adaptive=True)
    for head in (plain, bent):
        head(STATE, **_call())
    bent.set_weights([*plain.get_weights(), np.zeros((6, 2), np.float32)])
    np.testing.assert_allclose(bent(STATE, **_call())["pointer"], plain(STATE, **_call())["pointer"], rtol=1e-6)
    bent.slopes_by_state.kernel.assign(tf.ones([6, 2]))
    moved = bent(STATE, **_call())["pointer"].numpy() - plain(STATE, **_call())["pointer"].numpy()
    nearer = EventDistance()(TIMES)
    expected = -sum(STATE.numpy()[0, 2]) * (nearer[0][0, 2, 0] + nearer[1][0, 2, 0])
    np.testing.assert_allclose(moved[0, 2, 0], expected, rtol=1e-4)


def test_only_known_items_of_the_own_past_are_pointed_at() -> None:
    pointer = RepeatHead(3)(STATE, **_call())["pointer"].numpy()
    allowed = np.zeros((2, 5, 5), bool)
    for row, k, i in ((0, 0, 0), (0, 1, 0), (0, 2, 0), (0, 2, 2), (0, 3, 3), (0, 4, 3), (0, 4, 4)):
        allowed[row, k, i] = True  # the item at place 1 is unknown
    allowed[1, 2:, 2:] = np.tril(np.ones((3, 3), bool))
    np.testing.assert_array_equal(pointer > -1e8, allowed)


def test_nobody_else_and_nothing_later_is_read() -> None:
    head = RepeatHead(3)
    before = head(STATE, **_call())
    other = tf.concat([STATE[:, :3], STATE[:, 3:] * -3], 1)
    after = head(other, **_call(items=tf.concat([ITEMS[:, :3], ITEMS[:, 3:] + 9], 1)))
    for name in ("share", "pointer"):
        np.testing.assert_allclose(after[name][:, :3], before[name][:, :3], rtol=1e-5)
    changed = tf.concat([STATE[:1, :3] * 5, STATE[:1, 3:]], 1)  # another user of the same row
    after = head(tf.concat([changed, STATE[1:]], 0), **_call())
    np.testing.assert_allclose(after["pointer"][0, 3:, 3:], before["pointer"][0, 3:, 3:], rtol=1e-5)


def test_the_situation_before_an_event_is_part_of_its_key() -> None:
    """State 0 is the situation in which event 1 was chosen: it moves how event 2 points at 1... and at no other."""
    head = RepeatHead(3)
    ids = tf.constant([[5, 6, 7, 5, 6], [0, 0, 3, 3, 4]])
    before = head(STATE, **_call(item_id=ids))["pointer"].numpy()
    changed = tf.tensor_scatter_nd_add(STATE, [[0, 0]], tf.ones([1, 6]))
    moved = np.abs(head(changed, **_call(item_id=ids))["pointer"].numpy() - before)
    assert moved[0, 2, 1] > 1e-3
    assert moved[0, 2, 0] < 1e-5
    assert moved[0, 2, 2] < 1e-5


def test_what_is_near_comes_first() -> None:
    head = RepeatHead(3)
    head(STATE, **_call())
    for layer in (head.query, head.situation, head.item):
        layer.kernel.assign(tf.zeros_like(layer.kernel))
    pointer = head(STATE, **_call())["pointer"].numpy()
    # event 2 at second 400: itself is 0 away; event 0 is 2 events and 390 s away, both slopes begin at 1
    np.testing.assert_allclose(pointer[0, 2, [0, 2]], [-np.log(3) - np.log(391), 0], rtol=1e-5)
