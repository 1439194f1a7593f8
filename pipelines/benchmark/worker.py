"""A measurement in a process of its own, because peak memory never falls."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import Any

from pipelines.benchmark.tree_memory import TreeMemory
from pipelines.validate import DataError

# Runs one command and says on standard error, last of all, how much memory it took at most.
_MEASURED = "import sys; from pipelines.main import main; code = main(sys.argv[1:]); \
from pipelines.benchmark.memory import peak_mb; print(peak_mb(), file=sys.stderr); sys.exit(code)"
_THREADS = ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def measured_command(words: list[str]) -> dict[str, Any]:
    """Run an ``intentrec`` command and note ``seconds`` and ``peak_mb``.

    Args:
        words: of the command line, without ``intentrec``.

    Raises:
        DataError: it failed, with its own sentence.
    """
    start = time.perf_counter()
    command = [sys.executable, "-c", _MEASURED, *words]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    with TreeMemory(process.pid) as memory:  # of what it starts, too
        said_last = process.communicate()[1]
    seconds = time.perf_counter() - start
    lines = said_last.strip().splitlines()
    if process.returncode:
        said = [line.removeprefix("intentrec: ") for line in lines if line.startswith("intentrec: ")]
        if not said and process.returncode == 2:
            raise DataError(
                f"these are no arguments of 'intentrec {words[0]}'; see intentrec {' '.join(words[:1])} --help."
            )
        raise DataError(said[-1] if said else f"intentrec {words[0]}: ended with '{(lines or ['no word'])[-1]}'.")
    return {"seconds": round(seconds, 2), "peak_mb": max(int(lines[-1]), memory.peak_mb)}


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
