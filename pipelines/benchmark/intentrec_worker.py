"""Trains one of our models epoch by epoch on request.

``python -m pipelines.benchmark.intentrec_worker FOLDER`` reads ``options.json`` there (``data``, ``config``,
``epochs``, ``together``) and speaks the protocol of :mod:`pipelines.benchmark.training_process`.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from intentrec_tf.models import build_model
from pipelines.benchmark.memory import peak_mb
from pipelines.config import RunConfig
from pipelines.evaluate import ranking_metrics, ranking_step
from pipelines.input_fn import evaluation_batches, training_batches
from pipelines.prepared import PreparedData
from pipelines.split import VALIDATION
from pipelines.train import optimizer_of


def main(folder: Path) -> None:
    """Train and answer until standard input ends."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever libraries print must not mix with the answers

    def tell(answer: dict[str, Any]) -> None:
        answers.write(json.dumps(answer) + "\n")

    class Turns(tf.keras.callbacks.Callback):
        """Waits before every epoch for its turn, and says afterwards how it went."""

        def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            if not sys.stdin.readline():
                sys.exit(0)
            self.start = time.perf_counter()

        def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            seconds = time.perf_counter() - self.start
            tell({"seconds": seconds, "loss": (logs or {})["item_loss"], "steps": steps, "peak_mb": peak_mb()})

    options = json.loads((folder / "options.json").read_text())
    prepared, config = PreparedData(options["data"]), RunConfig.model_validate(options["config"])
    training = config.training
    tf.keras.utils.set_random_seed(training.seed)
    model = build_model(prepared.spec, config.model)
    batches = training_batches(
        prepared, training.rows_per_batch, training.row_length, training.seed, training.history, options["together"]
    )
    steps = sum(1 for _ in batches)
    model.compile(optimizer=optimizer_of(training, steps), jit_compile=training.xla)
    tell({"ready": True, "peak_mb": peak_mb()})
    model.fit(batches.repeat(), steps_per_epoch=steps, epochs=options["epochs"], callbacks=[Turns()], verbose=0)
    sys.stdin.readline()
    start = time.perf_counter()
    held_out = evaluation_batches(prepared, VALIDATION)
    step = ranking_step(model, held_out)
    ranks = np.concatenate([step(inputs, goals)["rank"] for inputs, goals in held_out])
    metrics = ranking_metrics(ranks)
    tell(
        {
            "seconds": time.perf_counter() - start,
            "HR@10": metrics["HR@10"],
            "NDCG@10": metrics["NDCG@10"],
            "targets": len(ranks),
            "peak_mb": peak_mb(),
        }
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
