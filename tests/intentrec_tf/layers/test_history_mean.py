"""The history's items where a query starts."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from intentrec_tf.layers import HistoryMean
from tests.support import run_layer_test

STATE = tf.random.stateless_normal([2, 4, 5], [0, 1])
ITEMS = tf.random.stateless_normal([2, 4, 3], [0, 2])
ITEM_ID = tf.constant([[2, 3, 4, 5], [0, 0, 6, 2]])
MASK = tf.linalg.band_part(tf.ones([4, 4], tf.bool), -1, 0)[None] & (ITEM_ID > 0)[:, None, :]
DISTANCE = tf.cast(tf.abs(tf.range(4)[:, None] - tf.range(4)), tf.float32)[None]
CALL: dict[str, Any] = {"items": ITEMS, "item_id": ITEM_ID, "mask": MASK, "distances": [DISTANCE]}


def made(**changes: Any) -> HistoryMean:
    layer = HistoryMean(3, 1)
    layer(STATE, **{**CALL, **changes})
    return layer


def test_contract() -> None:
    run_layer_test(HistoryMean, {"dim": 3, "distances": 1}, STATE, (2, 4, 3), call=CALL, weights=7)


def test_is_the_state_and_a_weighted_mean_of_the_items_up_to_now() -> None:
    layer = made()
    layer.slopes.assign([0.7])
    found = layer(STATE, **CALL).numpy()
    query, key = layer.query(STATE).numpy(), (ITEMS @ layer.key.kernel).numpy()
    for user, place in ((0, 0), (0, 3), (1, 3)):
        places = [j for j in range(place + 1) if ITEM_ID[user, j] > 0]
        logits = [query[user, place] @ key[user, j] / 3**0.5 - np.log1p(np.exp(0.7)) * (place - j) for j in places]
        weights = np.exp(logits) / np.exp(logits).sum()
        mean = sum(w * ITEMS[user, j].numpy() for w, j in zip(weights, places, strict=True))
        np.testing.assert_allclose(found[user, place], layer.state(STATE)[user, place] + mean, rtol=1e-4, atol=1e-5)


def test_unknown_items_count_nothing() -> None:
    layer = made()
    unknown = tf.ones_like(ITEM_ID)
    np.testing.assert_allclose(layer(STATE, **{**CALL, "item_id": unknown}), layer.state(STATE), rtol=1e-6)


def test_later_items_change_nothing() -> None:
    layer = made()
    changed = tf.concat([ITEMS[:, :3], ITEMS[:, 3:] + 9], axis=1)
    np.testing.assert_array_equal(
        layer(STATE, **{**CALL, "items": changed})[:, :3].numpy(), layer(STATE, **CALL)[:, :3].numpy()
    )


def test_the_last_place_alone_gives_the_same() -> None:
    layer = made()
    np.testing.assert_allclose(layer(STATE[:, -1:], **CALL), layer(STATE, **CALL)[:, -1:], rtol=1e-5, atol=1e-6)
