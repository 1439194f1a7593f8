"""Logs newer than the shop's."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.pipelines.conftest import START, shop_rows

HEADER = "who,what,when,action,seconds,places"
LATER = 100 * 86_400


@pytest.fixture(scope="session")
def write_log() -> Callable[..., Path]:
    """Write lines under the shop's header."""

    def write(path: Path, lines: list[str]) -> Path:
        path.write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def same_kind() -> list[str]:
    """Rows of other users of the same shop, later."""
    rows = [line.split(",") for line in shop_rows(seed=0, users=30)[0][1:]]
    return [",".join([f"new{who}", what, str(int(when) + LATER), *rest]) for who, what, when, *rest in rows]


@pytest.fixture(scope="session")
def other_kind() -> list[str]:
    """Rows of a shop that changed: unknown items and actions, slow users, new places."""
    rng = random.Random(1)
    return [
        f"u{n % 20},{f'x{n % 7}' if n % 2 else 'i1'},{START + LATER + 90_000 * n},"
        f"{rng.choice(['buy', 'skip'])},{500 + n},moon"
        for n in range(300)
    ]
