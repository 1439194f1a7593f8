"""The command ``intentrec drift``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DRIFTED = 3
EPILOG = """Examples:

`intentrec drift runs/v3 --new last-week.csv.gz --out drift/last-week`

`intentrec drift runs/v3 --new log.parquet --items items.csv --max-psi 0.1 --ignore "history length"`

`intentrec drift runs/v3 --new last-week.csv --questions 0 --json > drift.json || echo "train again?"`

Exit codes: 0 no drift, 3 drift, 1 or 2 the comparison could not be made. PSI (population stability index) compares
shares of labels: below 0.1 is usually called stable, up to 0.25 a moderate shift, above a large one. KS
(Kolmogorov-Smirnov) is the largest distance of two distribution functions, from 0 to 1; for two normal distributions
0.125 and 0.2 are as far apart as a PSI of 0.1 and 0.25.
"""


def drift(
    run: Annotated[Path, typer.Argument(help="Folder of the training run.")],
    new: Annotated[
        Path, typer.Option(help="New log: CSV, CSV.gz or Parquet with the schema's columns, or a raw folder or zip.")
    ],
    items: Annotated[Path | None, typer.Option(help="A newer catalogue (default: the run's own).")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for README.md, pictures and drift.json.")] = None,
    print_json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON instead of a table.")] = False,
    max_psi: Annotated[float, typer.Option(help="Largest PSI of labels that is no drift.", min=0)] = 0.25,
    max_ks: Annotated[float, typer.Option(help="Largest KS of numbers that is no drift.", min=0, max=1)] = 0.2,
    max_unknown: Annotated[
        float, typer.Option(help="Largest rise of a share of unknown items or labels.", min=0, max=1)
    ] = 0.05,
    min_sample: Annotated[int, typer.Option(help="Smaller samples are not judged.", min=1)] = 100,
    ignore: Annotated[list[str] | None, typer.Option(help="A measure that shall not count (several times).")] = None,
    questions: Annotated[int, typer.Option(help="Asked of the model, at most; 0 leaves it alone.", min=0)] = 1_000,
    seed: Annotated[int, typer.Option(help="Of the sample of questions.", min=0)] = 0,
    max_reject_share: Annotated[float, typer.Option(help="Fail if more of a file's rows are rejected.")] = 0.2,
) -> None:
    """Compare a new log with a run's training part: unknown items and labels, intents, numbers, the model's scores.

    The log is read as 'prepare' reads it, with the run's schema; intents are derived with what users did before, as far
    as the run's data know it. Events that these hold already are left out. A measure drifts if it is above its limit
    and above what chance gives for samples of that size.
    """
    from rich.console import Console

    from pipelines.drift.drift import NUMBERS, PAGE, as_json, check_out, measure, write
    from pipelines.drift.new_log import NewLog
    from pipelines.drift.page import summary
    from pipelines.drift.table import table
    from pipelines.run_folder import RunFolder

    if out:
        check_out(out)
    folder = RunFolder(run)
    prepared, config = folder.read()
    log = NewLog.read(prepared, new, items, max_reject_share)
    scores = None
    if questions and config.retrieval is None and log.new.sum() >= min_sample:
        from pipelines.drift.score_measures import ScoreMeasures

        model, prepared, _ = folder.load_next_item_model()
        scores = ScoreMeasures.of(model, prepared, log, questions, seed)
    limits = {"psi": max_psi, "ks": max_ks, "rise": max_unknown}
    numbers = measure(prepared, log, str(new), scores, limits, min_sample, ignore or ())
    if out:
        write(numbers, out)
    if print_json:
        typer.echo(as_json(numbers), nl=False)
    else:
        for line in log.report.summary():
            typer.echo(line)
        Console().print(table(numbers))
        for line in summary(numbers):
            typer.echo(line)
        if out:
            typer.echo(f"written: {out / PAGE}, {NUMBERS}")
    if numbers["drift"]:
        raise typer.Exit(DRIFTED)
