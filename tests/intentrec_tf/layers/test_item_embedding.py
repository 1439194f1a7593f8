"""Item vectors from ids and the catalogue."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intentrec_tf.layers import ItemEmbedding, item_embedding
from tests.support import run_layer_test

FEATURES = [
    {"name": "form", "kind": "categorical", "size": 4, "width": 1, "minimum": 0.0, "maximum": 1.0},
    {"name": "genre", "kind": "multi_label", "size": 5, "width": 2, "minimum": 0.0, "maximum": 1.0},
    {"name": "year", "kind": "numeric", "size": 0, "width": 1, "minimum": 1990.0, "maximum": 2000.0},
]
CATALOGUE = {
    "form": np.array([0, 0, 2, 3, 2], np.int32),
    "genre": np.array([[0, 0], [0, 0], [2, 0], [2, 3], [4, 3]], np.int32),
    "year": np.array([np.nan, np.nan, 1990, 1995, np.nan], np.float32),
}
INIT = {"vocabulary_size": 5, "dim": 3, "features": FEATURES, "feature_dim": 2}
ROWS = tf.constant([[0, 2, 3], [4, 1, 3]])


def _filled(**changes) -> ItemEmbedding:
    layer = ItemEmbedding(**{**INIT, **changes})
    layer.build(ROWS.shape)
    layer.set_catalogue(CATALOGUE, np.array([0, 0, 3, 2, 1]))
    return layer


def test_contract_of_ids_alone() -> None:
    run_layer_test(ItemEmbedding, {"vocabulary_size": 5, "dim": 3}, ROWS, (2, 3, 3), weights=1)


def test_contract_with_features() -> None:
    # ids, two label tables, the projection; the catalogue is not trained.  It is still empty here, so only ids learn.
    layer = run_layer_test(
        ItemEmbedding, INIT, ROWS, (2, 3, 3), weights=4, unmoved=lambda layer: layer.trainable_weights[1:]
    )
    assert len(layer.non_trainable_weights) == 3


def test_by_hand() -> None:
    layer = _filled()
    layer.ids.assign(np.arange(15).reshape(5, 3))
    layer.encoders["form"].table.assign([[9, 9], [9, 9], [1, 0], [0, 1]])
    layer.encoders["genre"].table.assign([[9, 9], [9, 9], [2, 0], [0, 4], [6, 6]])
    # columns: form 2, genre 2, year scaled, year missing
    layer.projection.assign([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, 0], [10, 0, 0], [0, 100, 0]])
    # Item 3: form (0, 1) adds 1 to the second; genre mean of (2, 0), (0, 4) = (1, 2) adds 1 to the third;
    # 1995 of 1990..2000 is 0.5 and adds 5 to the first: (9, 10, 11) + (5, 1, 1).
    # Item 4: form (1, 0), genre mean (3, 5), year missing: (12, 13, 14) + (1, 100, 3).
    np.testing.assert_allclose(layer(tf.constant([0, 3, 4])), [[0, 0, 0], [14, 11, 12], [13, 113, 17]], rtol=1e-6)


def test_padding_is_zero_and_oov_is_not() -> None:
    layer = _filled()
    vectors = layer(ROWS).numpy()
    assert not vectors[0, 0].any()
    assert vectors[1, 1].any()
    np.testing.assert_allclose(layer.item_vectors().numpy()[4], vectors[1, 0])


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_years_survive_half_precision(policy: str) -> None:
    # bfloat16 keeps 8 bits: 1990 and 1995 are the same number there, so scaling must come before the cast.
    tf.keras.mixed_precision.set_global_policy(policy)
    try:
        layer = _filled(features=FEATURES[2:])
        layer.ids.assign(np.zeros((5, 3)))
        layer.projection.assign([[1, 0, 0], [0, 0, 0]])
        assert layer(tf.constant([3]))[0, 0].numpy() == 0.5
        assert layer.item_vectors()[3, 0].numpy() == 0.5
    finally:
        tf.keras.mixed_precision.set_global_policy("float32")


def test_every_weight_learns_once_the_catalogue_is_there() -> None:
    layer = _filled()
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(ROWS) * tf.random.stateless_normal([2, 3, 3], [1, 1]))
    for gradient in tape.gradient(loss, layer.trainable_weights):
        assert np.abs(tf.convert_to_tensor(gradient)).max() > 0


@pytest.mark.parametrize("features", [FEATURES, []])
@pytest.mark.parametrize("rows", [ROWS, ROWS[0], tf.zeros([0, 2], tf.int32)])
def test_a_large_catalogue_gives_the_same(features: list, rows: tf.Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the limit a call computes the vectors of the rows asked for; values and gradients stay."""
    layer = _filled(features=features)

    def values_and_gradients() -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            vectors = layer(rows)
            loss = tf.reduce_sum(tf.sin(vectors * 7))
        return [vectors, *map(tf.convert_to_tensor, tape.gradient(loss, layer.trainable_weights))]

    expected = values_and_gradients()
    np.testing.assert_array_equal(expected[0], tf.gather(layer.item_vectors(), rows))
    monkeypatch.setattr(item_embedding, "SMALL_CATALOGUE", 4)
    for found, value in zip(values_and_gradients(), expected, strict=True):
        np.testing.assert_allclose(found, value, rtol=1e-5, atol=1e-7)


