"""Seconds, and what the machine can do."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import tensorflow as tf

MATRIX = 2_048


def median_seconds(call: Callable[[], Any], times: int = 15, warm_up: int = 3) -> float:
    """Median wall time of a call, after some that do not count; TensorFlow on a CPU returns when it is done."""
    seconds = []
    for i in range(warm_up + times):
        start = time.perf_counter()
        call()
        if i >= warm_up:
            seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def peak_gflops() -> float:
    """What this machine does in a float32 product of two 2,048 x 2,048 matrices, GFLOP/s: the better of TF and XLA."""
    a, b = tf.random.normal([MATRIX, MATRIX]), tf.random.normal([MATRIX, MATRIX])
    work = 2 * MATRIX**3 / 1e9

    def seconds(xla: bool) -> float:
        product = tf.function(tf.matmul, jit_compile=xla)
        return median_seconds(lambda: product(a, b))

    return work / min(seconds(False), seconds(True))
