"""A measurement in a process of its own, because peak memory never falls."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from pipelines.validate import DataError

_THREADS = ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def ask_worker(module: str, options: dict[str, Any], threads: int = 0) -> dict[str, Any]:
    """Run ``python -m module OPTIONS`` and read the JSON of its last line.

    Args:
        module: of :mod:`pipelines.benchmark`, without the package.
        options: passed as JSON.
        threads: of TensorFlow's operations, of NumPy's products and of FAISS; 0 leaves them alone.

    Raises:
        DataError: it failed, for example for want of memory.
    """
    command = [sys.executable, "-m", f"pipelines.benchmark.{module}", json.dumps(options)]
    environment = os.environ | (dict.fromkeys(_THREADS, str(threads)) if threads else {})
    outcome = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if outcome.returncode:
        reason = (outcome.stderr.strip().splitlines() or [f"exit code {outcome.returncode}"])[-1]
        raise DataError(f"measuring {options}: failed with '{reason}'; free memory or measure less.")
    found: dict[str, Any] = json.loads(outcome.stdout.strip().splitlines()[-1])
    return found
