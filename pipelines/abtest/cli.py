"""The command ``intentrec abtest``."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()


class Signature(str, Enum):
    """Which signature fills the pages."""

    item = "item"
    retrieve = "retrieve"


@app.command(
    epilog="""Examples:

`intentrec abtest export/v0/20261122101500 export/v3/20261122101600 --size medium --data-seed 1 --out abtest/v3`

`intentrec abtest export/single/20261122101500 export/dcm/20261122101600 --signature retrieve --paired`

Both models must be trained on the data set 'simulated' of that size and seed ('intentrec prepare simulated').
"""
)
def abtest(
    a: Annotated[Path, typer.Argument(help="Folder of an exported version, the one in use.")],
    b: Annotated[Path, typer.Argument(help="Folder of the other.")],
    out: Annotated[Path | None, typer.Option(help="Folder for README.md, pictures and abtest.json.")] = None,
    size: Annotated[str, typer.Option(help="Size of the simulated data they were trained on.")] = "small",
    data_seed: Annotated[int, typer.Option(help="Seed of these data.", min=0)] = 0,
    users: Annotated[int, typer.Option(help="People in the experiment.", min=2)] = 1_000,
    days: Annotated[int, typer.Option(help="Length of the experiment.", min=1)] = 28,
    past: Annotated[int, typer.Option(help="Days that people have behind them.", min=0)] = 30,
    seed: Annotated[int, typer.Option(help="Of the people.", min=0)] = 0,
    paired: Annotated[bool, typer.Option("--paired", help="Everybody lives with A and with B.")] = False,
    signature: Annotated[Signature, typer.Option(help="What fills the pages.")] = Signature.item,
    page: Annotated[int, typer.Option(help="Titles on a page.", min=1, max=100)] = 10,
    interleave: Annotated[bool, typer.Option(help="Also test pages that both models share.")] = True,
) -> None:
    """Compare two exported models before simulated people who respond to what they see, stay or leave.

    This is a simulation: it says nothing of real viewers. Clicks, saves, hours watched, session length, return and
    diversity with confidence intervals and power; a test of shared pages (interleaving) beside it.
    """
    import dataclasses

    from rich.console import Console

    from pipelines.abtest.report import PAGE, RECORD, check_out, compare_exports, table, write
    from pipelines.abtest.service import Service
    from pipelines.abtest.words import SIMULATION, verdicts
    from pipelines.datasets.simulation.config import SimulationConfig

    if out:
        check_out(out)
    config = dataclasses.replace(SimulationConfig.of_size(size, data_seed), users=users)
    service = Service(config, seed, past)
    record = compare_exports(a, b, service, days, past, paired, signature.value, page, interleave)
    Console().print(table(record))
    for line in [*verdicts(record), SIMULATION]:
        typer.echo(line)
    if out:
        write(record, out)
        typer.echo(f"written: {out / PAGE}, {RECORD}")
