"""The commands around the web page that need more than the web extra."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from pipelines.model_server import ServerStartError, running_server
from pipelines.options import DataOption
from pipelines.validate import DataError
from serving.atomic import atomic_text
from serving.client import InvalidInputError

DEMO_USERS = 12
app = typer.Typer()


@app.command(
    epilog="""Examples:

`intentrec catalogue --data data/ml-1m --out catalogue.json`

`intentrec catalogue --data data/ml-1m --users 20 --out catalogue.json`
"""
)
def catalogue(
    data: DataOption,
    out: Annotated[Path, typer.Option(help="The JSON file.")],
    users: Annotated[int, typer.Option(help="Example users, with their histories.", min=0)] = 0,
) -> None:
    """Write what 'intentrec web' shows beside the model's answers: titles, labels, rows for intents, example users."""
    from pipelines.catalogue import catalogue as content
    from pipelines.prepared import PreparedData

    atomic_text(out, content(PreparedData(data), users))
    typer.echo(f"written: {out}" + (f" (with the histories of {users} users: handle as such)" if users else ""))


@contextmanager
def finished_demo(folder: Path) -> Iterator[tuple[str, Path]]:
    """A model server on what ``intentrec demo`` left in a folder, and a catalogue file with example users.

    Raises:
        InvalidInputError: the folder holds no finished demo, or the server does not start.
    """
    from pipelines.catalogue import CATALOGUE
    from pipelines.catalogue import catalogue as content
    from pipelines.prepared import PreparedData
    from pipelines.split import TEST

    versions = folder / "export"
    if not any(path.name.isdecimal() for path in versions.glob("*")):
        raise InvalidInputError(f"{folder} holds no finished demo, so run `intentrec demo --out {folder}` first.")
    try:
        prepared = PreparedData(folder / "data")
        many = prepared.events.loc[prepared.events["split"] == TEST, "user_id"].nunique()
        with tempfile.TemporaryDirectory() as scratch, running_server(versions) as address:
            file = Path(scratch) / CATALOGUE
            atomic_text(file, content(prepared, min(DEMO_USERS, many)))
            yield address, file
    except (DataError, ServerStartError) as error:
        raise InvalidInputError(str(error)) from None
