"""Progress bars on the terminal, lines of JSON where ``INTENTREC_LOG=json`` asks for them; silence elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import track as rich_track

from pipelines.pace import Pace, is_json

T = TypeVar("T")
console = Console(stderr=True)


def track(items: Iterable[T], what: str, total: int) -> Iterator[T]:
    """Iterate with a bar on standard error when that is a terminal, or with lines for programs.

    Args:
        items: what to iterate over; may end before ``total``.
        what: the words before the bar.
        total: about how many items there are.
    """
    if is_json():
        return _told(items, Pace(what, total))
    silent = not console.is_terminal
    return iter(rich_track(items, what, total=total, console=console, disable=silent, transient=True))


def without_bars() -> None:
    """Draw no bars from now on: processes side by side would draw over each other's."""
    global console
    console = Console(stderr=True, force_terminal=False)


def _told(items: Iterable[T], pace: Pace) -> Iterator[T]:
    for item in items:
        yield item
        pace.advance()
