"""The serving contract holds for the baselines too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from intentrec_tf.export import Signatures, save_model
from tests.support import SCHEMA, User, build_model, build_spec, cut, left_padded, raw_request

TOP = 5
INTENTS = ("again", "mood")


@pytest.mark.parametrize(
    ("variant", "intents"),
    [
        *(("SASRec", False), ("BERT4Rec", False), ("GRU", True)),
        *(("Transformer", True), ("TransAct", True), ("TwoTower", False)),
    ],
)
def test_the_saved_model_answers_as_keras_does(users: list[User], tmp_path: Path, variant: str, intents: bool) -> None:
    """Histories of 8 (a full row), 5, 3 and 1 events."""
    declared = [intent for intent in SCHEMA["intents"] if intent["name"] in INTENTS]
    model = build_model(build_spec(exclude_seen=False, intents=declared), variant=variant, item_blocks=1)
    save_model(model, tmp_path / "1", TOP)
    signatures = tf.saved_model.load(str(tmp_path / "1")).signatures
    assert set(signatures) == {"item", "rank", "embed", "serving_default"} | ({"intent"} if intents else set())
    outputs = model(left_padded(model.spec, users)[0])
    raw = raw_request(model.spec, users)

    expected = tf.nn.softmax(model.item_logits(outputs["state"][:, -1])).numpy()
    answer = {name: value.numpy() for name, value in signatures["item"](**raw).items()}
    order = np.argsort(-expected, axis=1, kind="stable")[:, :TOP]
    assert answer["item_id"].tolist() == [[model.spec.items.token(row).encode() for row in rows] for rows in order]
    np.testing.assert_allclose(answer["score"], np.take_along_axis(expected, order, 1), rtol=1e-4)

    del raw["exclude_item_id"]
    embedded = signatures["embed"](**raw)
    assert set(embedded) == {"item_state"}
    np.testing.assert_allclose(embedded["item_state"], outputs["state"][:, -1], rtol=1e-4, atol=1e-5)
    if intents:
        found = signatures["intent"](**raw)
        assert set(found) == {f"{name}/{part}" for name in INTENTS for part in ("label", "score")}
        for name in INTENTS:
            best_first = -np.sort(-outputs["probabilities"][name][:, -1].numpy())
            np.testing.assert_allclose(found[f"{name}/score"], best_first, rtol=1e-4)


@pytest.mark.parametrize("variant", ["SASRec", "BERT4Rec", "GRU", "TransAct", "TwoTower"])
def test_padding_on_the_right_and_no_history_at_all(users: list[User], variant: str) -> None:
    model = build_model(build_spec(), variant=variant)
    people = [*users, cut(users[0], slice(0, 0))]
    signatures = Signatures(model)
    left, right = (signatures.item(**raw_request(model.spec, people, side)) for side in ("left", "right"))
    np.testing.assert_array_equal(right["item_id"], left["item_id"])
    np.testing.assert_allclose(right["score"], left["score"], rtol=1e-5)
    shares = model.spec.item_prior[2:] / model.spec.item_prior.sum()
    np.testing.assert_allclose(left["score"][-1], -np.sort(-shares), rtol=1e-5)
