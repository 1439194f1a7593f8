"""What every variant and option keeps, and every baseline that reads histories from left to right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from intentrec_tf import models
from intentrec_tf.data_spec import DataSpec
from intentrec_tf.layers import ItemHead
from intentrec_tf.models import ModelConfig, NextItemModel
from tests.support import User, build_model, build_spec, cut, flat, lay_out, left_padded, random_user

CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "V0": ({"variant": "V0"}, {}),
    "V1": ({"variant": "V1"}, {}),
    "V2": ({"variant": "V2"}, {}),
    "V3": ({"variant": "V3"}, {}),
    "V3-untied-cosine": ({"variant": "V3", "tied": False, "similarity": "cosine"}, {}),
    "V3-sigmoid": ({"variant": "V3", "multi_label_loss": "sigmoid", "short_term_blocks": 2}, {}),
    "V2-position": ({"variant": "V2", "time_encoding": "position"}, {}),
    "V2-no-request-time": ({"variant": "V2"}, {"request_time": False}),
    "V0-position-no-request-time": (
        {"variant": "V0", "time_encoding": "position", "distances": False, "gated": False},
        {"request_time": False},
    ),
    "V3-repeats": ({"variant": "V3"}, {"exclude_seen": False}),
    "V3-auxiliary": ({"variant": "V3", "auxiliary": True}, {}),
    "V1-history-mean": ({"variant": "V1", "history_mean": True}, {}),
    "V3-history-mean-repeats": ({"variant": "V3", "history_mean": True}, {"exclude_seen": False}),
    "SASRec": ({"variant": "SASRec"}, {}),
    "GRU": ({"variant": "GRU"}, {}),
    "LSTM": ({"variant": "LSTM", "item_blocks": 1}, {"request_time": False}),
    "Transformer": ({"variant": "Transformer", "item_blocks": 1}, {}),
    "TransAct": ({"variant": "TransAct"}, {}),
    "TwoTower": ({"variant": "TwoTower", "temperature": 0.5}, {}),
}
IDS_ALONE = ("SASRec", "GRU", "LSTM", "Transformer", "TwoTower")
WITHOUT_INTENTS = ("V0", "SASRec", "TwoTower")
CLOSE = {"rtol": 2e-4, "atol": 2e-5}


@pytest.fixture(scope="module", params=list(CASES))
def model(request: pytest.FixtureRequest) -> NextItemModel:
    config, schema = CASES[request.param]
    return build_model(build_spec(**schema), **config)


def _close(actual: np.ndarray, expected: np.ndarray, where: str) -> None:
    np.testing.assert_allclose(actual, expected, **CLOSE, err_msg=where)


def _cut(name: str, values: np.ndarray, row: int, start: int, count: int) -> np.ndarray:
    """An output at so many places of a row; which event is pointed at counts from the first of them."""
    places = slice(start, start + count)
    return values[row, places, places] if name == "repeat/pointer" else values[row, places]


@pytest.mark.parametrize(("start", "length", "garbage"), [(3, 8, False), (0, 8, False), (2, 11, True), (0, 13, True)])
def test_padding_changes_nothing(
    model: NextItemModel, users: list[User], start: int, length: int, garbage: bool
) -> None:
    """Left, right or both sides, of any amount and content."""
    alone_inputs, alone_targets = lay_out(model.spec, [[(0, users[1])]], 5)
    inputs, targets = lay_out(model.spec, [[(start, users[1])]], length, garbage)
    alone, padded = model(alone_inputs), model(inputs)
    for name, expected in flat(alone).items():
        _close(_cut(name, flat(padded)[name], 0, start, 5), expected[0], name)
    expected_losses = model.losses_of(alone, alone_targets)
    for name, value in model.losses_of(padded, targets).items():
        _close(value, expected_losses[name], name)
    assert all(np.isfinite(values).all() for values in flat(padded).values())


def test_packing_changes_nothing(model: NextItemModel, users: list[User]) -> None:
    """Users that share a row do not see each other, and the batch's losses are the same."""
    apart = [[(0, users[1])], [(4, users[2])], [(7, users[3])]]
    alone_inputs, alone_targets = lay_out(model.spec, apart, 8)
    together_inputs, together_targets = lay_out(model.spec, [[(1, users[2]), (4, users[3]), (5, users[1])]], 11)
    alone, together = model(alone_inputs), model(together_inputs)
    for name, values in flat(together).items():
        expected = flat(alone)[name]
        for place, row, first, count in ((5, 0, 0, 5), (1, 1, 4, 3), (4, 2, 7, 1)):
            _close(_cut(name, values, 0, place, count), _cut(name, expected, row, first, count), name)
    expected_losses = model.losses_of(alone, alone_targets)
    for name, value in model.losses_of(together, together_targets).items():
        _close(value, expected_losses[name], name)


