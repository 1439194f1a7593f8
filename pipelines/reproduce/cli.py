"""``intentrec reproduce``: the paper's tables and figures, and our own ablations, run by run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.interrupt import resumable
from pipelines.options import numbers

if TYPE_CHECKING:
    from pipelines.reproduce.protocols import Setting
    from pipelines.reproduce.runs import Places

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="The paper's tables and figures on public data; an interrupted one goes on where it was.",
    epilog="Example: `intentrec reproduce table2 --dataset foursquare-nyc --raw ~/foursquare-nyc --seeds 0,1,2`",
)
DatasetOption = Annotated[str, typer.Option("--dataset", help="Name from 'intentrec data'.")]
ProtocolOption = Annotated[str | None, typer.Option("--protocol", help="T, P2, P3 or S3; default: the usual one.")]
RawOption = Annotated[str | None, typer.Option("--raw", help="Folder of the raw data, if it is not found by itself.")]
SeedsOption = Annotated[str, typer.Option("--seeds", help="Numbers joined by commas.")]
SeedOption = Annotated[int, typer.Option("--seed", help="Of the run that is looked at.")]
WorkOption = Annotated[Path, typer.Option("--work", help="Prepared data and weights (large).")]
ResultsOption = Annotated[Path, typer.Option("--results", help="Records, tables and pictures (small).")]
OnlyOption = Annotated[str | None, typer.Option("--only", help="Rows to run, joined by ';' (default: all).")]
RequestOption = Annotated[
    bool | None, typer.Option("--request-time/--no-request-time", help="Whether models may know the moment asked for.")
]
InterestsOption = Annotated[
    str | None,
    typer.Option("--derive-interests", help="Item feature of whose labels users get interests from first ratings."),
]
WORK, RESULTS = Path("runs/reproduce"), Path("results")
HELP = {
    "table1": "IntentRec and V0 beside LSTM, GRU, Transformer, SASRec, BERT4Rec, TransAct and a two-tower control.",
    "table2": "V0, V1 (flat), V2 (hierarchy), V3 (short-term interest of a month, a week).",
    "table3": "V3 with one intent at a time.",
    "windows": "V3 with H of an hour, a day, a week, a month, and V2, which has none.",
    "weights": "V3 with other weights of the intents' losses.",
    "times": "V3 with positions by timestamps or order, with and without attention by distance.",
    "retrieval": "Candidates: one vector a user, MIND, ComiRec-SA, interest tokens, DCM.",
    "interests": "Candidates: DCM with 2, 4, 7 and 12 interests, without its start, assignment, cosines, mixture.",
    "topics": "Candidates of a declared topic: learnt from logged source interests or from topics of the item.",
}


def _add(table: str) -> None:
    example = "simulated" if table == "topics" else "movielens-100k"  # whose users declare topics

    @app.command(
        name=table,
        help=HELP[table],
        epilog=f"Example: `intentrec reproduce {table} --dataset {example} --seeds 0,1,2`",
    )
    def command(
        dataset: DatasetOption,
        protocol: ProtocolOption = None,
        seeds: SeedsOption = "0",
        raw: RawOption = None,
        request_time: RequestOption = None,
        derive_interests: InterestsOption = None,
        only: OnlyOption = None,
        work: WorkOption = WORK,
        results: ResultsOption = RESULTS,
        again: Annotated[bool, typer.Option("--again", help="Replace runs of another configuration.")] = False,
        jobs: Annotated[int, typer.Option("--jobs", min=1, help="Runs at a time, each on its share of the cores.")] = 1,
    ) -> None:
        from pipelines.reproduce.reproduce import reproduce_table

        setting, places = _asked(dataset, protocol, raw, request_time, work, results, derive_interests)
        with resumable():
            typer.echo(
                reproduce_table(table, setting, numbers("--seeds", seeds), places, _rows(only), again, typer.echo, jobs)
            )


for _table in HELP:
    _add(_table)


@app.command(epilog="Example: `intentrec reproduce robustness --dataset foursquare-nyc`")
def robustness(
    dataset: DatasetOption,
    protocol: ProtocolOption = None,
    seed: SeedOption = 0,
    raw: RawOption = None,
    request_time: RequestOption = None,
    work: WorkOption = WORK,
    results: ResultsOption = RESULTS,
) -> None:
    """Replace the intents that Z is made of by uniform, shuffled and true ones: what becomes of the items?"""
    from pipelines.reproduce.reports import robustness_report

    setting, places = _asked(dataset, protocol, raw, request_time, work, results)
    with resumable():
        typer.echo(robustness_report(setting, seed, places, results, typer.echo))


def _shift(*asked: Any) -> str:
    from pipelines.reproduce.reports import shift_report

    return shift_report(*asked)


def _coverage(*asked: Any) -> str:
    from pipelines.reproduce.coverage import coverage_report

    return coverage_report(*asked)


def _add_report(name: str, example: str, words: str, report: Callable[..., str]) -> None:
    """A report on trained runs of several seeds."""

    @app.command(name=name, help=words, epilog=f"Example: `intentrec reproduce {name} {example}`")
    def command(
        dataset: DatasetOption,
        protocol: ProtocolOption = None,
        seeds: SeedsOption = "0",
        raw: RawOption = None,
        request_time: RequestOption = None,
        derive_interests: InterestsOption = None,
        work: WorkOption = WORK,
        results: ResultsOption = RESULTS,
    ) -> None:
        setting, places = _asked(dataset, protocol, raw, request_time, work, results, derive_interests)
        with resumable():
            typer.echo(report(setting, numbers("--seeds", seeds), places, results, typer.echo))


_add_report(
    "shift",
    "--dataset movielens-1m --seeds 0",
    "Accuracy on the first, second and third event after a change of interest, for V0 to V3 with every H.",
    _shift,
)
_add_report(
    "coverage",
    "--dataset simulated --seeds 0,1,2",
    "Candidates of one vector, of DCM and of declared topics side by side: recall, tail, coverage, overlap.",
    _coverage,
)


@app.command(epilog="Example: `intentrec reproduce cold --dataset simulated --seeds 0,1`")
def cold(
    dataset: DatasetOption,
    protocol: ProtocolOption = None,
    seeds: SeedsOption = "0",
    raw: RawOption = None,
    request_time: RequestOption = None,
    only: OnlyOption = None,
    work: WorkOption = WORK,
    results: ResultsOption = RESULTS,
) -> None:
    """Items that training never saw and users with little past, for V3 without and with id dropout."""
    from pipelines.reproduce.cold import cold_report

    setting, places = _asked(dataset, protocol, raw, request_time, work, results)
    with resumable():
        typer.echo(cold_report(setting, numbers("--seeds", seeds), places, results, _rows(only), typer.echo))


@app.command(epilog="Example: `intentrec reproduce figure6 --dataset foursquare-nyc`")
def figure6(
    dataset: DatasetOption,
    protocol: ProtocolOption = None,
    seed: SeedOption = 0,
    raw: RawOption = None,
    request_time: RequestOption = None,
    work: WorkOption = WORK,
    results: ResultsOption = RESULTS,
) -> None:
    """Group training users by V3's intent vector Z, name the groups by their intents, and draw them."""
    from pipelines.reproduce.figure6 import draw_figure6

    setting, places = _asked(dataset, protocol, raw, request_time, work, results)
    with resumable():
        typer.echo(f"written: {draw_figure6(setting, seed, places, results, typer.echo)}")


