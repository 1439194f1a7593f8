"""Keras 2 or a clear error, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def _run(code: str, repository: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if name != "TF_USE_LEGACY_KERAS"}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=repository,
        env={**clean, "TF_CPP_MIN_LOG_LEVEL": "3", **environment},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


KERAS = "import tensorflow as tf; print(tf.keras.layers.Dense.__module__.split('.')[0])"


def test_importing_the_package_selects_keras_2_and_loads_nothing_heavy(repository: Path) -> None:
    done = _run(f"import intentrec_tf, sys; print('tensorflow' in sys.modules); {KERAS}", repository)
    assert done.stdout.split() == ["False", "tf_keras"], done.stderr


def test_keras_3_already_active_is_a_clear_error(repository: Path) -> None:
    done = _run(f"{KERAS}; import intentrec_tf", repository)
    assert done.returncode == 1
    assert done.stdout.strip() == "keras"
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: intentrec_tf needs Keras 2, but Keras 3 is already active")
    assert "import intentrec_tf before tensorflow" in last


def test_tensorflow_first_is_fine_with_the_variable_set(repository: Path) -> None:
    done = _run(f"{KERAS}; import intentrec_tf", repository, TF_USE_LEGACY_KERAS="1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "tf_keras"
