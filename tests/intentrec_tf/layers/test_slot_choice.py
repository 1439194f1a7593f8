"""Which query learns from an item."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intentrec_tf.layers import SlotChoice
from tests.support import run_layer_test

QUERIES = tf.random.stateless_normal([2, 3, 4], [0, 1])
ITEMS = tf.random.stateless_normal([2, 5, 4], [0, 2])
SLOTS = tf.constant([[1, 1, 1], [1, 0, 0]]) > 0


@pytest.mark.parametrize("kind", ["hard", "gumbel"])
def test_contract(kind: str) -> None:
    init = {"kind": kind, "temperature": 0.5, "seed": 3}
    call = {"items": ITEMS, "slots": SLOTS}
    run_layer_test(SlotChoice, init, QUERIES, ((2, 5, 4), (2, 5)), call=call, dtype=(tf.float32, tf.int32), weights=0)


@pytest.mark.parametrize("kind", ["hard", "gumbel"])
def test_the_best_slot_when_not_training(kind: str) -> None:
    chosen, places = SlotChoice(kind)(QUERIES, items=ITEMS, slots=SLOTS)
    scores = np.einsum("bnd,bkd->bnk", ITEMS, QUERIES)
    np.testing.assert_array_equal(places[0], scores[0].argmax(-1))
    np.testing.assert_array_equal(places[1], np.zeros(5))  # the only slot there is
    np.testing.assert_allclose(chosen, tf.gather(QUERIES, places, batch_dims=1), rtol=1e-5)


def _gradient(kind: str) -> np.ndarray:
    layer = SlotChoice(kind, temperature=1.0, seed=1)
    with tf.GradientTape() as tape:
        tape.watch(QUERIES)
        chosen, places = layer(QUERIES, items=ITEMS[:, :1], slots=SLOTS, training=True)
        loss = tf.reduce_sum(chosen * ITEMS[:, :1])
    gradient = tape.gradient(loss, QUERIES).numpy()
    assert (np.abs(gradient[0, places[0, 0]]) > 0).any()
    return np.delete(gradient[0], int(places[0, 0]), axis=0)


def test_only_gumbel_teaches_the_slots_that_were_not_chosen() -> None:
    assert (_gradient("hard") == 0).all()
    assert (np.abs(_gradient("gumbel")).max(-1) > 0).all()


def test_gumbel_draws_in_proportion() -> None:
    """Scores 1, 0 and -1 at temperature 1: e, 1 and 1/e of their sum."""
    queries = tf.constant([[[1.0], [0.0], [-1.0]]])
    _, places = SlotChoice("gumbel", temperature=1.0, seed=2)(
        queries, items=tf.ones([1, 20_000, 1]), slots=tf.ones([1, 3], tf.bool), training=True
    )
    found = np.bincount(places.numpy().ravel(), minlength=3) / 20_000
    expected = np.exp([1, 0, -1]) / np.exp([1, 0, -1]).sum()
    np.testing.assert_allclose(found, expected, atol=0.015)


def test_missing_slots_are_never_drawn() -> None:
    layer = SlotChoice("gumbel", temperature=10.0, seed=2)
    for _ in range(20):
        assert (layer(QUERIES, items=ITEMS, slots=SLOTS, training=True)[1].numpy()[1] == 0).all()


def test_wrong_kind() -> None:
    with pytest.raises(ValueError, match="'hard' or 'gumbel', got 'soft'"):
        SlotChoice("soft")


@pytest.mark.parametrize("bits", [0, 2**32 - 1])
def test_no_draw_is_infinite(bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    layer = SlotChoice("gumbel")
    monkeypatch.setattr(layer, "bits", lambda shape: tf.fill(shape, tf.constant(bits, tf.uint32)))
    assert np.isfinite(layer._gumbel(tf.constant([3]))).all()
