"""Hidden items: the vector in their place, and which are hidden."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from intentrec_tf.layers import MaskedItems
from tests.support import run_layer_test

X = tf.random.stateless_normal([2, 3, 4], [0, 1])
HIDDEN = tf.constant([[True, False, False], [False, True, True]])
SEGMENT = tf.constant([[0, 1, 1, 2]] * 5000)


def test_contract() -> None:
    run_layer_test(MaskedItems, {"seed": 3}, X, (2, 3, 4), call={"hidden": HIDDEN}, weights=1)


def test_hidden_places_hold_the_mask_and_the_others_their_own_vector() -> None:
    layer = MaskedItems()
    layer.build(X.shape)
    layer.mask.assign([9.0, 8, 7, 6])
    found = layer(X, hidden=HIDDEN).numpy()
    np.testing.assert_array_equal(found[HIDDEN], [[9, 8, 7, 6]] * 3)
    np.testing.assert_array_equal(found[~HIDDEN.numpy()], X[~HIDDEN])


def _built(seed: int) -> MaskedItems:
    layer = MaskedItems(seed=seed)
    layer.build(X.shape)
    return layer


def test_share_of_the_real_places_is_hidden_and_no_padding() -> None:
    hidden = _built(1).choose(SEGMENT, 0.3).numpy()
    assert not hidden[:, 0].any()
    # 4 standard deviations of 5000 draws: 4 * sqrt(0.3 * 0.7 / 5000)
    assert np.abs(hidden[:, 1:].mean(axis=0) - 0.3).max() < 0.026


def test_each_draw_is_another_and_a_seed_repeats_them() -> None:
    layer, again, other = _built(1), _built(1), _built(2)
    draws = [layer.choose(SEGMENT, 0.5).numpy()[:, 1:] for layer in (layer, layer, other)]
    for i in range(3):
        for j in range(i):
            # independent choices agree half the time; 4 standard deviations of 15,000
            assert abs((draws[i] == draws[j]).mean() - 0.5) < 0.0164
    np.testing.assert_array_equal(again.choose(SEGMENT, 0.5)[:, 1:], draws[0])
    np.testing.assert_array_equal(again.choose(SEGMENT, 0.5)[:, 1:], draws[1])


def test_the_global_seed_decides_the_choices() -> None:
    def seeds() -> list[int]:
        tf.keras.utils.set_random_seed(3)
        return [MaskedItems().seed, MaskedItems().seed]

    assert seeds() == seeds()
    assert len(set(seeds())) == 2
