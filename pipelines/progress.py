"""Progress bars on the terminal; silence elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import track as rich_track

T = TypeVar("T")
console = Console(stderr=True)


def track(items: Iterable[T], what: str, total: int) -> Iterator[T]:
    """Iterate with a bar on standard error when that is a terminal.

    Args:
        items: what to iterate over; may end before ``total``.
        what: the words before the bar.
        total: about how many items there are.
    """
    silent = not console.is_terminal
    return iter(rich_track(items, what, total=total, console=console, disable=silent, transient=True))
