"""The command ``intentrec calibrate``.  TensorFlow is imported inside it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipelines.options import RunOption

app = typer.Typer()


@app.command(
    epilog="""Examples:

`intentrec calibrate --run runs/v3`

`intentrec calibrate --run runs/v3 --json results/calibration.json --picture results/calibration.png`
"""
)
def calibrate(
    run: RunOption,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write the record here.")] = None,
    picture: Annotated[
        Path | None, typer.Option(help="Reliability diagrams (default: calibration.png in the run).")
    ] = None,
) -> None:
    """Fit a temperature for each intent head on the validation part, so that its scores mean what they say.

    The next 'export' of the run applies them to the scores of the signature 'intent'; nothing else changes, and no
    label's rank does.
    """
    from pipelines.calibrate import calibrate as run_calibrate
    from pipelines.calibration_picture import write_reliability
    from pipelines.report import write_record
    from pipelines.run_folder import RunFolder

    record = run_calibrate(RunFolder(run), typer.echo)
    place = picture or run / "calibration.png"
    write_reliability(record, place)
    typer.echo(f"reliability diagrams: {place}")
    if json_file:
        write_record(record, json_file)
    typer.echo(f"kept with the run; 'intentrec export --run {run}' applies it")
