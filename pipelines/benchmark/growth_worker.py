"""One point of a growth curve, in a process of its own because peak memory never falls.

``python -m pipelines.benchmark.growth_worker '{"items": 3706, "length": 256, "dim": 64, "negatives": null}'`` prints
``{"step_ms", "peak_mb", "table_mb"}``; with ``"users"`` it ranks the catalogue for so many users instead and prints
``{"seconds", "peak_mb", "table_mb"}``.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import tensorflow as tf

from intentrec_tf.models import ModelConfig, build_model
from pipelines.benchmark.measure import median_seconds
from pipelines.benchmark.memory import peak_mb
from pipelines.benchmark.synthetic import synthetic_batch, synthetic_spec
from pipelines.config import TrainingConfig
from pipelines.evaluate import ranking_step
from pipelines.train import optimizer_of

POSITIONS = 4_096
BATCH = 256


def training_step(items: int, length: int, dim: int, negatives: int | None, xla: bool = True) -> dict[str, Any]:
    """Median time of a SASRec step over 4,096 positions."""
    spec = synthetic_spec(items, length)
    config = ModelConfig.model_validate({"variant": "SASRec", "dim": dim, "negatives": negatives})
    model = build_model(spec, config)
    model.compile(optimizer=optimizer_of(TrainingConfig(), 100), jit_compile=xla)
    step = model.make_train_function()
    batches = [synthetic_batch(spec, POSITIONS // length, length, seed) for seed in range(4)]
    names = tf.data.Dataset.from_tensor_slices(tf.nest.map_structure(lambda *parts: tf.stack(parts), *batches))
    endless = iter(names.repeat())
    return {"step_ms": round(1e3 * median_seconds(lambda: step(endless)), 1)}


def ranking(items: int, length: int, dim: int, users: int) -> dict[str, Any]:
    """Wall time of ranking the catalogue for many users, seen items excluded."""
    spec = synthetic_spec(items, length)
    model = build_model(spec, ModelConfig.model_validate({"variant": "SASRec", "dim": dim}))

    def batch(number: tf.Tensor) -> tuple[dict[str, tf.Tensor], dict[str, tf.Tensor]]:
        picked = tf.random.stateless_uniform([BATCH, length + 1], [0, number], 2, spec.items.size, tf.int32)
        inputs = {
            "segment": tf.ones([BATCH, length], tf.int32),
            "item_id": picked[:, 1:],
            "timestamp": tf.ones([BATCH, length], tf.int64),
        }
        return inputs, {"item": picked[:, 0], "seen": picked[:, 1:]}

    batches = tf.data.Dataset.range(-(-users // BATCH)).map(batch)
    step = ranking_step(model, batches)
    start = time.perf_counter()
    for inputs, targets in batches:
        step(inputs, targets)
    return {"seconds": round(time.perf_counter() - start, 1), "users": -(-users // BATCH) * BATCH}


def main(options: dict[str, Any]) -> dict[str, Any]:
    """The answer to one question, see the module."""
    found = ranking(**options) if "users" in options else training_step(**options)
    return {**found, "peak_mb": peak_mb(), "table_mb": round(options["items"] * options["dim"] * 4 / 2**20)}


if __name__ == "__main__":
    print(json.dumps(main(json.loads(sys.argv[1]))))