@pytest.mark.parametrize("step", [0, 3, 6])
def test_the_future_is_masked(model: NextItemModel, users: list[User], step: int) -> None:
    """Other events after ``step`` (items, features, times) leave every step up to it as it was."""
    other = random_user(model.spec, 8, seed=99)
    changed = {name: np.concatenate([users[0][name][: step + 1], other[name][step + 1 :]]) for name in other}
    before = flat(model(lay_out(model.spec, [[(0, users[0])]], 8)[0]))
    after = flat(model(lay_out(model.spec, [[(0, changed)]], 8)[0]))
    for name, expected in before.items():
        _close(after[name][:, : step + 1], expected[:, : step + 1], name)
    assert np.abs(after["state"][:, step + 1 :] - before["state"][:, step + 1 :]).max() > 0.01


@pytest.mark.parametrize("column", ["item_id", "timestamp", "action", "tags", "seconds", "next_timestamp"])
def test_every_input_matters_from_its_own_step_on(model: NextItemModel, users: list[User], column: str) -> None:
    """One column of one event changes; steps before stay, this step moves (unless the column is not read)."""
    unread = {"next_timestamp"} if not model.spec.schema.request_time else set()
    if unread and model.config.time_encoding == "position":
        unread.add("timestamp")
    if model.config.variant in IDS_ALONE:
        unread = {"timestamp", "action", "tags", "seconds", "next_timestamp"}
    if model.config.variant == "TransAct":
        unread = {"timestamp", "next_timestamp"}
    values = users[0][column].copy()
    change = {"item_id": lambda v: v % 12 + 2, "seconds": lambda v: 600 - np.nan_to_num(v, nan=-1)}
    values[4] = change.get(column, lambda v: v + 4000 if "time" in column else (v + 1) % 5)(values[4])
    before = flat(model(lay_out(model.spec, [[(0, users[0])]], 8)[0]))
    after = flat(model(lay_out(model.spec, [[(0, {**users[0], column: values})]], 8)[0]))
    for name, expected in before.items():
        _close(after[name][:, :4], expected[:, :4], name)
    assert (np.abs(after["state"][:, 4] - before["state"][:, 4]).max() > 1e-4) == (column not in unread)


def test_batch_order_does_not_matter(model: NextItemModel, users: list[User]) -> None:
    order = np.array([2, 0, 3, 1])
    inputs, targets = left_padded(model.spec, users)
    shuffled = {name: tf.gather(values, order) for name, values in inputs.items()}
    before = flat(model(inputs))
    for name, values in flat(model(shuffled)).items():
        _close(values, before[name][order], name)
    expected = model.losses_of(model(inputs), targets)
    found = model.losses_of(model(shuffled), {name: tf.gather(values, order) for name, values in targets.items()})
    for name, value in found.items():
        _close(value, expected[name], name)


def test_outputs(model: NextItemModel, users: list[User]) -> None:
    inputs, _ = left_padded(model.spec, users)
    outputs = model(inputs)
    variant = model.config.variant
    assert outputs["state"].shape == (4, 8, 16)
    assert model.item_logits(outputs["state"]).shape == (4, 8, 14)
    assert set(outputs["intents"]) == (set() if variant in WITHOUT_INTENTS else set(model.spec.schema.intent_names))
    for name, logits in outputs["intents"].items():
        assert logits.shape == (4, 8, len(model.spec.intent_labels[name]))
    if variant in ("V2", "V3"):
        assert outputs["embedding"].shape == (4, 8, 6)
        np.testing.assert_allclose(tf.reduce_sum(outputs["attention"], -1), np.ones((4, 8)), rtol=1e-5)
    else:
        assert not {"embedding", "attention"} & set(outputs)
    assert model.hierarchical == (variant in ("V2", "V3"))
    assert (model.intent_model is None) == (variant in WITHOUT_INTENTS)


def test_losses_ignore_padding_and_weight_zero(model: NextItemModel, users: list[User]) -> None:
    """Garbage targets there, and wild states, change no loss."""
    dropped = dict(users[0])
    dropped["target/weight"] = np.where(np.arange(8) == 5, 0, dropped["target/weight"]).astype(np.float32)
    inputs, targets = left_padded(model.spec, [dropped, *users[1:]])
    outputs = model(inputs)
    unused = targets["weight"] == 0
    rng = np.random.default_rng(0)
    wild_targets = {
        name: tf.where(unused, tf.cast(rng.integers(0, 2, unused.shape), values.dtype), values)
        for name, values in targets.items()
        if name != "weight"
    }
    wild = tf.nest.map_structure(
        lambda x: tf.where(unused[..., None] if x.shape.rank == 3 else unused, x * -7 + 3, x), dict(outputs)
    )
    found = model.losses_of(wild, {**wild_targets, "weight": targets["weight"]})
    for name, expected in model.losses_of(outputs, targets).items():
        _close(found[name], expected, name)
        assert np.isfinite(expected)