def test_a_large_catalogue_has_a_gradient_of_few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = _filled()
    monkeypatch.setattr(item_embedding, "SMALL_CATALOGUE", 4)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(tf.constant([2, 4])))
    gradient = tape.gradient(loss, layer.ids)
    assert isinstance(gradient, tf.IndexedSlices)
    np.testing.assert_array_equal(gradient.indices, [2, 4])


# --- items that training never saw

UNSEEN = np.array([0, 0, 3, 0, 1])  # row 3


def test_contract_with_id_dropout() -> None:
    init = {**INIT, "features": [], "id_dropout": 0.3}
    layer = run_layer_test(ItemEmbedding, init, ROWS, (2, 3, 3), weights=1)
    assert len(layer.non_trainable_weights) == 2  # which items were seen, and the draws so far


def test_without_id_dropout_there_is_nothing_more() -> None:
    layer = _filled()
    assert [w.name.split("/")[-1] for w in layer.non_trainable_weights] == [
        "catalogue_form:0",
        "catalogue_genre:0",
        "catalogue_year:0",
    ]
    assert layer.known_ids(training=True) is None


@pytest.mark.parametrize("limit", [5, 4])
def test_an_unseen_item_is_its_features(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_embedding, "SMALL_CATALOGUE", limit)
    layer = _filled(id_dropout=0.5)
    layer.set_catalogue(CATALOGUE, UNSEEN)
    before = layer(ROWS).numpy()
    np.testing.assert_allclose(before, tf.gather(layer.item_vectors(), ROWS), rtol=1e-6)
    np.testing.assert_allclose(layer.item_vectors(3, 5), layer.item_vectors()[3:], rtol=1e-6)
    ids = layer.ids.numpy()
    layer.ids.assign(np.where(np.arange(5)[:, None] == 3, 9, ids))
    np.testing.assert_array_equal(layer(ROWS), before)  # its own row says nothing
    layer.ids.assign(np.where(np.arange(5)[:, None] == 1, ids + 1, ids))
    moved = np.abs(layer(ROWS).numpy() - before).max(axis=-1) > 0.5
    np.testing.assert_array_equal(moved, np.isin(ROWS, [1, 3]))  # the OOV row stands for it
    layer.ids.assign(ids)
    layer.set_catalogue({**CATALOGUE, "year": np.nan_to_num(CATALOGUE["year"]) + 5}, UNSEEN)
    assert np.abs(layer(ROWS).numpy() - before)[0, 2].max() > 0  # its features do


def test_labels_of_unseen_items_alone_count_as_missing() -> None:
    layer = _filled(id_dropout=0.5)
    layer.set_catalogue(CATALOGUE, UNSEEN)
    np.testing.assert_array_equal(layer.catalogue["form"], [0, 0, 2, 0, 2])  # no trained item has form 3
    np.testing.assert_array_equal(layer.catalogue["genre"], CATALOGUE["genre"])  # items 2 and 4 have 2, 3 and 4


@pytest.mark.parametrize("limit", [5, 4])
def test_ids_are_dropped_in_training_alone(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_embedding, "SMALL_CATALOGUE", limit)
    layer = _filled(id_dropout=0.5)
    whole = layer(ROWS).numpy()
    alone = layer(ROWS, known=tf.zeros([5], tf.bool)).numpy()
    real = ROWS.numpy() > 1
    assert (np.abs(whole - alone).max(axis=-1)[real] > 0).all()
    seen = np.zeros((2, *ROWS.shape), bool)
    for _ in range(20):
        vectors = layer(ROWS, training=True).numpy()
        as_whole = np.isclose(vectors, whole, rtol=1e-5, atol=1e-7).all(axis=-1)
        as_alone = np.isclose(vectors, alone, rtol=1e-5, atol=1e-7).all(axis=-1)
        assert (as_whole | as_alone).all()
        seen |= np.stack([as_whole, as_alone])
    assert seen.all()


def test_a_dropped_id_in_a_large_catalogue_has_a_gradient_of_few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = _filled(id_dropout=0.5)
    monkeypatch.setattr(item_embedding, "SMALL_CATALOGUE", 4)
    with tf.GradientTape() as tape:
        vectors = layer(tf.constant([2, 4]), known=tf.constant([True, True, False, True, True]))
        loss = tf.reduce_sum(vectors)
    gradient = tape.gradient(loss, layer.ids)
    assert isinstance(gradient, tf.IndexedSlices)
    np.testing.assert_array_equal(gradient.indices, [1, 4])
