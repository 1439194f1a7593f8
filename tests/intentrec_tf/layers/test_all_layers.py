"""Every public layer has its own tests and keeps the shared contract."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from intentrec_tf import layers


@pytest.mark.parametrize("name", layers.__all__)
def test_layer_has_a_test_that_runs_the_contract(name: str) -> None:
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
    file = Path(__file__).parent / f"test_{snake}.py"
    assert file.is_file(), f"write {file.name}"
    assert re.search(rf"run_layer_test\(\s*{name}\b", file.read_text(encoding="utf-8"))


def test_all_lists_every_layer() -> None:
    found = {name for name, value in vars(layers).items() if isinstance(value, type)}
    assert found == set(layers.__all__)
