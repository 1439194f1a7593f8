"""Replaced intents reach the ranks through Z, and through Z alone."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from intentrec_tf.models import NextItemModel, build_model
from pipelines.config import RunConfig
from pipelines.evaluate import ranking_metrics, ranking_step
from pipelines.input_fn import evaluation_batches
from pipelines.prepared import PreparedData
from pipelines.reproduce.robustness import REPLACEMENTS, _labelled, _truth, robustness
from pipelines.split import TEST
from pipelines.validate import DataError


@pytest.fixture(scope="module")
def loud(prepared: PreparedData, make_config: Callable[..., RunConfig]) -> tuple[NextItemModel, PreparedData]:
    """A V2 with weights so large that every input of every layer matters."""
    config = make_config().model.model_copy(update={"intents": ("action", "genre")})
    model = build_model(prepared.spec, config)
    rng = np.random.default_rng(0)
    for weight in model.trainable_variables:
        weight.assign(rng.normal(0, 0.7, weight.shape))
    return model, prepared


def test_predicted_is_the_ordinary_evaluation_and_others_are_not(loud: tuple[NextItemModel, PreparedData]):
    model, prepared = loud
    found = robustness(model, prepared, batch=64)
    batches = evaluation_batches(prepared, TEST)
    step = ranking_step(model, batches)
    expected = ranking_metrics(np.concatenate([step(inputs, targets)["rank"] for inputs, targets in batches]))
    assert set(found) == set(REPLACEMENTS)
    for name, value in found["predicted"].items():
        assert value == pytest.approx(expected[name], abs=1e-6), name
    scores = [tuple(values.values()) for values in found.values()]
    assert len(set(scores)) == len(REPLACEMENTS), found


def test_nothing_moves_where_z_is_not_read(loud: tuple[NextItemModel, PreparedData]):
    model, prepared = loud
    before = model.get_weights()
    for name in ("item_input", "repeat_head"):  # what reads Z, behind the features or the state
        layer = model.get_layer(name)
        kernels = [weight for weight in layer.trainable_weights if weight.shape.rank == 2]
        for kernel in kernels:
            width = model.config.intent_dim
            if name == "item_input" or kernel.shape[0] == model.config.dim + width:
                kernel.assign(np.r_[kernel.numpy()[:-width], np.zeros((width, kernel.shape[1]), np.float32)])
    found = robustness(model, prepared, batch=64)
    model.set_weights(before)
    for kind in REPLACEMENTS:
        assert found[kind] == pytest.approx(found["predicted"], abs=1e-7), kind


def fake(loss: str) -> Any:
    labels = {"genre": np.array([[0, 1, 1], [0, 0, 0]], np.float32), "again": np.array([2, -1])}
    import tensorflow as tf

    return SimpleNamespace(
        intent_labels=lambda name, targets: tf.constant(labels[name]),
        spec=SimpleNamespace(intent_labels={"genre": "abc", "again": "abc"}),
        config=SimpleNamespace(multi_label_loss=loss),
    )


def test_true_labels_as_probabilities():
    """The second target carries no label; what the model predicts stays there."""
    assert _truth(fake("softmax"), "again", {}).numpy()[0].tolist() == [0, 0, 1]
    assert _truth(fake("softmax"), "genre", {}).numpy()[0].tolist() == [0, 0.5, 0.5]
    assert _truth(fake("sigmoid"), "genre", {}).numpy()[0].tolist() == [0, 1, 1]
    for name in ("genre", "again"):
        assert _labelled(fake("softmax"), name, {}).numpy().tolist() == [True, False]


def test_a_variant_without_z_is_one_sentence(prepared: PreparedData):
    flat: Any = SimpleNamespace(hierarchical=False, config=SimpleNamespace(variant="V1"))
    with pytest.raises(DataError, match=r"^variant V1 makes no intent vector; take V2 or V3\.$"):
        robustness(flat, prepared)
