"""``make docs``: the pages are built without a warning and hold what users import."""

from __future__ import annotations

import ast
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("pdoc", reason="pdoc is not installed; the extra 'docs' (part of 'dev') has it")

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("docs")
    command = [sys.executable, str(ROOT / ".docs" / "build.py"), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": ""})
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    return out


def exported(package: str) -> list[str]:
    """Names in a package's ``__all__``."""
    tree = ast.parse((ROOT / package.replace(".", "/") / "__init__.py").read_text(encoding="utf-8"))
    (names,) = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["__all__"]
    ]
    return ast.literal_eval(names)


@pytest.mark.parametrize(
    "package",
    [
        *("intentrec_tf.layers", "intentrec_tf.models", "intentrec_tf.losses", "intentrec_tf.retrieval"),
        *("serving.client", "serving.histories", "serving.candidates", "serving.local"),
    ],
)
def test_what_a_package_exports_has_its_place(pages: Path, package: str) -> None:
    page = (pages / f"{package.replace('.', '/')}.html").read_text(encoding="utf-8")
    names = exported(package)
    assert len(names) > 3
    assert [name for name in names if f'<section id="{name}">' not in page] == []


def test_docstrings_are_read_as_they_are_meant(pages: Path) -> None:
    page = (pages / "intentrec_tf" / "layers.html").read_text(encoding="utf-8")
    assert "<strong>Call arguments:</strong>" in page
    assert re.search(r"<strong>heads:</strong>\s+number of heads", page)
    assert "This is where the layer's logic lives" not in page  # Keras's own words
    assert not re.search(r":(class|func|meth):", re.sub(r"<[^>]+>", "", page))
    client = (pages / "serving" / "client.html").read_text(encoding="utf-8")
    assert '<div class="pdoc-code codehilite">' in client.split("<section id=")[1]  # the example of the module


def test_the_index_leads_to_every_page(pages: Path) -> None:
    index = (pages / "index.html").read_text(encoding="utf-8")
    groups = runpy.run_path(str(ROOT / ".docs" / "build.py"))["MODULES"]
    listed = {f"{name.replace('.', '/')}.html" for names in groups.values() for name in names}
    assert {path for path in listed if f'href="{path}"' in index} == listed
    assert {str(path.relative_to(pages)) for path in pages.rglob("*.html")} == listed | {"index.html"}
