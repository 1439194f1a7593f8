"""Synthetic data with every kind of feature and intent, and the contract that every layer keeps."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from intentrec_tf import models
from intentrec_tf.data_spec import DataSpec
from intentrec_tf.models import ModelConfig, NextItemModel
from intentrec_tf.schema import CategoryIntent, Schema
from intentrec_tf.vocabulary import FIRST, Vocabulary

User = dict[str, np.ndarray]
SCHEMA: dict[str, Any] = {
    "name": "synthetic",
    "event_features": [
        {"name": "action", "kind": "categorical"},
        {"name": "tags", "kind": "multi_label"},
        {"name": "seconds", "kind": "numeric"},
    ],
    "item_features": [
        {"name": "form", "kind": "categorical"},
        {"name": "genre", "kind": "multi_label"},
        {"name": "year", "kind": "numeric"},
    ],
    "intents": [
        {"name": "what", "derive": "column", "column": "action"},
        {"name": "again", "derive": "repeat", "resume_gap": "1h"},
        {"name": "taste", "derive": "category_novelty", "feature": "genre"},
        {"name": "phase", "derive": "session_phase", "gap": "30m"},
        {"name": "age", "derive": "age_bucket", "release": "released"},
        {"name": "mood", "derive": "category", "feature": "genre"},
        {"name": "fame", "derive": "rank_bucket", "column": "popularity"},
    ],
    "duration_weight": {"column": "seconds"},
    "short_term_window": "1h",
    "max_history": 8,
}
LABELS = {
    "what": ("browse", "buy", "play"),
    "again": ("discover", "continue", "return"),
    "taste": ("known", "new"),
    "phase": ("start", "continue"),
    "age": ("within a week", "within a month", "catalogue"),
    "mood": ("drama", "comedy", "anime"),
    "fame": ("low", "middle", "high"),
}
ITEMS = 12
WINDOW = 3600


def build_spec(**changes: Any) -> DataSpec:
    """12 items, all kinds of features and intents; ``changes`` replace keys of the schema."""
    schema = Schema.parse({**SCHEMA, **changes})
    size = ITEMS + FIRST
    rng = np.random.default_rng(7)
    genres = rng.integers(FIRST, FIRST + 3, (size, 2)).astype(np.int32)
    genres[FIRST::3, 1] = 0  # every third item has one genre
    genres[-1] = 0  # the last item has none
    genres[:FIRST] = 0
    year = np.linspace(1990, 2020, size, dtype=np.float32)
    year[[0, 1, 5]] = np.nan
    form = rng.integers(FIRST, FIRST + 2, size).astype(np.int32)
    form[:FIRST] = 0
    return DataSpec(
        schema=schema,
        items=Vocabulary([f"item{i}" for i in range(ITEMS)]),
        vocabularies={
            "action": Vocabulary(LABELS["what"]),
            "tags": Vocabulary(["a", "b", "c", "d"]),
            "form": Vocabulary(["film", "show"]),
            "genre": Vocabulary(LABELS["mood"]),
        },
        catalogue={"form": form, "genre": genres, "year": year},
        intent_labels={name: LABELS[name] for name in schema.intent_names},
        numeric_ranges={"seconds": (0.0, 600.0), "year": (1990.0, 2020.0)},
        event_widths={"tags": 2},
        item_prior=np.r_[0, 0, np.arange(ITEMS, 0, -1)].astype(np.float32),
        intent_priors={n: np.arange(1, len(LABELS[n]) + 1, dtype=np.float32) for n in schema.intent_names},
    )


def random_user(spec: DataSpec, events: int, seed: int) -> User:
    """Columns [events(, width)] of one user: model inputs, and targets under ``target/``; integer gaps up to 3000 s."""
    rng = np.random.default_rng(seed)
    times = 1_600_000_000 + 86_400 * seed + np.cumsum(rng.integers(1, 3000, events + 1))
    user = {
        "item_id": rng.integers(FIRST, FIRST + ITEMS, events).astype(np.int32),
        "timestamp": times[:-1],
        "next_timestamp": times[1:],
        "action": rng.integers(FIRST, FIRST + 3, events).astype(np.int32),
        "tags": rng.integers(0, FIRST + 4, (events, 2)).astype(np.int32),
        "seconds": np.where(rng.random(events) < 0.2, np.nan, rng.uniform(0, 600, events)).astype(np.float32),
        "target/item": rng.integers(FIRST, FIRST + ITEMS, events).astype(np.int32),
        "target/weight": rng.uniform(0.5, 2, events).astype(np.float32),
    }
    for intent in spec.schema.intents:
        if not isinstance(intent, CategoryIntent):
            high = len(spec.intent_labels[intent.name])
            user[f"target/{intent.name}"] = rng.integers(-1, high, events).astype(np.int32)
    return user


def lay_out(
    spec: DataSpec, rows: list[list[tuple[int, User]]], length: int, garbage: bool = False
) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
    """``(inputs, targets)`` of rows that each hold users at given first places.

    Args:
        rows: per row ``[(first place, user), ...]``.
        length: places in a row.
        garbage: fill padding with arbitrary values instead of the neutral ones (weight and segment stay 0).
    """
    rng = np.random.default_rng(3)
    sample = rows[0][0][1]
    columns: dict[str, np.ndarray] = {"segment": np.zeros((len(rows), length), np.int32)}
    for name, values in sample.items():
        shape = (len(rows), length, *values.shape[1:])
        neutral = -1 if name.startswith("target/") and name not in ("target/item", "target/weight") else 0
        columns[name] = np.full(shape, neutral, values.dtype)
        if garbage and name != "target/weight":
            columns[name] = rng.integers(0, 2, shape).astype(values.dtype)
    for r, users in enumerate(rows):
        for number, (start, user) in enumerate(users, 1):
            places = slice(start, start + len(user["item_id"]))
            columns["segment"][r, places] = number
            for name, values in user.items():
                columns[name][r, places] = values
    if not spec.schema.request_time:
        del columns["next_timestamp"]
    targets = {n.removeprefix("target/"): tf.constant(c) for n, c in columns.items() if n.startswith("target/")}
    return {n: tf.constant(c) for n, c in columns.items() if not n.startswith("target/")}, targets


def left_padded(spec: DataSpec, users: list[User], length: int = 8) -> tuple[dict, dict]:
    """One row per user, newest event last."""
    return lay_out(spec, [[(length - len(user["item_id"]), user)] for user in users], length)


def raw_request(
    spec: DataSpec, users: list[User], side: str = "left", exclude: tuple[str, ...] = ()
) -> dict[str, tf.Tensor]:
    """What a client sends for prepared users: strings, padded on one side."""
    length = spec.schema.max_history
    columns: dict[str, np.ndarray] = {
        "item_id": np.full((len(users), length), "", object),
        "timestamp": np.zeros((len(users), length), np.int64),
        "action": np.full((len(users), length), "", object),
        "tags": np.full((len(users), length), "", object),
        "seconds": np.full((len(users), length), np.nan, np.float32),
    }
    words = spec.vocabularies
    for b, user in enumerate(users):
        n = len(user["item_id"])
        places = slice(length - n, length) if side == "left" else slice(0, n)
        columns["item_id"][b, places] = [_word(spec.items, row) for row in user["item_id"]]
        columns["action"][b, places] = [_word(words["action"], row) for row in user["action"]]
        columns["tags"][b, places] = ["|".join(_word(words["tags"], r) for r in rows) for rows in user["tags"]]
        columns["timestamp"][b, places] = user["timestamp"]
        columns["seconds"][b, places] = user["seconds"]
    request = [user["next_timestamp"][-1] if len(user["item_id"]) else 1_700_000_000 for user in users]
    raw = {
        name: tf.constant(values.tolist(), tf.string if values.dtype == object else None)
        for name, values in columns.items()
    }
    raw |= {"timestamp": tf.constant(columns["timestamp"]), "seconds": tf.constant(columns["seconds"])}
    raw["request_time"] = tf.constant(request, tf.int64)
    raw["exclude_item_id"] = tf.constant([list(exclude)] * len(users), tf.string, [len(users), len(exclude)])
    return raw


def _word(vocabulary: Any, row: int) -> str:
    return "never seen" if row == 1 else vocabulary.token(int(row))


def cut(user: User, events: slice) -> User:
    """Some events of a user."""
    return {name: values[events] for name, values in user.items()}


def flat(outputs: dict) -> dict[str, np.ndarray]:
    """Nested model outputs as ``{"intents/what": array, ...}``."""
    found = {}
    for name, value in outputs.items():
        if isinstance(value, dict):
            found |= {f"{name}/{key}": part for key, part in flat(value).items()}
        else:
            found[name] = np.asarray(value)
    return found


def build_model(spec: DataSpec, seed: int = 0, **config: Any) -> NextItemModel:
    """A small model whose weights are large enough for every input to matter."""
    small = {"dim": 16, "intent_dim": 6, "feature_dim": 5, "expansion": 2}
    model = models.build_model(spec, ModelConfig(**{**small, **config}))
    rng = np.random.default_rng(seed)
    for weight in model.trainable_variables:
        weight.assign(rng.normal(0, 0.3, weight.shape))
    return model


def run_layer_test(
    layer_class: type[tf.keras.layers.Layer],
    init: dict[str, Any],
    inputs: Any,
    shape: Any,
    *,
    call: dict[str, tf.Tensor] | None = None,
    dtype: Any = "float32",
    unmoved: Callable[[Any], list[tf.Variable]] = lambda layer: [],
    weights: int | None = None,
) -> tf.keras.layers.Layer:
    """Check what every layer must keep: config, build, eager = symbolic, one training step, precision policies.

    Args:
        layer_class: the class.
        init: constructor arguments; each must come back from ``get_config``.
        inputs: first call argument, a tensor or a list of tensors.
        shape: expected output shape, nested like the outputs.
        call: further call arguments by name.
        dtype: expected output dtype, one for all outputs or nested like them.
        unmoved: gives the trainable weights of the layer whose gradient is zero by construction.
        weights: expected number of trainable weights.

    Returns:
        The layer, built, for more assertions.
    """
    call = call or {}
    layer = layer_class(**init)
    layer(inputs, **call)
    assert layer.built
    state = layer.get_weights()  # a layer that draws goes on to other numbers with each call
    outputs = layer(inputs, **call)
    dtypes = tf.nest.map_structure(lambda _: dtype, outputs) if isinstance(dtype, str) else dtype
    tf.nest.map_structure(_same_shape, outputs, _as_structure(shape), dtypes)
    if weights is not None:
        assert len(layer.trainable_weights) == weights

    config = json.loads(json.dumps(layer.get_config()))
    for name, value in init.items():
        assert config[name] == json.loads(json.dumps(value)), f"get_config loses {name!r}"
    through_keras = tf.keras.layers.deserialize(json.loads(json.dumps(tf.keras.layers.serialize(layer))))
    for clone in (layer_class.from_config(config), through_keras):
        assert type(clone) is layer_class
        clone(inputs, **call)
        clone.set_weights(state)
        _same_values(clone(inputs, **call), outputs)

    symbolic = tf.nest.map_structure(lambda x: tf.keras.Input(x.shape[1:], dtype=x.dtype), (inputs, call))
    model = tf.keras.Model(tf.nest.flatten(symbolic), layer(symbolic[0], **symbolic[1]))
    layer.set_weights(state)
    _same_values(model(tf.nest.flatten((inputs, call))), outputs)

    _one_step(layer, inputs, call, {weight.ref() for weight in unmoved(layer)})
    for policy in ("float32", "mixed_bfloat16"):
        tf.keras.mixed_precision.set_global_policy(policy)
        try:
            other = layer_class(**init)
            for value in tf.nest.flatten(other(inputs, **call)):
                assert value.dtype == tf.bool or bool(tf.reduce_all(tf.math.is_finite(tf.cast(value, tf.float32))))
            assert all(weight.dtype == tf.float32 for weight in other.trainable_weights)
        finally:
            tf.keras.mixed_precision.set_global_policy("float32")
    return layer


def _as_structure(shape: Any) -> Any:
    """A shape is a tuple of numbers; a list, tuple or dictionary of tuples is one per output."""
    if isinstance(shape, tuple) and all(isinstance(n, int) for n in shape):
        return tf.TensorShape(shape)
    if isinstance(shape, dict):
        return {name: _as_structure(part) for name, part in shape.items()}
    return type(shape)(map(_as_structure, shape))


def _same_shape(value: tf.Tensor, shape: tf.TensorShape, dtype: Any) -> None:
    assert value.shape == shape
    assert value.dtype == tf.as_dtype(dtype)


def _same_values(actual: Any, expected: Any) -> None:
    tf.nest.map_structure(lambda a, e: np.testing.assert_allclose(a, e, rtol=1e-5, atol=1e-6), actual, expected)


def _one_step(layer: tf.keras.layers.Layer, inputs: Any, call: dict[str, tf.Tensor], unmoved: set[Any]) -> None:
    before = [weight.numpy() for weight in layer.trainable_weights]
    with tf.GradientTape() as tape:
        outputs = tf.nest.flatten(
            layer(inputs, training=True, **call) if _takes_training(layer) else layer(inputs, **call)
        )
        loss = tf.zeros([])
        for number, value in enumerate(outputs):
            if value.dtype.is_floating:
                loss += tf.reduce_sum(value * tf.random.stateless_normal(value.shape, [1, number]))
    if not before:
        return
    gradients = tape.gradient(loss, layer.trainable_weights)
    for weight, gradient in zip(layer.trainable_weights, gradients, strict=True):
        assert gradient is not None, f"{weight.name} gets no gradient"
    tf.keras.optimizers.SGD(1.0).apply_gradients(zip(gradients, layer.trainable_weights, strict=True))
    for weight, old in zip(layer.trainable_weights, before, strict=True):
        moved = float(np.abs(weight.numpy() - old).max())
        if weight.ref() in unmoved:
            assert moved < 1e-4, f"{weight.name} was expected to stay"
        else:
            assert moved > 1e-6, f"{weight.name} did not move"


def _takes_training(layer: tf.keras.layers.Layer) -> bool:
    return "training" in layer.call.__code__.co_varnames[: layer.call.__code__.co_argcount]


def examples(folder: Path) -> list[bytes]:
    """Every record of prepared data, in one form, sorted: two folders are compared as sets of decoded examples."""
    files = [str(path) for path in sorted((folder / "sequences").glob("*.tfrecord"))]
    records = (tf.train.Example.FromString(record) for record in tf.data.TFRecordDataset(files).as_numpy_iterator())
    return sorted(record.SerializeToString(deterministic=True) for record in records)
