"""Rules of the repository that no linter knows: who imports whom, one layer a file, nothing stray."""

from __future__ import annotations

import ast
import configparser
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("intentrec_tf", "pipelines", "serving")
ALLOWED_AT_TOP = {
    *("intentrec_tf", "pipelines", "serving", "tests", "notebooks", "results"),
    *("setup.cfg", "pyproject.toml", "Makefile", "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE"),
}
MAX_LINES = 450
# Package (a prefix of module names) -> what it must not import, and, if given, all it may import beside the standard
# library; of several that fit a module, the longest says what it may.
FORBIDDEN = {"intentrec_tf": ("pipelines", "serving"), "serving": ("pipelines", "intentrec_tf")}
ALLOWED = {
    "serving.client": ("numpy", "grpc", "google.protobuf", "serving"),
    "serving.client.prometheus_metrics": ("prometheus_client", "serving.client"),
    "serving.candidates": ("numpy", "faiss", "pymilvus", "milvus_lite", "serving.candidates", "serving.atomic"),
    "serving.histories": ("numpy", "redis", "serving.histories", "serving.client.errors", "serving.client.history"),
    "serving.local": (
        *("numpy", "tensorflow", "tensorflow_serving", "grpc", "google.protobuf", "serving"),
        *("grpc_health", "prometheus_client"),
    ),
    "serving.release": (
        *("grpc", "google.protobuf", "tensorflow_serving.config"),
        *("serving.atomic", "serving.client.errors", "serving.client.results", "serving.client.tls"),
        *("serving.proto", "serving.release"),
    ),
    "serving.web": (
        *("fastapi", "starlette", "uvicorn", "pydantic"),
        *("serving.client", "serving.terminal", "serving.web"),
    ),
    # what the pipelines write catalogue files with, where the extra 'web' may be missing
    "serving.web.catalogue": ("serving.client.errors", "serving.web.row_rule"),
    "serving.web.row_rule": ("serving.client.errors",),
}


def _python_files(*folders: str) -> list[Path]:
    found = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return [path for path in found if "__pycache__" not in path.parts]


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(tree: ast.AST, module: str, is_package: bool = False) -> Iterator[str]:
    """Full names of all modules a file imports, wherever in the file, relative ones resolved."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = module.split(".")[: len(module.split(".")) - node.level + is_package] if node.level else []
            name = ".".join([*base, *([node.module] if node.module else [])])
            yield name
            yield from (f"{name}.{alias.name}" for alias in node.names)


def _within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def violations(name: str, module: str) -> str | None:
    """Why ``module`` may not import ``name``; None if it may."""
    for package, forbidden in FORBIDDEN.items():
        if _within(module, (package,)) and _within(name, forbidden):
            return f"{package} must not import {name}"
    for package in sorted((package for package in ALLOWED if _within(module, (package,))), key=len)[-1:]:
        allowed = ALLOWED[package]
        # "from x import y" also yields x.y, which is within x
        if name.split(".")[0] not in sys.stdlib_module_names:
            parents = tuple(part for part in allowed if part.startswith(f"{name}."))
            if not _within(name, allowed) and not parents:
                return f"{package} may import the standard library and {', '.join(allowed)} only, not {name}"
    return None


@pytest.mark.parametrize("path", _python_files(*PACKAGES), ids=lambda path: str(path.relative_to(ROOT)))
def test_import_directions(path: Path) -> None:
    module = _module(path)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = {violations(name, module) for name in imports(tree, module, path.name == "__init__.py")}
    assert found <= {None}


@pytest.mark.parametrize(
    ("code", "module", "refused"),
    [
        ("import pipelines.train", "intentrec_tf.schema", True),
        ("def f():\n    from serving import tensors", "intentrec_tf.export", True),
        ("from .. import export", "intentrec_tf.layers.x", False),
        ("from ...pipelines import train", "intentrec_tf.layers.x", True),
        ("import intentrec_tf", "pipelines.train", False),
        ("import serving.client", "pipelines.demo", False),
        ("import intentrec_tf", "serving.local.serve", True),
        ("import pandas", "serving.local.serve", True),
        ("import tensorflow as tf, os", "serving.local.serve", False),
        ("import prometheus_client, grpc_health", "serving.local.metrics", False),
        ("import tensorflow", "serving.client.client", True),
        ("from google.protobuf import message", "serving.client.client", False),
        ("import grpc, numpy as np, json", "serving.client.client", False),
        ("def f():\n    import prometheus_client", "serving.client.prometheus_metrics", False),
        ("import prometheus_client", "serving.client.client", True),
        ("import tensorflow", "serving.client.prometheus_metrics", True),
        ("def f():\n    import faiss", "serving.candidates.faiss_index", False),
        ("import tensorflow", "serving.candidates.merge", True),
        ("from serving.client.errors import shown", "serving.candidates.merge", True),
        ("from serving.client import IntentRecClient", "serving.histories.history_store", True),
        ("def f():\n    import redis.retry", "serving.histories.redis_history_store", False),
        ("from tensorflow_serving.config import model_server_config_pb2", "serving.release.release", False),
        ("from tensorflow_serving.apis import model_management_pb2", "serving.release.release", True),
        ("import pandas", "serving.web.app", True),
        ("import fastapi", "serving.web.catalogue", True),
    ],
)
def test_the_import_rules_themselves(code: str, module: str, refused: bool) -> None:
    found = {violations(name, module) for name in imports(ast.parse(code), module)}
    assert bool(found - {None}) == refused


def test_no_file_is_too_long_to_read() -> None:
    files = [path for path in _python_files(*PACKAGES, "tests") if not path.stem.endswith("_pb2")]
    lengths = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in files}
    assert not {name: lines for name, lines in lengths.items() if lines > MAX_LINES}


def snake_case(name: str) -> str:
    """``RandomOOV`` -> ``random_oov``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


@pytest.mark.parametrize("path", _python_files("intentrec_tf/layers"), ids=lambda path: path.stem)
def test_one_public_layer_a_file(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    public = [node.name for node in tree.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")]
    assert len(public) <= 1
    if public:
        assert path.stem == snake_case(public[0])


def test_every_module_has_a_docstring() -> None:
    files = [path for path in _python_files(*PACKAGES, "tests") if not path.stem.endswith("_pb2")]
    assert [path for path in files if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))] == []


def test_nothing_stray_at_the_top() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    top = {name.split("/")[0] for name in listed.stdout.splitlines()}
    assert {name for name in top if not name.startswith(".")} <= ALLOWED_AT_TOP


def test_every_file_beside_the_code_is_part_of_the_package() -> None:
    """A file that ``package_data`` forgets works in a checkout and is missing after ``pip install``."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    patterns = {
        # as setuptools reads it: one pattern a line or, on a single line, with commas between
        package: [pattern.strip() for pattern in value.strip().split("\n" if "\n" in value else ",")]
        for package, value in config["options.package_data"].items()
    }
    for package in ("intentrec_tf", "pipelines", "serving"):
        for path in sorted((ROOT / package).rglob("*")):
            if path.is_file() and path.suffix != ".py" and "__pycache__" not in path.parts:
                name = path.relative_to(ROOT / package)
                assert any(name.match(pattern) for pattern in patterns.get(package, [])), f"{package}/{name}"
