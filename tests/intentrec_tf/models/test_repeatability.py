"""The same seed gives the same model, bit for bit, also compiled by XLA."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intentrec_tf import models
from intentrec_tf.data_spec import DataSpec
from intentrec_tf.layers import item_embedding
from intentrec_tf.models import ModelConfig, NextItemModel
from intentrec_tf.optimizers import LazyAdam
from tests.support import SCHEMA, build_spec, left_padded, random_user


@pytest.fixture(scope="module")
def spec() -> DataSpec:
    """Little to compile: one event feature, one intent."""
    features = {"event_features": SCHEMA["event_features"][:1], "item_features": []}
    return build_spec(**features, intents=SCHEMA["intents"][:1], duration_weight=None, request_time=False)


def _built(spec: DataSpec, seed: int, **config: object) -> NextItemModel:
    tf.keras.utils.set_random_seed(seed)
    small = {"dim": 8, "intent_dim": 4, "feature_dim": 4, "item_blocks": 1, "expansion": 2, "attention_dropout": 0.1}
    model = models.build_model(spec, ModelConfig.model_validate({**small, **config}))
    model.compile(optimizer=LazyAdam(1e-2, large=10, global_clipnorm=1.0), jit_compile=True)
    return model


def _trained(model: NextItemModel) -> list[np.ndarray]:
    """Losses of some epochs, and all weights after them."""
    wanted = {tensor.name.removeprefix("input.") for tensor in model.inputs}
    users = [random_user(model.spec, 8, user) for user in range(32)]
    inputs, targets = left_padded(model.spec, users)
    inputs = {name: values for name, values in inputs.items() if name in wanted}
    data = tf.data.Dataset.from_tensor_slices((inputs, targets)).shuffle(32).batch(16, drop_remainder=True)
    losses = model.fit(data, epochs=4, verbose=0).history["loss"]
    return [np.array(losses), *model.get_weights()]


def _same(first: list[np.ndarray], second: list[np.ndarray]) -> bool:
    return all(np.array_equal(one, other) for one, other in zip(first, second, strict=True))


def _seeds(model: NextItemModel) -> list[int]:
    return [module.seed for module in model.submodules if hasattr(module, "seed")]


@pytest.mark.parametrize("variant", ["V3", "SASRec", "BERT4Rec", "GRU", "LSTM", "TransAct", "TwoTower"])
def test_a_seed_decides_the_model(spec: DataSpec, variant: str) -> None:
    """Weights, and what dropout and masks are drawn with."""
    first, again, other = (_built(spec, seed, variant=variant) for seed in (3, 3, 4))
    assert _same(first.get_weights(), again.get_weights())
    assert not _same(first.get_weights(), other.get_weights())
    assert len(_seeds(first)) > 1
    assert _seeds(first) == _seeds(again)
    assert _seeds(first) != _seeds(other)


@pytest.mark.parametrize("variant", ["V3", "BERT4Rec", "TransAct"])
def test_a_compiled_training_repeats(spec: DataSpec, variant: str) -> None:
    """From the same weights, counts of draws included, with the same batches; one program, as compiling takes long.

    V3 has every layer of SASRec.
    """
    model = _built(spec, 3, variant=variant)
    model.optimizer.build(model.trainable_variables)
    variables = [*model.variables, *model.optimizer.variables]
    start = [variable.numpy() for variable in variables]
    first = _trained(model)
    for variable, value in zip(variables, start, strict=True):
        variable.assign(value)
    tf.keras.utils.set_random_seed(3)
    assert not _same(first[1:], model.get_weights())
    assert _same(first, _trained(model))


def test_a_whole_run_repeats(spec: DataSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    """Built, compiled and trained twice, in the way of large catalogues: negatives, rows read and updated alone."""
    monkeypatch.setattr(item_embedding, "SMALL_CATALOGUE", 10)
    first, again = (_trained(_built(spec, 3, variant="GRU", negatives=6)) for _ in range(2))
    assert _same(first, again)
