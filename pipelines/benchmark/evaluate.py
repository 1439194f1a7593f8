"""Time and memory of ranking the whole catalogue."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from intentrec_tf.models import ModelConfig, build_model
from pipelines.benchmark.growth import measure
from pipelines.benchmark.memory import peak_mb
from pipelines.environment import provenance
from pipelines.evaluate import evaluate
from pipelines.prepared import PreparedData
from pipelines.split import TEST

VARIANTS = ("SASRec", "V3")
LARGE = {"items": 1_000_000, "length": 200, "dim": 64, "users": 10_000}


def benchmark_evaluate(
    prepared: PreparedData, repeats: int = 3, users: int = LARGE["users"], say: Callable[[str], None] = print
) -> dict[str, Any]:
    """Time ``evaluate`` on the test part (weights do not matter to the clock), then a catalogue of a million items.

    Args:
        prepared: the data.
        repeats: evaluations of each model, the median counts.
        users: of the large catalogue.
        say: receives a line per measurement.
    """
    seconds: dict[str, float] = {}
    targets = 0
    for variant in VARIANTS if prepared.spec.schema.intents else VARIANTS[:1]:
        tf.keras.utils.set_random_seed(0)
        model = build_model(prepared.spec, ModelConfig.model_validate({"variant": variant}))
        times = []
        for _ in range(repeats):
            start = time.perf_counter()
            targets = evaluate(model, prepared, TEST).targets
            times.append(time.perf_counter() - start)
        seconds[variant] = round(statistics.median(times), 2)
        say(f"{variant}: {targets:,} targets x {len(prepared.spec.items.tokens):,} items in {seconds[variant]} s")
    here = peak_mb()
    large = measure({**LARGE, "users": users})
    say(f"SASRec: {users:,} users x {LARGE['items']:,} items in {large['seconds']} s, peak {large['peak_mb']:,} MB")
    return {
        "benchmark": "evaluate",
        "dataset": prepared.spec.schema.name,
        "fingerprint": prepared.fingerprint,
        "targets": targets,
        "items": len(prepared.spec.items.tokens),
        "seconds_with_baselines": seconds,
        "peak_mb": here,
        "large_catalogue": {**LARGE, **large},
        **provenance(),
    }
