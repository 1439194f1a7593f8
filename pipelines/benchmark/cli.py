"""``intentrec benchmark``: speed and memory, each command with a table, JSON and, where it helps, a picture."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from pipelines.options import RunOption, numbers

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Measure speed and memory on this machine.",
    epilog="Example: `intentrec benchmark train --data data/ml-1m-loo --no-peer`",
)
JsonOption = Annotated[Path | None, typer.Option("--json", help="Write the result here.")]
PictureOption = Annotated[Path | None, typer.Option("--picture", help="Draw the result here (PNG, SVG or PDF).")]
DataOption = Annotated[Path, typer.Option("--data", help="Folder that 'prepare' wrote.")]


@app.command(
    epilog="""Examples:

`intentrec prepare movielens-1m --raw ~/ml-1m --split leave-one-out --validation-users 1 --out data/ml-1m-loo`

`intentrec benchmark train --data data/ml-1m-loo --json train.json --picture train.png`
"""
)
def train(
    data: DataOption,
    epochs: Annotated[int, typer.Option(help="Of the same SASRec in ours and RecTools, turn by turn.", min=1)] = 8,
    other_epochs: Annotated[int, typer.Option(help="Of V0, V3, GRU and BERT4Rec.", min=1)] = 3,
    peer: Annotated[bool, typer.Option(help="Train RecTools too (installs it once, about 1 GB).")] = True,
    json_file: JsonOption = None,
    picture: PictureOption = None,
) -> None:
    """Train the same SASRec in ours and in RecTools alternately; then V0, V3, GRU, BERT4Rec; then the parts of a step.

    On two cores with MovieLens-1M this takes about half an hour, most of it RecTools'.
    """
    _check(picture)
    from pipelines.benchmark.pictures import plot_train
    from pipelines.benchmark.train import benchmark_train
    from pipelines.prepared import PreparedData

    record = benchmark_train(PreparedData(data), epochs, other_epochs, peer, say=typer.echo)
    rows = [
        (
            name,
            f"{record['seconds_an_epoch'][name]:.2f}",
            f"{speed:,}",
            f"{record['peak_mb'][name]:,}",
            f"{record['validation'][name]['NDCG@10']:.4f} / {len(record['epochs'][name])}",
        )
        for name, speed in record["targets_per_second"].items()
    ]
    header = ("model", "s an epoch", "targets a second", "peak MB", "NDCG@10 / epochs")
    _table("median epoch", header, rows)
    for key, words in (("sasrec", "the same SASRec"), ("v3", "IntentRec V3 against RecTools' SASRec")):
        if f"ratio_{key}_vs_rectools" in record:
            typer.echo(f"{words}: {record[f'ratio_{key}_vs_rectools']:.1f} times as fast")
    parts = record["parts_of_a_step"]
    shares = (
        (name, f"{part['ms']:.1f}", f"{part['gflops']:.0f}", f"{part['share_of_peak']:.0%}")
        for name, part in parts["parts"].items()
    )
    title = (
        f"a SASRec step of {parts['positions']:,} positions; this machine's peak: {parts['peak_gflops']:.0f} GFLOP/s"
    )
    _table(title, ("part", "ms", "GFLOP/s", "of peak"), shares)
    typer.echo("same first epoch again, bit for bit: " + ("yes" if record["first_loss_repeats_bit_for_bit"] else "NO"))
    _keep(record, json_file)
    if picture:
        plot_train(record, picture)


@app.command(epilog="Example: `intentrec benchmark growth --json results/benchmark-growth.json --picture growth.png`")
def growth(
    largest: Annotated[int, typer.Option(help="Leave out catalogues above.", min=3_706)] = 1_000_000,
    json_file: JsonOption = None,
    picture: PictureOption = None,
) -> None:
    """Step time and memory against history length (50..1,000), catalogue (3.7k..1M) and width; ten minutes."""
    _check(picture)
    from pipelines.benchmark.growth import benchmark_growth
    from pipelines.benchmark.pictures import plot_growth

    record = benchmark_growth(typer.echo, largest)
    ratio = record["ratio_largest_vs_smallest_catalogue"]
    typer.echo(f"sampled softmax: a step over the largest catalogue takes {ratio} times the smallest's")
    _keep(record, json_file)
    if picture:
        plot_growth(record, picture)


@app.command(
    epilog="Example: `intentrec benchmark evaluate --data data/ml-1m-loo --json results/benchmark-evaluate.json`"
)
def evaluate(
    data: DataOption,
    repeats: Annotated[int, typer.Option(help="The median counts.", min=1)] = 3,
    users: Annotated[int, typer.Option(help="Of the catalogue of a million items.", min=1)] = 10_000,
    json_file: JsonOption = None,
) -> None:
    """Rank the whole catalogue for the test part, and a million items for 10,000 users."""
    from pipelines.benchmark.evaluate import benchmark_evaluate
    from pipelines.prepared import PreparedData

    _keep(benchmark_evaluate(PreparedData(data), repeats, users, typer.echo), json_file)


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    epilog="""Examples:

