"""What makes the two towers a control: nothing but directions; the rest is in the tests of all models."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intentrec_tf.data_spec import DataSpec
from intentrec_tf.models import NextItemModel
from tests.support import ITEMS, User, build_model, build_spec, cut, left_padded, random_user


@pytest.fixture(scope="module")
def model(spec: DataSpec) -> NextItemModel:
    return build_model(spec, variant="TwoTower", temperature=0.1, tied=False, similarity="dot")


def _state(model: NextItemModel, user: User) -> np.ndarray:
    return model(left_padded(model.spec, [user])[0])["state"].numpy()[0, -1]


def test_no_weight_belongs_to_an_item_but_its_vector(model: NextItemModel) -> None:
    """Also where the configuration asks for untied weights."""
    tables = [weight.name for weight in model.trainable_variables if weight.shape[0] == model.spec.items.size]
    assert tables == [model.item_embedding.ids.name]


def test_the_length_of_an_items_vector_changes_no_score(users: list[User]) -> None:
    model = build_model(build_spec(item_features=[], intents=[]), variant="TwoTower")
    user = {**users[0], "item_id": np.array([2, 3, 4, 2, 3, 4, 2, 3], np.int32)}
    state = model(left_padded(model.spec, [user])[0])["state"]
    before = model.item_logits(state).numpy()
    ids = model.item_embedding.ids
    scales = np.where(np.arange(ids.shape[0]) > 4, 7.0, 1.0)[:, None]
    ids.assign(ids * scales)
    np.testing.assert_allclose(model.item_logits(state), before, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(model(left_padded(model.spec, [user])[0])["state"], state, rtol=1e-5)


def test_scores_are_cosines_over_the_temperature(model: NextItemModel, users: list[User]) -> None:
    state = model(left_padded(model.spec, users)[0])["state"]
    query, vectors = model.item_head.query(state).numpy(), model.item_embedding.item_vectors().numpy()[2:]
    cosine = query @ vectors.T / np.linalg.norm(query, axis=-1)[..., None] / np.linalg.norm(vectors, axis=-1)
    np.testing.assert_allclose(model.item_logits(state)[..., 2:], cosine / 0.1, rtol=1e-4, atol=1e-4)


def test_of_the_order_only_the_newest_event_counts(model: NextItemModel, spec: DataSpec) -> None:
    user = {**random_user(spec, 5, seed=0), "item_id": np.array([2, 3, 4, 5, 6], np.int32)}
    state = _state(model, user)
    np.testing.assert_allclose(_state(model, cut(user, np.array([3, 0, 2, 1, 4]))), state, rtol=1e-4, atol=1e-5)
    assert np.abs(_state(model, cut(user, np.array([0, 1, 2, 4, 3]))) - state).max() > 1e-3


def test_of_the_history_its_mean(model: NextItemModel, spec: DataSpec) -> None:
    """How often counts, how many does not."""
    user = random_user(spec, 4, seed=0)

    def of(*items: int) -> np.ndarray:
        return _state(model, {**cut(user, slice(0, len(items))), "item_id": np.array(items, np.int32)})

    np.testing.assert_allclose(of(5, 9, 5, 9), of(5, 9), rtol=1e-4, atol=1e-5)
    assert np.abs(of(5, 5, 9) - of(5, 9)).max() > 1e-3


def test_catalogue_features_are_read(users: list[User]) -> None:
    """Two items of one id vector differ by their metadata."""
    model = build_model(build_spec(), variant="TwoTower")
    model.item_embedding.ids.assign(tf.zeros_like(model.item_embedding.ids))
    logits = model.item_logits(model(left_padded(model.spec, users)[0])["state"]).numpy()[0, -1, 2:]
    assert len(np.unique(logits.round(4))) > ITEMS / 2
