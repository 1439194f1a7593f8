"""What sets the baselines apart, and that each learns; test_intentrec_contract.py has what they share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from intentrec_tf import models
from intentrec_tf.data_spec import DataSpec
from intentrec_tf.layers import item_embedding
from intentrec_tf.losses import weighted_cross_entropy
from intentrec_tf.models import (
    BERT4Rec,
    IntentRec,
    ModelConfig,
    NextItemModel,
    Recurrent,
    SASRec,
    TransAct,
    Transformer,
    TwoTower,
)
from intentrec_tf.optimizers import LazyAdam
from intentrec_tf.vocabulary import FIRST
from tests.support import ITEMS, User, build_model, build_spec, cut, flat, lay_out, left_padded, random_user

BASELINES = ("SASRec", "BERT4Rec", "GRU", "LSTM", "Transformer", "TransAct", "TwoTower")
WITH_INTENTS = ("GRU", "LSTM", "Transformer", "TransAct")
CLOSE = {"rtol": 2e-4, "atol": 2e-5}


@pytest.fixture(scope="module")
def baselines(spec: DataSpec) -> dict[str, NextItemModel]:
    """One model a variant; tests leave its weights alone."""
    return {variant: build_model(spec, variant=variant) for variant in BASELINES}


@pytest.fixture(scope="module")
def bert(baselines: dict[str, NextItemModel]) -> NextItemModel:
    return baselines["BERT4Rec"]


# --- which model a variant is


@pytest.mark.parametrize(
    ("variant", "expected"),
    [
        *(("V0", IntentRec), ("SASRec", SASRec), ("BERT4Rec", BERT4Rec), ("GRU", Recurrent), ("LSTM", Recurrent)),
        *(("Transformer", Transformer), ("TransAct", TransAct), ("TwoTower", TwoTower)),
    ],
)
def test_the_class_of_a_variant(variant: str, expected: type) -> None:
    assert type(build_model(build_spec(intents=[]), variant=variant)) is expected


@pytest.mark.parametrize("variant", ["V1", "V2", "V3"])
def test_variants_of_intentrec_need_intents(variant: str) -> None:
    with pytest.raises(ValueError, match=f"variant {variant} predicts intents, but schema 'synthetic' declares none"):
        models.build_model(build_spec(intents=[]), ModelConfig(variant=variant))


@pytest.mark.parametrize(("variant", "blocks", "cell"), [("GRU", 1, "GRU"), ("LSTM", 3, "LSTM")])
def test_recurrent_layers(variant: str, blocks: int, cell: str) -> None:
    model = build_model(build_spec(intents=[]), variant=variant, item_blocks=blocks)
    assert [layer.cell for layer in model.layers if layer.name.startswith("rnn_")] == [cell] * blocks


# --- intents


@pytest.mark.parametrize("variant", BASELINES)
def test_intents_of_models_with_heads_only(
    baselines: dict[str, NextItemModel], users: list[User], variant: str
) -> None:
    model = baselines[variant]
    inputs, targets = left_padded(model.spec, users)
    outputs = model(inputs)
    assert outputs["state"].shape == (4, 8, 16)
    assert not model.hierarchical
    names = set(model.spec.schema.intent_names) if variant in WITH_INTENTS else set()
    assert set(outputs["intents"]) == set(outputs["probabilities"]) == names
    assert set(model.losses_of(outputs, targets)) == {"loss", "item_loss", *(f"{name}_loss" for name in names)}
    if not names:
        assert model.intent_model is None
        return
    assert model.intent_model is not None
    part = model.intent_model(inputs)
    for name in names:
        np.testing.assert_array_equal(part["probabilities"][name], outputs["probabilities"][name])
        assert outputs["intents"][name].shape == (4, 8, len(model.spec.intent_labels[name]))


@pytest.mark.parametrize(
    ("variant", "below"), [("GRU", "rnn_0"), ("Transformer", "item_encoder"), ("TransAct", "item_encoder")]
)
def test_intent_heads_lie_beside_the_item_head(
    baselines: dict[str, NextItemModel], users: list[User], variant: str, below: str
) -> None:
    """The item loss does not train them; the intent losses train the network below."""
    model = baselines[variant]
    inputs, targets = left_padded(model.spec, users)
    head = model.get_layer("intent.what").trainable_weights
    network = model.get_layer(below).trainable_weights
    with tf.GradientTape(persistent=True) as tape:
        losses = model.losses_of(model(inputs), targets)
    assert tape.gradient(losses["item_loss"], head) == [None, None]
    assert all(np.abs(gradient).max() > 0 for gradient in tape.gradient(losses["what_loss"], network))


@pytest.mark.parametrize("variant", WITH_INTENTS)
def test_without_intents_there_is_no_intent_model(users: list[User], variant: str) -> None:
    model = build_model(build_spec(intents=[]), variant=variant)
    assert model.intent_model is None
    assert model(left_padded(model.spec, users)[0])["intents"] == {}


# --- scores


@pytest.mark.parametrize("variant", BASELINES)
def test_padding_and_oov_never_win(baselines: dict[str, NextItemModel], users: list[User], variant: str) -> None:
    model = baselines[variant]
    unknown = {**users[0], "item_id": np.ones(8, np.int32)}
    inputs, _ = left_padded(model.spec, [*users, unknown, cut(users[0], slice(0, 0))])
    logits = model.item_logits(model(inputs)["state"]).numpy()
    assert logits.shape == (6, 8, ITEMS + FIRST)
    assert np.isfinite(logits).all()
    assert (logits[..., :FIRST].max(axis=-1) < logits[..., FIRST:].min(axis=-1)).all()
    assert not tf.nn.softmax(logits).numpy()[..., :FIRST].any()


@pytest.mark.parametrize(
    ("variant", "option"),
    [
        *(("V0", "attention_dropout"), ("SASRec", "attention_dropout"), ("BERT4Rec", "attention_dropout")),
        *(("SASRec", "dropout"), ("BERT4Rec", "dropout"), ("GRU", "dropout")),
        *(("SASRec", "random_oov"), ("GRU", "random_oov")),
        *(("TransAct", option) for option in ("attention_dropout", "dropout", "random_oov")),
        *(("TwoTower", option) for option in ("dropout", "random_oov")),
    ],
)
def test_what_acts_in_training_only(users: list[User], variant: str, option: str) -> None:
    spec = build_spec(event_features=[], item_features=[], intents=[], duration_weight=None)
    inputs, _ = left_padded(spec, users)
    inputs = {name: inputs[name] for name in ("segment", "item_id", "timestamp", "next_timestamp")}
    calm = {"variant": variant, "dropout": 0, "random_oov": 0, "item_blocks": 1, "hidden_window": None}
    for config, differs in ((calm, False), ({**calm, option: 0.8}, True)):
        model = build_model(spec, **config)
        states = [model(inputs, training=training)["state"].numpy() for training in (False, True)]
        assert (np.abs(states[0] - states[1]).max() > 1e-3) == differs


# --- BERT4Rec: the question


def _last(model: NextItemModel, inputs: dict[str, tf.Tensor]) -> np.ndarray:
    return model(inputs)["state"].numpy()[:, -1]


@pytest.mark.parametrize(("length", "garbage"), [(6, False), (8, True), (13, True)])
def test_padding_before_the_history_changes_no_answer(
    bert: NextItemModel, users: list[User], length: int, garbage: bool
) -> None:
    expected = _last(bert, left_padded(bert.spec, [users[1]], 11)[0])
    found = _last(bert, lay_out(bert.spec, [[(length - 5, users[1])]], length, garbage)[0])
    np.testing.assert_allclose(found, expected, **CLOSE)


def test_batch_order_does_not_matter(bert: NextItemModel, users: list[User]) -> None:
    order = np.array([2, 0, 3, 1])
    inputs, _ = left_padded(bert.spec, users)
    shuffled = {name: tf.gather(values, order) for name, values in inputs.items()}
    np.testing.assert_allclose(_last(bert, shuffled), _last(bert, inputs)[order], **CLOSE)


def _with_another_item(user: User, place: int) -> User:
    items = user["item_id"].copy()
    items[place] = items[place] % ITEMS + FIRST
    return {**user, "item_id": items}


@pytest.mark.parametrize("events", [8, 5])
def test_the_answer_depends_on_every_event_but_the_oldest_of_a_full_row(bert: NextItemModel, events: int) -> None:
    user = random_user(bert.spec, events, seed=0)
    changed = [_with_another_item(user, place) for place in range(events)]
    found = _last(bert, left_padded(bert.spec, [user, *changed])[0])
    difference = np.abs(found[1:] - found[0]).max(axis=1)
    full = events == 8
    assert (difference[full:] > 1e-3).all()
    if full:
        np.testing.assert_allclose(found[1], found[0], **CLOSE)


def test_order_matters(bert: NextItemModel) -> None:
    user = {**random_user(bert.spec, 5, seed=0), "item_id": np.array([2, 3, 4, 5, 6], np.int32)}
    swapped = {**user, "item_id": np.array([3, 2, 4, 5, 6], np.int32)}
    found = _last(bert, left_padded(bert.spec, [user, swapped])[0])
    assert np.abs(found[1] - found[0]).max() > 1e-3


def test_nothing_but_items_is_read(bert: NextItemModel, users: list[User]) -> None:
    other = {**random_user(bert.spec, 8, seed=9), "item_id": users[0]["item_id"]}
    np.testing.assert_array_equal(
        _last(bert, left_padded(bert.spec, [other])[0]), _last(bert, left_padded(bert.spec, [users[0]])[0])
    )


def test_rebuilt_from_configuration_and_weights(bert: NextItemModel, users: list[User], tmp_path: Path) -> None:
    inputs, _ = left_padded(bert.spec, users)
    file = tmp_path / "model.weights.h5"
    bert.save_weights(file)
    config = ModelConfig.model_validate_json(bert.config.model_dump_json())
    again = models.build_model(bert.spec, config)
    again.load_weights(file)
    np.testing.assert_array_equal(_last(again, inputs), _last(bert, inputs))
    state = bert(inputs)["state"]
    np.testing.assert_array_equal(again.item_logits(state), bert.item_logits(state))


# --- BERT4Rec: the training


@pytest.fixture
def hide(bert: NextItemModel, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Decides which places the next training steps hide, instead of chance."""

    def decide(hidden: np.ndarray) -> None:
        monkeypatch.setattr(bert.masked_items, "choose", lambda segment, share: tf.constant(hidden) & (segment > 0))

    return decide


