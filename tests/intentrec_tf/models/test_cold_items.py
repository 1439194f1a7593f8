"""Items without any training event: scored by what the catalogue says of them, never by their untrained rows."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from intentrec_tf.data_spec import DataSpec
from intentrec_tf.export import Signatures, save_model
from intentrec_tf.models import ModelConfig, NextItemModel
from intentrec_tf.retrieval import RetrievalConfig, RetrievalModel
from tests.support import ITEMS, User, build_model, build_spec, left_padded, random_user, raw_request

COLD = (5, 9)
TWIN = 6  # of item 5
SMALL = {"dim": 8, "hidden_dim": 8, "feature_dim": 4, "blocks": 0, "count": 2}


def cold_spec(**changes: Any) -> DataSpec:
    """Rows 5 and 9 were never seen in training; row 6 has the catalogue features of row 5."""
    spec = build_spec(**changes)
    prior = np.where(np.isin(np.arange(ITEMS + 2), COLD), 0, spec.item_prior).astype(np.float32)
    catalogue = {name: values.copy() for name, values in spec.catalogue.items()}
    for values in catalogue.values():
        values[TWIN] = values[COLD[0]]
    return dataclasses.replace(spec, item_prior=prior, catalogue=catalogue)


def cold_model(**config: Any) -> NextItemModel:
    return build_model(
        cold_spec(exclude_seen=False), **{"variant": "V0", "id_dropout": 0.4, "item_blocks": 1, **config}
    )


@pytest.fixture(scope="module")
def users() -> list[User]:
    """With row 5 in the history of the first and row 9 in that of the second, and no other cold item."""
    found = [random_user(build_spec(), events, events) for events in (3, 8, 5)]
    for user, name in [(user, name) for user in found for name in ("item_id", "target/item")]:
        user[name][np.isin(user[name], COLD)] = 3
    found[0]["item_id"][1], found[1]["item_id"][4] = COLD
    return found


def _answers(model: NextItemModel, users: list[User]) -> list[np.ndarray]:
    inputs, _ = left_padded(model.spec, users)
    question = model.question(inputs)
    rows = tf.tile(tf.range(2, ITEMS + 2)[None], [len(users), 1])
    scores = model.item_scorer(question)(0, ITEMS + 2)
    return [np.asarray(x) for x in (model.item_probabilities(question), model.candidate_scores(question, rows), scores)]


def _disturb(model: NextItemModel, rows: tuple[int, ...]) -> None:
    """Other numbers in the rows of the id table and of the biases."""
    chosen = np.isin(np.arange(ITEMS + 2), rows)
    for weight in (model.item_embedding.ids, *([model.item_head.bias] if model.item_head.item_bias else [])):
        mask = chosen.reshape(-1, *[1] * (weight.shape.rank - 1))
        weight.assign(np.where(mask, weight.numpy() + 3, weight.numpy()))


@pytest.mark.parametrize(
    "config", [{"variant": "V3"}, {"similarity": "cosine", "repeat": False}, {"variant": "TwoTower"}]
)
def test_untrained_rows_say_nothing(config: dict, users: list[User]) -> None:
    """Neither of an item that is scored nor of one in the history; the OOV row speaks for both."""
    model = cold_model(**config)
    before = _answers(model, users)
    _disturb(model, COLD)
    for found, expected in zip(_answers(model, users), before, strict=True):
        np.testing.assert_array_equal(found, expected)
    _disturb(model, (1,))
    assert all(np.abs(x - y).max() > 1e-3 for x, y in zip(_answers(model, users), before, strict=True))


def test_without_id_dropout_they_do(users: list[User]) -> None:
    model = cold_model(id_dropout=0.0)
    before = _answers(model, users)
    _disturb(model, COLD)
    assert np.abs(_answers(model, users)[0] - before[0]).max() > 1e-3


def test_features_decide(users: list[User]) -> None:
    model = cold_model(repeat=False)
    spec = model.spec
    before = _answers(model, users[2:])[0]  # neither has met a cold item
    trained = np.where(np.arange(ITEMS + 2) == TWIN, 0, spec.item_prior)
    model.item_embedding.set_catalogue(spec.catalogue, trained)
    twins = _answers(model, users[2:])[0]
    np.testing.assert_allclose(twins[:, TWIN], twins[:, COLD[0]], rtol=1e-5)  # two cold items with the same features
    assert abs(before[0, TWIN] / before[0, COLD[0]] - 1) > 1e-3  # one of them trained
    model.item_embedding.set_catalogue({**spec.catalogue, "year": spec.catalogue["year"] + 25}, spec.item_prior)
    assert np.abs(_answers(model, users[2:])[0][:, COLD] / before[:, COLD] - 1).max() > 1e-3


@pytest.mark.parametrize("negatives", [None, 40])
def test_training_leaves_them_out(users: list[User], negatives: int | None) -> None:
    """They are never right, so among the others they would only teach that items without an id are wrong."""
    model = cold_model(dropout=0.0, random_oov=0.0, negatives=negatives)
    inputs, targets = left_padded(model.spec, users[2:])
    start = model.get_weights()  # counts of draws among them

    def loss(training: bool) -> float:
        model.set_weights(start)
        return float(model.step_losses(inputs, targets, training=training)["loss"])

    shifted = {**model.spec.catalogue, "year": model.spec.catalogue["year"].copy()}
    shifted["year"][list(COLD)] += 25
    before = loss(True), loss(False)
    index = [w is model.item_embedding.catalogue["year"] for w in model.weights].index(True)
    start[index] = shifted["year"]
    after = loss(True), loss(False)
    assert before[0] == after[0]
    assert before[1] != after[1]  # where it is not left out, as in validation, their features matter


def test_ids_are_dropped_in_training_alone(users: list[User]) -> None:
    model = cold_model(dropout=0.0, random_oov=0.0)
    inputs, targets = left_padded(model.spec, users)
    calm = [float(model.step_losses(inputs, targets, training=False)["loss"]) for _ in range(3)]
    wild = [float(model.step_losses(inputs, targets, training=True)["loss"]) for _ in range(3)]
    assert len(set(calm)) == 1
    assert len({*calm, *wild}) == 4


@pytest.mark.parametrize("variant", ["V3", "TransAct", "TwoTower"])
def test_everything_learns(users: list[User], variant: str) -> None:
    """Also the row and the bias that stand for items without an id, and not those of unseen ones."""
    model = cold_model(variant=variant)
    inputs, targets = left_padded(model.spec, users)
    with tf.GradientTape() as tape:
        loss = sum(model.step_losses(inputs, targets, training=True)["item_loss"] for _ in range(5))
    tables = [model.item_embedding.ids, *([model.item_head.bias] if model.item_head.item_bias else [])]
    for gradient in tape.gradient(loss, tables):
        moved = np.abs(tf.convert_to_tensor(gradient).numpy()).reshape(ITEMS + 2, -1).max(axis=1) > 1e-9
        assert moved[1]
        assert not moved[list(COLD)].any()
        assert moved[[2, 3, 4]].all()


def test_a_compiled_loss() -> None:
    model = cold_model()
    state = tf.random.stateless_normal([2, 3, 16], [1, 2])
    items, weights = tf.constant([[2, 3, 4], [7, 0, 8]]), tf.ones([2, 3])

    def loss() -> tf.Tensor:
        model.item_embedding.dropped.draws.assign(0)
        return model.item_loss(state, items, weights, training=True)

    np.testing.assert_allclose(tf.function(loss, jit_compile=True)(), loss(), rtol=1e-5)


def test_saved_weights(users: list[User], tmp_path: Path) -> None:
    model = cold_model()
    model.save_weights(tmp_path / "x.weights.h5")
    again = build_model(build_spec(exclude_seen=False), seed=1, variant="V0", id_dropout=0.4, item_blocks=1)
    again.load_weights(tmp_path / "x.weights.h5")  # with what was seen in training, and the catalogue
    for found, expected in zip(_answers(again, users), _answers(model, users), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_the_export_answers_as_keras_does(users: list[User], tmp_path: Path) -> None:
    model = cold_model()
    saved = save_model(model, tmp_path / "1")
    assert isinstance(saved, Signatures)
    loaded = tf.saved_model.load(str(tmp_path / "1"))
    raw = raw_request(model.spec, users)
    expected = model.item_probabilities(model.question(left_padded(model.spec, users)[0])).numpy()
    answer = loaded.signatures["item"](**raw)
    names = [[name.decode() for name in row] for row in answer["item_id"].numpy()]
    for b, row in enumerate(np.argsort(-expected[:, 2:], axis=1) + 2):
        assert names[b] == [model.spec.items.token(int(place)) for place in row]
        np.testing.assert_allclose(answer["score"][b], expected[b, row], atol=1e-5)
    assert all(model.spec.items.token(row) in names[0] for row in COLD)  # they can be recommended
    candidates = tf.constant([[model.spec.items.token(row) for row in (3, *COLD)]] * len(users))
    wanted = {key: value for key, value in raw.items() if key != "exclude_item_id"}
    rank = loaded.signatures["rank"](**wanted, candidate_item_id=candidates)["score"].numpy()
    rows = tf.constant([[3, *COLD]] * len(users))
    keras = model.candidate_probabilities(model.question(left_padded(model.spec, users)[0]), rows)
    np.testing.assert_allclose(rank, keras, atol=1e-5)


def test_a_retrieval_model_finds_them_by_their_features(users: list[User]) -> None:
    model = RetrievalModel(cold_spec(), RetrievalConfig(interests="single", id_dropout=0.4, **SMALL))
    before = model.item_vectors().numpy()
    model.item_embedding.ids.assign_add(np.isin(np.arange(ITEMS + 2), COLD)[:, None] * np.ones((1, 8)))
    np.testing.assert_array_equal(model.item_vectors(), before)
    inputs, targets = left_padded(model.spec, users)
    positives = {"item": targets["item"][:, -2:], "weight": targets["weight"][:, -2:]}
    state = model.get_weights()
    losses = []
    for training in (False, False, True):
        model.set_weights(state)
        losses.append(float(model.retrieval_loss(inputs, positives, training=training)))
    assert losses[0] == losses[1] != losses[2]


def test_what_does_not_fit_is_one_sentence() -> None:
    with pytest.raises(ValueError, match="id_dropout needs tied"):
        ModelConfig(id_dropout=0.1, tied=False)
    bare = build_spec(item_features=[], intents=[])
    with pytest.raises(ValueError, match="id_dropout needs item features, and schema 'synthetic' has none"):
        build_model(bare, variant="V0", id_dropout=0.1)


def test_off_is_as_before() -> None:
    """The same weights in the same order, so that earlier runs load; baselines on ids alone have no use for it."""
    assert ModelConfig.model_validate({"variant": "V0"}).id_dropout == 0
    plain, dropping = cold_model(id_dropout=0.0), cold_model()
    names = [weight.name for weight in plain.weights]
    more = [weight.name for weight in dropping.weights if weight.name not in names]
    assert sorted(name.split("/")[-1] for name in more) == ["draws:0", "trained:0"]
    sasrec = cold_model(variant="SASRec")
    assert sasrec.item_embedding.known_ids() is None
