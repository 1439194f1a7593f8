"""The repeat head in the models: probabilities, loss, gradients, who has it."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intentrec_tf.models import ModelConfig, NextItemModel, next_item_model
from intentrec_tf.models.repeats import repeats
from tests.support import User, build_model, build_spec, left_padded


@pytest.fixture(scope="module", params=["V0", "V3"])
def model(request: pytest.FixtureRequest) -> NextItemModel:
    return build_model(build_spec(exclude_seen=False), variant=request.param)


@pytest.mark.parametrize("variant", ["V0", "V3", "SASRec", "GRU"])
def test_intentrec_has_it_where_seen_items_may_come_again(variant: str) -> None:
    own = variant.startswith("V")
    assert repeats(build_spec(exclude_seen=False), ModelConfig(variant=variant)) == own
    assert not repeats(build_spec(), ModelConfig(variant=variant))
    assert repeats(build_spec(), ModelConfig(variant=variant, repeat=True))
    assert not repeats(build_spec(exclude_seen=False), ModelConfig(variant=variant, repeat=False))


def test_probabilities_are_the_mixture(model: NextItemModel, users: list[User]) -> None:
    inputs, _ = left_padded(model.spec, users)
    outputs = model(inputs)
    found = model.item_probabilities(model.newest(outputs)).numpy()
    softmax = tf.nn.softmax(model.item_logits(outputs["state"][:, -1])).numpy()
    again = 1 / (1 + np.exp(-outputs["repeat"]["share"].numpy()[:, -1]))
    pointer = tf.nn.softmax(outputs["repeat"]["pointer"][:, -1]).numpy()
    for b in range(len(users)):
        expected = (1 - again[b]) * softmax[b]
        for item, weight in zip(inputs["item_id"][b].numpy(), pointer[b], strict=True):
            if item >= 2:
                expected[item] += again[b] * weight
        np.testing.assert_allclose(found[b], expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.sum(1), 1, rtol=1e-5)


def test_in_pieces_it_is_the_same(model: NextItemModel, users: list[User], monkeypatch: pytest.MonkeyPatch) -> None:
    question = model.newest(model(left_padded(model.spec, users)[0]))
    whole = model.item_probabilities(question)
    monkeypatch.setattr(next_item_model, "AT_ONCE", 5)  # the normaliser in pieces of 5 of 14 rows
    scorer = model.item_scorer(question)
    pieces = tf.concat([scorer(start, min(start + 4, 14)) for start in range(0, 14, 4)], axis=1)
    np.testing.assert_allclose(pieces, whole, rtol=1e-4, atol=1e-6)


def test_the_loss_is_that_of_the_probabilities(model: NextItemModel, users: list[User]) -> None:
    """At the last place of every user, where probabilities can be asked for."""
    inputs, targets = left_padded(model.spec, users)
    last = np.zeros(targets["weight"].shape, np.float32)
    last[:, -1] = targets["weight"][:, -1]
    targets = {**targets, "weight": tf.constant(last)}
    outputs = model(inputs)
    found = float(model.losses_of(outputs, targets)["item_loss"])
    p = model.item_probabilities(model.newest(outputs)).numpy()[np.arange(len(users)), targets["item"][:, -1].numpy()]
    assert found == pytest.approx(float(-(last[:, -1] * np.log(p)).sum() / last[:, -1].sum()), rel=1e-4)


@pytest.mark.parametrize("negatives", [None, 6])
def test_every_part_of_the_head_learns(users: list[User], negatives: int | None) -> None:
    model = build_model(build_spec(exclude_seen=False), variant="V3", negatives=negatives)
    inputs, targets = left_padded(model.spec, users)
    targets = {**targets, "item": tf.roll(inputs["item_id"], 2, axis=1)}  # repeats
    with tf.GradientTape() as tape:
        loss = model.step_losses(inputs, targets, training=True)["item_loss"]
    head = model.get_layer("repeat_head")
    for gradient, weight in zip(tape.gradient(loss, head.trainable_weights), head.trainable_weights, strict=True):
        assert float(tf.reduce_max(tf.abs(gradient))) > 1e-6, weight.name


@pytest.mark.parametrize("variant", ["BERT4Rec", "TransAct"])
def test_some_cannot_have_it(variant: str) -> None:
    with pytest.raises(ValueError, match="repeat"):
        build_model(build_spec(), variant=variant, repeat=True)