def _masked_loss(model: NextItemModel, batch: tuple[dict, dict]) -> float:
    return float(model.step_losses(*batch, training=False)["loss"])


def test_a_hidden_item_is_a_label_and_no_input(
    bert: NextItemModel, users: list[User], hide: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another item at a hidden place leaves the states as they are; at a visible place it does not."""
    states = []
    monkeypatch.setattr(bert, "item_loss", lambda state, items, weights: states.append(state.numpy()) or tf.zeros([]))
    hide(np.arange(8)[None] == 3)
    inputs, targets = left_padded(bert.spec, users[:1])
    for place in (None, 3, 4):
        items = targets["item"].numpy()
        if place is not None:
            items[0, place] = items[0, place] % ITEMS + FIRST
        bert.step_losses(inputs, {**targets, "item": tf.constant(items)}, training=False)
    np.testing.assert_array_equal(states[1], states[0])
    assert np.abs(states[2] - states[0])[0, 3].max() > 1e-3  # from a later place: both sides are seen


def test_only_hidden_places_count(bert: NextItemModel, users: list[User], hide: Any) -> None:
    hidden = np.arange(8)[None] % 3 == 1
    hide(hidden)
    inputs, targets = left_padded(bert.spec, users)
    elsewhere = {**targets, "weight": tf.where(hidden, targets["weight"], 7.0)}
    at_them = {**targets, "weight": targets["weight"] * np.where(np.arange(8) == 4, 5, 1).astype(np.float32)}
    loss = _masked_loss(bert, (inputs, targets))
    assert _masked_loss(bert, (inputs, elsewhere)) == pytest.approx(loss, rel=1e-6)
    assert abs(_masked_loss(bert, (inputs, at_them)) - loss) > 1e-3


def test_packing_changes_no_training_loss(bert: NextItemModel, users: list[User], hide: Any) -> None:
    hide(np.array([[False, True, True, False, False]]))
    apart = _masked_loss(bert, lay_out(bert.spec, [[(0, users[1])], [(0, users[2])]], 5))
    hide(np.array([[False, False, True, True, False, False, True, True, False]]))
    together = _masked_loss(bert, lay_out(bert.spec, [[(1, users[1]), (6, users[2])]], 9, garbage=True))
    # hidden: places 1 and 2 of both users, but with the second one 0 and 1: so that user's are moved by one
    hide(np.array([[False, False, True, True, False, False, False, True, True]]))
    moved = _masked_loss(bert, lay_out(bert.spec, [[(1, users[1]), (6, users[2])]], 9, garbage=True))
    assert moved == pytest.approx(apart, rel=1e-4)
    assert abs(together - apart) > 1e-3


def test_the_share_that_is_hidden(spec: DataSpec, users: list[User], monkeypatch: pytest.MonkeyPatch) -> None:
    """Anew in each step, a share ``mask_share`` of the places."""
    model = build_model(spec, variant="BERT4Rec", mask_share=0.8)
    masks = []
    call = type(model.masked_items).call

    def record(layer: Any, vectors: tf.Tensor, hidden: tf.Tensor) -> tf.Tensor:
        masks.append(hidden.numpy())
        return call(layer, vectors, hidden)

    monkeypatch.setattr(model.masked_items, "call", record.__get__(model.masked_items))
    batch = left_padded(spec, [users[0]] * 200)
    for _ in range(2):
        model.step_losses(*batch, training=True)
    assert len(masks) == 2
    for mask in masks:
        assert abs(mask.mean() - 0.8) < 0.04  # 4 standard deviations of 1600 draws
    assert (masks[0] != masks[1]).mean() > 0.2  # 0.32 of independent masks


# --- learning: item i is followed by item i + 1, the last by the first


def _chain(spec: DataSpec) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
    """A row from each item on."""
    rows = []
    for first in range(ITEMS):
        user = random_user(spec, 8, seed=first)
        items = (first + np.arange(9)) % ITEMS + FIRST
        rows.append({**user, "item_id": items[:-1].astype(np.int32), "target/item": items[1:].astype(np.int32)})
    return left_padded(spec, rows)


def _learner(**config: Any) -> tuple[NextItemModel, tuple[dict, dict]]:
    tf.keras.utils.set_random_seed(1)
    spec = build_spec(event_features=[], item_features=[], intents=[], duration_weight=None)
    size = {"dim": 16, "item_blocks": 1, "expansion": 2, "dropout": 0, "random_oov": 0, "hidden_window": None}
    model = models.build_model(spec, ModelConfig(**size, **config))
    inputs, targets = _chain(spec)
    return model, ({name: inputs[name] for name in ("segment", "item_id", "timestamp", "next_timestamp")}, targets)


def _fit(model: NextItemModel, batch: tuple[dict, dict], steps: int, optimizer: Any = None) -> list[float]:
    """Mean loss of each tenth of the steps."""
    model.compile(optimizer=optimizer or tf.keras.optimizers.Adam(5e-3), jit_compile=False)
    data = tf.data.Dataset.from_tensors(batch).repeat(steps // 10)
    return model.fit(data, epochs=10, verbose=0).history["loss"]


def _full_loss(model: NextItemModel, batch: tuple[dict, dict]) -> float:
    """Of the last place over all items, whatever the model is trained with."""
    logits = model.item_logits(model(batch[0])["state"][:, -1])
    return float(weighted_cross_entropy(logits, batch[1]["item"][:, -1], batch[1]["weight"][:, -1]))


@pytest.mark.parametrize("variant", ["SASRec", "GRU", "TransAct", "TwoTower"])
def test_a_chain_of_items_is_learnt(variant: str) -> None:
    model, batch = _learner(variant=variant)
    before = _full_loss(model, batch)
    assert before > 0.8 * np.log(ITEMS)
    losses = _fit(model, batch, 100)
    assert losses[-1] < 0.05
    assert _full_loss(model, batch) < 0.05


def test_bert4rec_learns_the_chain_from_its_gaps() -> None:
    model, batch = _learner(variant="BERT4Rec")
    before = _full_loss(model, batch)
    losses = _fit(model, batch, 300)
    assert losses[-1] < 0.5 * losses[0]
    assert _full_loss(model, batch) < 0.5 * before


@pytest.mark.parametrize(
    ("variant", "tied", "steps", "left"),
    [("SASRec", True, 100, 0.1), ("GRU", False, 100, 0.1), ("BERT4Rec", True, 250, 0.8), ("TwoTower", True, 100, 0.1)],
)
def test_sampled_negatives_teach_it_too(
    variant: str, tied: bool, steps: int, left: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With every table treated as a large one: rows alone are computed, and updated."""
    monkeypatch.setattr(item_embedding, "SMALL_CATALOGUE", 4)
    model, batch = _learner(variant=variant, negatives=6, tied=tied)
    before = _full_loss(model, batch)
    losses = _fit(model, batch, steps, LazyAdam(5e-3, large=10, global_clipnorm=5.0))
    assert np.isfinite(losses).all()
    assert _full_loss(model, batch) < left * before


@pytest.mark.parametrize("tied", [True, False])
def test_the_loss_with_negatives_by_hand(users: list[User], tied: bool) -> None:
    """The true item against the drawn ones, each as often as drawn over as often as expected, hits left out."""
    model = build_model(build_spec(intents=[]), variant="SASRec", negatives=30, tied=tied)
    inputs, targets = left_padded(model.spec, users)
    state, items, weights = model(inputs)["state"], targets["item"].numpy(), targets["weight"].numpy()
    found = float(model.item_loss(state, targets["item"], targets["weight"]))
    model.sampler.draws.assign(0)
    rows, log_expected = (values.numpy() for values in model.sampler(tf.zeros([0], tf.int32)))
    prior = model.spec.item_prior  # half of the 30 by their share in training, half among 12
    np.testing.assert_allclose(np.exp(log_expected), 15 * prior[rows] / prior.sum() + 15 / 12, rtol=1e-5)
    logits = model.item_logits(state).numpy().astype(np.float64)
    losses = np.zeros(items.shape)
    for place in zip(*np.nonzero(weights), strict=True):
        true = np.exp(logits[place][items[place]])
        terms = np.exp(logits[place][rows] - log_expected)[rows != items[place]]
        losses[place] = -np.log(true / (true + terms.sum()))
    assert found == pytest.approx((weights * losses).sum() / weights.sum(), rel=1e-4)


def test_losses_with_negatives_ignore_padding(users: list[User]) -> None:
    """Weightless places add nothing, and a batch of nothing else costs nothing."""
    model = build_model(build_spec(intents=[]), variant="GRU", negatives=5)
    inputs, targets = left_padded(model.spec, users)
    state = model(inputs)["state"]
    wild = tf.where(targets["weight"][..., None] == 0, 50.0, state)
    found = []
    for values, items in ((state, targets["item"]), (wild, tf.where(targets["weight"] == 0, 5, targets["item"]))):
        model.sampler.draws.assign(0)
        found.append(float(model.item_loss(values, items, targets["weight"])))
    assert found[1] == pytest.approx(found[0], rel=1e-5)
    assert float(model.item_loss(state, tf.ones_like(targets["item"]), targets["weight"])) == 0


def test_keras_evaluate_speaks_of_the_same_losses(baselines: dict[str, NextItemModel], users: list[User]) -> None:
    model = baselines["GRU"]
    batch = left_padded(model.spec, users)
    model.compile()
    found = model.evaluate(tf.data.Dataset.from_tensors(batch), return_dict=True, verbose=0)
    for name, value in model.losses_of(model(batch[0]), batch[1]).items():
        np.testing.assert_allclose(found[name], value, rtol=1e-4)


def test_outputs_by_name(baselines: dict[str, NextItemModel], users: list[User]) -> None:
    """Models without intents give a state alone."""
    for variant in ("SASRec", "BERT4Rec", "TwoTower"):
        model = baselines[variant]
        assert set(flat(model(left_padded(model.spec, users)[0]))) == {"state"}


@pytest.mark.parametrize("variant", BASELINES)
def test_half_precision_trains(
    spec: DataSpec, users: list[User], variant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the way of large catalogues."""
    monkeypatch.setattr(item_embedding, "SMALL_CATALOGUE", 4)
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        model = models.build_model(spec, ModelConfig(variant=variant, dim=8, item_blocks=1, negatives=4))
        model.compile(optimizer=LazyAdam(1e-2, large=10), jit_compile=False, run_eagerly=True)
        found = model.train_on_batch(*left_padded(spec, users), return_dict=True)
        assert all(np.isfinite(value) for value in found.values())
        for weight in model.trainable_variables:
            assert weight.dtype == tf.float32
            assert np.isfinite(weight).all()
    finally:
        tf.keras.mixed_precision.set_global_policy("float32")
