"""What a command says when it is interrupted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer


@contextmanager
def resumable(place: str = "where it was") -> Iterator[None]:
    """End with exit code 130 and a sentence when the user interrupts, instead of a traceback.

    Args:
        place: from where the same command goes on.
    """
    try:
        yield
    except KeyboardInterrupt:
        typer.echo(f"stopped; the same command goes on {place}", err=True)
        raise typer.Exit(130) from None
