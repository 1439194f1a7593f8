"""Seconds and megabytes."""

from __future__ import annotations

import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

MATRIX = 2_048


def peak_mb() -> int:
    """Most memory this process has held so far, MB (Linux counts what its parent held into ``ru_maxrss``)."""
    status = Path("/proc/self/status")
    if status.is_file():
        return int(status.read_text().partition("VmHWM:")[2].split()[0]) // 1024
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used // (2**20 if sys.platform == "darwin" else 2**10)


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
