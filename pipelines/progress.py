"""Progress bars on the terminal; silence elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from rich.console import Console
from rich.progress import track as rich_track

T = TypeVar("T")
console = Console(stderr=True)


def track(items: Sequence[T], what: str) -> Iterator[T]:
    """Iterate with a bar on standard error when that is a terminal."""
    return iter(
        rich_track(items, description=what, console=console, disable=not console.is_terminal, transient=True)
    )
