"""The commands about user vectors.  TensorFlow is imported inside those that need it."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from pipelines.options import RunOption

app = typer.Typer()


class Vector(str, Enum):
    """Which vector, on the command line."""

    intent = "intent"
    state = "state"


@app.command(
    epilog="""Examples:

`intentrec embed --run runs/v3 --out vectors/users.parquet`

`intentrec embed --run runs/v3 --out vectors/users.parquet --at 2024-03-08 --append`

Columns: user_id, vector (float32, of one length), as_of (UTC), events (how many of the newest events were read),
batch_id. Equal batch ids mean vectors of one model that may be compared; `intentrec embed-check` compares files.
"""
)
def embed(
    run: RunOption,
    out: Annotated[Path, typer.Option(help="Parquet file; one of user vectors is replaced.")],
    at: Annotated[
        str | None, typer.Option(help="Moment, ISO 8601 or unix seconds (default: the newest event's).")
    ] = None,
    vector: Annotated[Vector, typer.Option(help="Z (V2, V3) or the state of the item encoder.")] = Vector.intent,
    append: Annotated[bool, typer.Option("--append", help="Keep the file's vectors of other moments.")] = False,
    batch: Annotated[int, typer.Option(help="Users at once.", min=1)] = 256,
) -> None:
    """Write the vector of every user as of a moment, for other models to read.

    Users without an event by then have no row. --append refuses a file whose vectors are of another model, data or
    kind.
    """
    from pipelines.embed.embed import embed as run_embed
    from pipelines.look.words import counted
    from pipelines.run_folder import RunFolder

    file = run_embed(RunFolder(run), out, at, vector.value, append, batch)
    typer.echo(
        f"written: {out}, {counted(file.rows, 'vector')} of {file.space.dimension} numbers, batch {file.space.batch_id}"
    )
    if file.moments[-1] < file.made["trained_until"]:
        typer.echo("the model has learnt from events after that moment; do not judge it by predictions from these.")


@app.command(
    name="embed-check", epilog="Example: `intentrec embed-check vectors/monday.parquet vectors/tuesday.parquet`"
)
def embed_check(
    files: Annotated[list[Path], typer.Argument(help="Files that 'embed' wrote.")],
) -> None:
    """Say what files of user vectors hold, and refuse (exit code 2) if they may not be joined."""
    from pipelines.embed.vector_file import VectorFile, check_same
    from pipelines.look.words import counted

    opened = [VectorFile.open(path) for path in files]
    for file in opened:
        check_same(opened[0].space, file)
        for _ in file.batches():
            pass
        space = file.space
        typer.echo(
            f"{file.path}: batch {space.batch_id}, {counted(file.rows, 'vector')} ({space.vector}, {space.dimension} "
            f"numbers) of {counted(len(file.moments), 'moment')}, "
            f"{space.model} {space.model_version} on {space.dataset}"
        )
    if len(opened) > 1:
        typer.echo("one batch: these vectors may be joined.")


@app.command(
    name="embed-evaluate",
    epilog="""Examples:

`intentrec embed-evaluate --run runs/v3 --json results/embed-v3.json`

`intentrec embed-evaluate --run runs/v3 --days 3 --cold-events 10 --feature genres`
""",
)
def embed_evaluate(
    run: RunOption,
    days: Annotated[int, typer.Option(help="That are predicted.", min=1)] = 7,
    cold_events: Annotated[int, typer.Option(help="Users with so many events or fewer are the cold slice.", min=1)] = 5,
    feature: Annotated[str | None, typer.Option(help="Item feature whose labels are predicted.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write the result here.")] = None,
) -> None:
    """Read frozen user vectors with simple models: what will users take, will they return, who is like them?

    Beside averages of item embeddings and popularity, for all users and those with little history. Needs data split by
    time.
    """
    from rich.console import Console

    from pipelines.embed.downstream import downstream
    from pipelines.embed.downstream_table import downstream_record, tables
    from pipelines.report import write_record
    from pipelines.run_folder import RunFolder

    model, prepared, config = RunFolder(run).load_next_item_model()
    record = downstream_record(downstream(model, prepared, days, cold_events, feature), prepared, config)
    console = Console()
    for table in tables(record):
        console.print(table)
    if json_file:
        write_record(record, json_file)
