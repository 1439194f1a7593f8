"""The thin client stays thin, the local server stays independent of the training library."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

_PROBE = """
import json, sys, time
start = time.perf_counter()
import numpy, grpc, google.protobuf.message
needed = time.perf_counter()
import {module}
share = (time.perf_counter() - needed) / (needed - start)
print(json.dumps([share, sorted(name for name in sys.modules if "." not in name)]))
"""


def _import(module: str) -> tuple[float, set[str]]:
    """Time the module takes beyond what it is built on, as a share of that; and all modules then loaded."""
    done = subprocess.run(
        [sys.executable, "-c", _PROBE.format(module=module)],
        capture_output=True,
        text=True,
        check=True,
        # This test process may have chosen Keras 2 for itself; a server starts without that choice.
        env={name: value for name, value in os.environ.items() if name != "TF_USE_LEGACY_KERAS"},
        timeout=300,
    )
    share, modules = json.loads(done.stdout)
    return share, set(modules)


@pytest.mark.parametrize("module", ["serving.client", "serving.ask", "serving.history_command"])
def test_no_heavy_module_and_little_beyond_its_needs(module: str) -> None:
    tries = [_import(module) for _ in range(3)]
    heavy = {
        "tensorflow",
        "tf_keras",
        "keras",
        "pandas",
        "pyarrow",
        "prometheus_client",
        "yaml",
        "pydantic",
        "redis",
        "intentrec_tf",
        "pipelines",
    }
    assert {"numpy", "grpc"} <= tries[0][1]
    assert not tries[0][1] & heavy
    assert min(share for share, _ in tries) < 1.0


def test_the_page_needs_no_tensorflow_and_no_pandas() -> None:
    _, modules = _import("serving.web.command")
    assert "fastapi" in modules
    assert not modules & {"tensorflow", "tf_keras", "keras", "pandas", "pyarrow", "intentrec_tf", "pipelines"}


def test_candidate_search_needs_numpy_alone_until_an_index_is_opened() -> None:
    """The probe itself imports NumPy, gRPC and protobuf; the exact index's own test does without the latter two."""
    _, modules = _import("serving.candidates")
    assert "serving" in modules
    assert not modules & {"faiss", "pymilvus", "milvus_lite", "tensorflow", "tf_keras", "keras", "pandas", "pipelines"}


def test_the_local_server_needs_tensorflow_only() -> None:
    _, modules = _import("serving.local")
    assert "tensorflow" in modules
    assert not modules & {"intentrec_tf", "pipelines", "tf_keras"}