def test_unknown_target_item_gives_no_loss(model: NextItemModel, users: list[User]) -> None:
    """OOV (row 1) and padding (row 0) targets count neither for the item nor for its category intent."""
    inputs, targets = left_padded(model.spec, users[:1])
    outputs = model(inputs)
    odd = tf.constant([[0, 1, 0, 1, 0, 1, 0, 1]]) == 1
    unknown = {**targets, "item": tf.where(odd, tf.constant([[0, 0, 0, 1, 0, 1, 0, 1]]), targets["item"])}
    unweighted = {**targets, "weight": tf.where(odd, 0.0, targets["weight"])}
    found, expected = model.losses_of(outputs, unknown), model.losses_of(outputs, unweighted)
    for name in {"item_loss", "mood_loss"} & set(found):
        _close(found[name], expected[name], name)
    none = model.losses_of(outputs, {**targets, "item": tf.ones_like(targets["item"])})
    assert float(none["item_loss"]) == 0


def test_total_is_the_item_loss_plus_lambda_times_the_intents(model: NextItemModel, users: list[User]) -> None:
    inputs, targets = left_padded(model.spec, users)
    outputs = dict(model(inputs))
    outputs.pop("auxiliary", None)  # its losses are in the total alone
    parts = {name: float(value) for name, value in model.losses_of(outputs, targets).items()}
    intents = sum(value for name, value in parts.items() if name not in ("loss", "item_loss"))
    assert parts["loss"] == pytest.approx(parts["item_loss"] + 0.3 * intents, rel=1e-5)


def test_perfect_logits_give_no_loss(model: NextItemModel, users: list[User], monkeypatch: pytest.MonkeyPatch) -> None:
    inputs, targets = left_padded(model.spec, users)
    size = model.spec.items.size
    item = tf.fill(targets["item"].shape, 3)  # row 3 has two genres, rows 2, 5, 8, .. have one
    item = tf.where(targets["item"] > 0, item - 1, 0)
    perfect = 60 * tf.one_hot(item, size)
    factors = (perfect, tf.eye(size), tf.zeros(size))
    monkeypatch.setattr(ItemHead, "factors", lambda self, state, vectors, known: factors)
    outputs = dict(model(inputs))
    targets = {**targets, "item": item}
    outputs["intents"] = {}
    outputs.pop("repeat", None)  # knows the past alone
    for name in model.spec.schema.intent_names if model.intent_model is not None else ():
        labels = model.intent_labels(name, targets)
        depth = len(model.spec.intent_labels[name])
        outputs["intents"][name] = 60 * (2 * (labels if name == "mood" else tf.one_hot(labels, depth)) - 1)
    if "auxiliary" in outputs:
        outputs["auxiliary"] = outputs["intents"]
    for name, value in model.losses_of(outputs, targets).items():
        assert float(value) < 1e-5, name


def test_rebuilt_from_configuration_and_weights(model: NextItemModel, users: list[User], tmp_path: Path) -> None:
    inputs, _ = left_padded(model.spec, users)
    file = tmp_path / "model.weights.h5"
    model.save_weights(file)
    config = ModelConfig.model_validate_json(model.config.model_dump_json())
    assert config == model.config
    again = models.build_model(model.spec, config)
    again.load_weights(file)
    expected = flat(model(inputs))
    for name, values in flat(again(inputs)).items():
        np.testing.assert_array_equal(values, expected[name], err_msg=name)
    state = model(inputs)["state"]
    np.testing.assert_array_equal(again.item_logits(state), model.item_logits(state))


def test_every_weight_learns(model: NextItemModel, users: list[User]) -> None:
    inputs, targets = left_padded(model.spec, users)
    with tf.GradientTape() as tape:
        loss = model.losses_of(model(inputs), targets)["loss"]
    for weight, gradient in zip(model.trainable_variables, tape.gradient(loss, model.trainable_variables), strict=True):
        assert gradient is not None, weight.name
        assert np.isfinite(tf.convert_to_tensor(gradient)).all(), weight.name


def test_missing_numbers_unknown_labels_and_empty_rows_are_finite(model: NextItemModel, spec: DataSpec) -> None:
    user = random_user(spec, 6, seed=3)
    user |= {"seconds": np.full(6, np.nan, np.float32), "action": np.ones(6, np.int32), "item_id": np.ones(6, np.int32)}
    inputs, _ = left_padded(model.spec, [user, cut(user, slice(0, 0))])
    outputs = model(inputs)
    assert all(np.isfinite(values).all() for values in flat(outputs).values())
    assert np.isfinite(model.item_logits(outputs["state"])).all()