@app.command(epilog="Example: `intentrec reproduce figure7 --dataset movielens-100k --users 42,196`")
def figure7(
    dataset: DatasetOption,
    protocol: ProtocolOption = None,
    seed: SeedOption = 0,
    raw: RawOption = None,
    request_time: RequestOption = None,
    users: Annotated[str | None, typer.Option(help="Ids joined by commas (default: four who differ most).")] = None,
    work: WorkOption = WORK,
    results: ResultsOption = RESULTS,
) -> None:
    """Draw which intents mattered to V3 for a few users, beside their last events."""
    from pipelines.reproduce.figure7 import draw_figure7

    setting, places = _asked(dataset, protocol, raw, request_time, work, results)
    chosen = [user.strip() for user in users.split(",")] if users is not None else None
    with resumable():
        typer.echo(f"written: {draw_figure7(setting, seed, places, results, typer.echo, chosen)}")


@app.command(epilog="Example: `intentrec reproduce page`")
def page(results: ResultsOption = RESULTS) -> None:
    """Write results/README.md and the pictures of its tables from the records."""
    from pipelines.reproduce.page import write_page
    from pipelines.reproduce.pictures import draw_tables

    draw_tables(results)
    typer.echo(f"written: {write_page(results)}")


def _asked(
    dataset: str,
    protocol: str | None,
    raw: str | None,
    request_time: bool | None,
    work: Path,
    results: Path,
    interests: str | None = None,
) -> tuple[Setting, Places]:
    """The setting that the options name, and where its things go."""
    from pipelines.reproduce.protocols import Setting
    from pipelines.reproduce.runs import Places

    return Setting.of(dataset, protocol, request_time, raw, interests), Places(work, results / "runs")


def _rows(only: str | None) -> list[str] | None:
    """Names of the rows wanted; None wants all."""
    return [name.strip() for name in only.split(";") if name.strip()] if only else None
