"""A catalogue and a batch of any size, for measuring growth; what is in them does not matter to the clock."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from intentrec_tf.data_spec import DataSpec
from intentrec_tf.inputs import Columns, keras_inputs
from intentrec_tf.schema import Schema
from intentrec_tf.vocabulary import FIRST, Vocabulary


def synthetic_spec(items: int, history: int) -> DataSpec:
    """Ids and times only; item popularity falls as 1 / rank."""
    prior = np.r_[np.zeros(FIRST), 1e6 / np.arange(1, items + 1)].astype(np.float32)
    schema = Schema.parse({"name": "synthetic", "max_history": history, "request_time": False})
    return DataSpec(schema=schema, items=Vocabulary([f"i{number}" for number in range(items)]), item_prior=prior)


def synthetic_batch(spec: DataSpec, rows: int, row_length: int, seed: int = 0) -> tuple[Columns, Columns]:
    """``(inputs, targets)`` of full rows, each of one user, or of two if L is shorter than the row."""
    rng = np.random.default_rng(seed)
    shape = (rows, row_length)
    probability = spec.item_prior[FIRST:].astype(float) / spec.item_prior.sum(dtype=float)
    chosen = rng.choice(len(probability), (rows, row_length + 1), p=probability).astype(np.int32) + FIRST
    segment = np.broadcast_to(1 + np.arange(row_length) // spec.schema.max_history, shape)
    inputs = {
        "segment": segment.astype(np.int32),
        "item_id": chosen[:, :-1],
        "timestamp": 1_600_000_000 + np.cumsum(rng.integers(1, 10_000, shape), axis=1),
    }
    assert set(inputs) == set(keras_inputs(spec))
    targets = {"item": chosen[:, 1:], "weight": np.ones(shape, np.float32)}
    return {n: tf.constant(v) for n, v in inputs.items()}, {n: tf.constant(v) for n, v in targets.items()}