`intentrec benchmark prepare --json results/benchmark-prepare.json movielens-1m --raw ~/ml-1m`

`intentrec benchmark prepare --sizes 1000000,10000000 --engines pandas,spark --picture prepare.png`
""",
)
def prepare(
    context: typer.Context,
    repeats: Annotated[int, typer.Option(help="The median counts.", min=1)] = 3,
    sizes: Annotated[str | None, typer.Option(help="Events of simulated logs, once each, instead of data.")] = None,
    engines: Annotated[str, typer.Option(help="With --sizes: pandas, spark or both, joined by a comma.")] = "pandas",
    json_file: JsonOption = None,
    picture: PictureOption = None,
) -> None:
    """Time 'intentrec prepare' with the arguments given (without --out), or on simulated logs of several sizes."""
    from pipelines.benchmark.prepare import benchmark_prepare
    from pipelines.benchmark.prepare_growth import ENGINES, benchmark_prepare_growth
    from pipelines.options import numbers
    from pipelines.validate import DataError

    _check(picture)
    if sizes is None:
        if picture:
            raise DataError("--picture shows how preparation grows; add --sizes, for example --sizes 100000,1000000.")
        record = benchmark_prepare(context.args, repeats, typer.echo)
        typer.echo(f"{record['events_per_second']:,} events a second, peak {record['peak_mb']:,} MB")
        _keep(record, json_file)
        return
    wanted = engines.split(",")
    if unknown := set(wanted) - set(ENGINES):
        raise DataError(f"--engines {min(unknown)}: is no engine; choose from {', '.join(ENGINES)}.")
    if context.args or 0 in numbers("--sizes", sizes):
        raise DataError("--sizes takes whole numbers from 1 on, and no arguments of 'prepare' beside it.")
    record = benchmark_prepare_growth(sorted(numbers("--sizes", sizes)), wanted, typer.echo)
    _keep(record, json_file)
    if picture:
        from pipelines.benchmark.pictures import plot_prepare

        plot_prepare(record, picture)


@app.command(
    epilog="Example: `intentrec benchmark serve --run runs/v3 --json results/benchmark-serve.json --picture serve.png`"
)
def serve(
    run: RunOption,
    limit: Annotated[float, typer.Option(help="Milliseconds for 99 of 100 answers at a sustained rate.")] = 50.0,
    seconds: Annotated[float, typer.Option(help="Of each constant rate.", min=0.1)] = 4.0,
    rounds: Annotated[int, typer.Option(help="Of single calls, ten of each kind in turn.", min=1)] = 20,
    server: Annotated[
        str | None,
        typer.Option(
            help="local or tensorflow_model_server; default: the latter if TENSORFLOW_MODEL_SERVER or PATH names one."
        ),
    ] = None,
    json_file: JsonOption = None,
    picture: PictureOption = None,
) -> None:
    """Latency of each signature in the process and served, alone and at rising constant rates; some minutes."""
    _check(picture)
    import tempfile

    from pipelines.benchmark.pictures import plot_serve
    from pipelines.benchmark.serve import benchmark_serve
    from pipelines.genuine_server import NAME, VARIABLE, find_binary
    from pipelines.run_folder import RunFolder
    from pipelines.validate import DataError

    if server not in (None, "local", NAME):
        raise DataError(f"--server: '{server}' is neither local nor {NAME}.")
    binary = None if server == "local" else find_binary()
    if server == NAME and binary is None:
        raise DataError(f"--server: there is no {NAME} on PATH, so set {VARIABLE} to one, or measure the local server.")
    typer.echo(f"server: {binary or 'local'}")
    with tempfile.TemporaryDirectory() as work:
        record = benchmark_serve(RunFolder(run), Path(work), limit, seconds, rounds, typer.echo, binary)
    rows = (
        (
            name,
            f"{record['in_process_p50_ms'][name]:.2f}",
            f"{record['p50_ms'][name]:.2f}",
            f"{record['p99_ms'][name]:.2f}",
            f"{record['ratio_batch_vs_one'][name]:.1f}",
            *(f"{record['rates'][batching][name]['sustained_rps']:.0f}" for batching in ("off", "on")),
        )
        for name in record["p50_ms"]
    )
    header = ("signature", "in process, p50 ms", "served, p50 ms", "p99 ms", "batch of 32 / 1", "a second", "batched")
    _table("one caller; then the rate sustained without and with batching", header, rows)
    typer.echo(f"intent takes {record['ratio_intent_vs_item']:.2f} times as long as item")
    typer.echo(f"the Keras model alone: {record['keras_p50_ms']:.2f} ms")
    _keep(record, json_file)
    if picture:
        plot_serve(record, picture)


@app.command(
    epilog="Example: `intentrec benchmark retrieve --json results/benchmark-retrieve.json --picture retrieve.png`"
)
def retrieve(
    catalogues: Annotated[str, typer.Option(help="Numbers of items, with commas between.")] = (
        "10000,30000,100000,300000,1000000"
    ),
    calls: Annotated[int, typer.Option(help="Of each search with each number of queries.", min=2)] = 100,
    threads: Annotated[int, typer.Option(help="Of a search; the local server gives it one.", min=1)] = 1,
    noise: Annotated[
        float, typer.Option(help="How loose the clusters of vectors are; 0.5 flatters FAISS.", min=0)
    ] = 1.0,
    json_file: JsonOption = None,
    picture: PictureOption = None,
) -> None:
    """Latency and memory of a search for candidates with 1 to 12 queries, exact and FAISS; ten minutes."""
    _check(picture)
    from pipelines.benchmark.pictures import plot_retrieve
    from pipelines.benchmark.retrieve import KINDS, NEAREST, benchmark_retrieve
    from pipelines.validate import DataError

    sizes = sorted(numbers("--catalogues", catalogues))
    if sizes[0] < NEAREST:
        raise DataError(f"--catalogues: name numbers of items from {NEAREST} on, for as many are searched for.")
    record = benchmark_retrieve(sizes, calls, threads, noise, typer.echo)
    last = str(record["largest"]["items"])
    rows = (
        (
            kind,
            *(f"{record[what][kind][last]['12']:.1f}" for what in ("p50_ms", "p99_ms")),
            f"{record['memory_mb'][kind][last]['12']:,}",
            f"{record['recall_at_100'][kind][last]:.4f}",
        )
        for kind in KINDS
    )
    title = f"{int(last):,} items, {record['dim']} dimensions, 12 queries at once"
    _table(title, ("search", "p50 ms", "p99 ms", "peak MB", "recall@100"), rows)
    _keep(record, json_file)
    if picture:
        plot_retrieve(record, picture)


@app.command(epilog="Example: `intentrec benchmark catalogue --json results/million-items.json`")
def catalogue(
    size: Annotated[str, typer.Option(help="Of the simulated service: 1m-items or 100k-items.")] = "1m-items",
    epochs: Annotated[int, typer.Option(help="Of either training.", min=1)] = 1,
    json_file: JsonOption = None,
) -> None:
    """Prepare, train, export, serve and ask with a million items: seconds and peak memory of each step."""
    import tempfile

    from pipelines.benchmark.catalogue import benchmark_catalogue

    with tempfile.TemporaryDirectory(prefix="intentrec-benchmark-") as work:
        record = benchmark_catalogue(size, Path(work), epochs, typer.echo)
    rows = ((name, f"{value:.0f}", f"{record['peak_mb'][name]:,}") for name, value in record["seconds"].items())
    _table(f"{record['items']:,} items, {record['events']:,} events", ("step", "seconds", "peak MB"), rows)
    _keep(record, json_file)


def _check(picture: Path | None) -> None:
    """Before half an hour's work: can its picture be drawn?"""
    from pipelines.validate import DataError

    if picture is None:
        return
    if picture.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise DataError(f"--picture {picture}: is neither .png nor .svg nor .pdf; give it one of these endings.")
    picture.parent.mkdir(parents=True, exist_ok=True)


def _table(title: str, header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title)
    for i, name in enumerate(header):
        table.add_column(name, justify="right" if i else "left")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def _keep(record: dict[str, Any], path: Path | None) -> None:
    from pipelines.report import write_record

    if path:
        write_record(record, path)
        typer.echo(f"written: {path}")
