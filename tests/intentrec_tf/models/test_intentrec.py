"""What sets the variants apart, training, and mistakes."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import tensorflow as tf

from intentrec_tf.data_spec import DataSpec
from intentrec_tf.models import IntentRec, ModelConfig, NextItemModel
from tests.support import SCHEMA, WINDOW, User, build_model, build_spec, lay_out, left_padded, random_user


@pytest.fixture(scope="module")
def models(spec: DataSpec) -> dict[str, NextItemModel]:
    """One model a variant; tests leave its weights alone."""
    plain = {variant: build_model(spec, variant=variant) for variant in ("V0", "V1", "V2", "V3")}
    return {**plain, "V1 with history_mean": build_model(spec, variant="V1", history_mean=True)}


@pytest.mark.parametrize(
    ("variant", "encoders"),
    [
        ("V0", {"item_encoder"}),
        ("V1", {"item_encoder"}),
        ("V2", {"intent_encoder", "item_encoder"}),
        ("V3", {"short_term_encoder", "intent_encoder", "item_encoder"}),
    ],
)
def test_encoders_of_each_variant(models: dict[str, NextItemModel], variant: str, encoders: set[str]) -> None:
    model = models[variant]
    assert {layer.name for layer in model.layers if layer.name.endswith("_encoder")} == encoders


@pytest.mark.parametrize("variant", ["V1", "V2", "V3"])
def test_the_item_loss_trains_the_intent_heads_through_z(
    models: dict[str, NextItemModel], users: list[User], variant: str
) -> None:
    model = models[variant]
    inputs, targets = left_padded(model.spec, users)
    heads = [weight for weight in model.trainable_variables if weight.name.endswith("kernel:0") and _is_head(weight)]
    assert len(heads) == 7
    with tf.GradientTape() as tape:
        loss = model.losses_of(model(inputs), targets)["item_loss"]
    for gradient in tape.gradient(loss, heads):
        if variant == "V1":
            assert gradient is None  # heads side by side
        else:
            assert gradient is not None
            assert np.abs(gradient).max() > 1e-6


def _is_head(weight: tf.Variable) -> bool:
    return any(weight.name.split("/")[0].endswith(f"intent.{name}") for name in build_spec().schema.intent_names)


def _times(user: User, gaps: list[int]) -> User:
    times = 1_600_000_000 + np.cumsum([*gaps, 60])
    return {**user, "timestamp": times[:-1], "next_timestamp": times[1:]}


@pytest.mark.parametrize(("older", "changes"), [(WINDOW, True), (WINDOW + 1, False)])
def test_short_term_state_reads_its_window_only(models: dict[str, NextItemModel], older: int, changes: bool) -> None:
    model = models["V3"]
    spec = model.spec
    short = tf.keras.Model(model.inputs, model.get_layer("short_term_encoder").output)
    user = _times(random_user(spec, 3, seed=1), [0, older - 30, 30])
    other = {**user, "item_id": np.r_[user["item_id"][0] % 12 + 2, user["item_id"][1:]].astype(np.int32)}
    before, after = (
        short([lay_out(spec, [[(0, u)]], 3)[0][i.name.removeprefix("input.")] for i in model.inputs]).numpy()
        for u in (user, other)
    )
    assert (np.abs(after[0, 2] - before[0, 2]).max() > 1e-3) == changes
    assert np.abs(after[0, 1] - before[0, 1]).max() > 1e-3  # the second event is within the window of the first


def test_the_window_length_has_an_effect(models: dict[str, NextItemModel], users: list[User]) -> None:
    model = models["V3"]
    inputs, _ = left_padded(model.spec, users)
    longer = build_model(build_spec(short_term_window="7d"), variant="V3")
    longer.set_weights(model.get_weights())
    assert np.abs(longer(inputs)["state"] - model(inputs)["state"]).max() > 0.01


@pytest.mark.parametrize("variant", ["V1", "V2", "V3"])
def test_the_intent_model_is_the_same_function(
    models: dict[str, NextItemModel], users: list[User], variant: str
) -> None:
    model = models[variant]
    inputs, _ = left_padded(model.spec, users)
    full, part = model(inputs), model.intent_model(inputs)
    for name in model.spec.schema.intent_names:
        np.testing.assert_allclose(part["intents"][name], full["intents"][name], rtol=1e-5, atol=1e-6)
    names = {layer.name for layer in model.intent_model.layers}
    assert ("item_encoder" in names) == (variant == "V1")


@pytest.mark.parametrize("variant", ["V0", "V1", "V2", "V3", "V1 with history_mean"])
def test_the_newest_event_alone_has_the_same_answer(
    models: dict[str, NextItemModel], users: list[User], variant: str, tmp_path: Path
) -> None:
    model = models[variant]
    model.save_weights(tmp_path / "before.weights.h5")
    inputs, _ = left_padded(model.spec, users)
    full, alone = model(inputs), model.newest_model()(inputs)
    assert alone["state"].shape[1] == 1
    pairs = [("state", full, alone)]
    if variant != "V0":
        intents = model.newest_intent_model()(inputs)
        assert set(intents) == set(model.intent_model.output)
        assert all(logits.shape[1] == 1 for logits in intents["intents"].values())
        pairs += [(name, full["probabilities"], intents["probabilities"]) for name in intents["probabilities"]]
        pairs += [(name, full, intents) for name in ("embedding", "attention") if name in intents]
    for name, expected, found in pairs:
        np.testing.assert_allclose(found[name][:, -1], expected[name][:, -1], rtol=1e-4, atol=1e-5, err_msg=name)
    model.save_weights(tmp_path / "after.weights.h5")  # the layout of the file stays, and nothing is in it twice
    assert stored(tmp_path / "after.weights.h5") == stored(tmp_path / "before.weights.h5")


def stored(file: Path) -> list[str]:
    names: list[str] = []
    with h5py.File(file) as opened:
        opened.visit(names.append)
    return names


def test_with_a_repeat_head_every_state_is_needed(users: list[User]) -> None:
    model = build_model(build_spec(), variant="V2", repeat=True)
    assert model.newest_model() is model
    assert model.newest_intent_model() is not model.intent_model


def test_without_intents_there_is_no_intent_model(models: dict[str, NextItemModel]) -> None:
    assert models["V0"].intent_model is None


def test_four_sequences_are_learnt_by_heart() -> None:
    spec = build_spec(intents=[intent for intent in SCHEMA["intents"] if intent["name"] in ("what", "mood")])
    users = [random_user(spec, 8, seed) for seed in range(4)]
    batch = left_padded(spec, users)
    tf.keras.utils.set_random_seed(0)
    size = {"dim": 32, "dropout": 0, "random_oov": 0, "item_blocks": 1, "tied": False}
    model = IntentRec(spec, ModelConfig(variant="V3", **size))
    model.compile(optimizer=tf.keras.optimizers.Adam(1e-2), jit_compile=False)
    data = tf.data.Dataset.from_tensors(batch).repeat(40)
    history = model.fit(data, epochs=2, verbose=0).history
    assert set(history) == {"loss", "item_loss", "what_loss", "mood_loss"}
    last = model.losses_of(model(batch[0]), batch[1])
    assert float(last["item_loss"]) < 0.15 * np.log(12)
    assert history["loss"][1] < 0.3 * history["loss"][0]


def test_lambda_per_intent(spec: DataSpec, users: list[User]) -> None:
    model = build_model(spec, variant="V2", intent_weight={"what": 2.0, "mood": 0.5})
    inputs, targets = left_padded(spec, users)
    parts = {name: float(value) for name, value in model.losses_of(model(inputs), targets).items()}
    expected = parts["item_loss"] + 2 * parts["what_loss"] + 0.5 * parts["mood_loss"]
    assert parts["loss"] == pytest.approx(expected, rel=1e-5)


def test_auxiliary_heads_count_in_the_loss_alone(spec: DataSpec, users: list[User]) -> None:
    """They add lambda times their own losses; nothing that is asked for at serving changes."""
    inputs, targets = left_padded(spec, users)
    model = build_model(spec, variant="V2", auxiliary=True, intent_weight=0.5)
    outputs = model(inputs)
    found = {name: float(value) for name, value in model.losses_of(outputs, targets).items()}
    swapped = model.losses_of({**outputs, "intents": outputs["auxiliary"], "auxiliary": {}}, targets)
    heads = [f"{name}_loss" for name in spec.schema.intent_names]
    both = sum(found[name] + float(swapped[name]) for name in heads)
    assert found["loss"] == pytest.approx(found["item_loss"] + 0.5 * both, rel=1e-5)
    assert not [w.name for w in model.intent_model.trainable_variables if "auxiliary" in w.name]
    assert "auxiliary" not in model.intent_model.output


def test_labels_of_a_category_intent_come_from_the_target_item(models: dict[str, NextItemModel]) -> None:
    model = models["V1"]
    spec = model.spec
    labels = model.intent_labels("mood", {"item": tf.constant([[0, 1, 2, 3, 13]])}).numpy()[0]
    assert not labels[[0, 1, 4]].any()  # padding, OOV and the last item, which has no genre
    for row in (2, 3):
        genres = {genre - 2 for genre in spec.catalogue["genre"][row] if genre >= 2}
        assert set(np.flatnonzero(labels[row])) == genres


@pytest.mark.parametrize("variant", ["V1", "V2", "V3"])
def test_intents_must_be_declared(variant: str) -> None:
    with pytest.raises(ValueError, match=f"variant {variant} predicts intents, but schema 'synthetic' declares none"):
        IntentRec(build_spec(intents=[]), ModelConfig(variant=variant))


def test_item_only_needs_neither_features_nor_intents(users: list[User]) -> None:
    spec = build_spec(event_features=[], item_features=[], intents=[], duration_weight=None)
    model = build_model(spec, variant="V0")
    inputs, targets = left_padded(spec, users)
    inputs = {name: inputs[name] for name in ("segment", "item_id", "timestamp", "next_timestamp")}
    assert np.isfinite(model.losses_of(model(inputs), targets)["loss"])


@pytest.mark.parametrize("name", ["time", "features", "encoder", "input", "event_seconds", "sequence_mask"])
def test_names_of_features_and_intents_never_meet_names_of_layers(name: str) -> None:
    features = [{"name": "action", "kind": "categorical"}, {"name": "seconds", "kind": "numeric"}]
    intents = [{"name": name, "derive": "column", "column": "action"}]
    spec = build_spec(event_features=[*features, {"name": "extra", "kind": "numeric"}], intents=[])
    values = {**spec.schema.to_dict(), "intents": intents, "duration_weight": None}
    values["event_features"][2]["name"] = name
    renamed = DataSpec(
        schema=type(spec.schema).parse(values),
        items=spec.items,
        vocabularies=spec.vocabularies,
        catalogue=spec.catalogue,
        intent_labels={name: ("browse", "buy", "play")},
        numeric_ranges={**spec.numeric_ranges, name: (0.0, 1.0)},
    )
    IntentRec(renamed, ModelConfig(variant="V3", dim=8))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"dimm": 3}, "Extra inputs"),
        ({"dim": 10, "heads": 4}, "heads 4 must divide dim 10"),
        ({"variant": "V4"}, "'V0', 'V1', .* 'BERT4Rec', 'GRU', 'LSTM', 'Transformer', 'TransAct' or 'TwoTower'"),
        ({"dropout": 1.0}, "less than 1"),
        ({"history_mean": True, "tied": False}, "history_mean needs tied"),
    ],
)
def test_configuration_mistakes(values: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ModelConfig(**values)


def test_half_precision_trains(spec: DataSpec, users: list[User]) -> None:
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        model = IntentRec(spec, ModelConfig(variant="V3", dim=16))
        batch = left_padded(spec, users)
        model.compile(optimizer="adam", jit_compile=False, run_eagerly=True)
        assert all(np.isfinite(value).all() for value in model.train_on_batch(*batch, return_dict=True).values())
        for weight in model.trainable_variables:
            assert weight.dtype == tf.float32
            assert np.isfinite(weight).all()
    finally:
        tf.keras.mixed_precision.set_global_policy("float32")


def test_keras_evaluate_gives_the_losses() -> None:
    """``model.evaluate`` and ``fit(validation_data=...)`` speak of the same losses as training, without dropout."""
    model = build_model(build_spec(), variant="V3")
    batch = left_padded(model.spec, [random_user(model.spec, 8, seed) for seed in range(3)])
    model.compile()
    found = model.evaluate(tf.data.Dataset.from_tensors(batch), return_dict=True, verbose=0)
    expected = model.losses_of(model(batch[0], training=False), batch[1])
    assert set(found) == set(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-5)
