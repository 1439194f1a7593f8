"""The ``intentrec`` commands about data.  TensorFlow is imported inside them."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.options import DataOption
from pipelines.validate import DataError

if TYPE_CHECKING:
    from pipelines.spark import SparkEngine

app = typer.Typer()


class Engine(str, Enum):
    """What runs the passes over the log, on the command line."""

    pandas = "pandas"
    spark = "spark"


class Split(str, Enum):
    """How to split, on the command line."""

    time = "time"
    leave_one_out = "leave-one-out"


@app.command(epilog="Examples: `intentrec data` · `intentrec data movielens-100k`")
def data(
    name: Annotated[str | None, typer.Argument(help="A data set to fetch into the cache.")] = None,
) -> None:
    """List the known data sets, or fetch one that can be fetched."""
    from pipelines.datasets.fetch import fetch
    from pipelines.datasets.registry import NAMES

    if name is None:
        width = max(map(len, NAMES))
        for known, description in NAMES.items():
            typer.echo(f"{known:<{width}}  {description}")
        return
    typer.echo(f"{name}: {fetch(name, progress=typer.echo).folder}")


@app.command(
    epilog="""Examples:

`intentrec prepare movielens-100k --out data/ml-100k`

`intentrec prepare movielens-1m --raw ~/ml-1m --split leave-one-out --validation-users 0.1 --out data/ml-1m`

`intentrec prepare tables --events log.csv --items items.csv --schema shop.yaml --out data/shop`

`intentrec prepare movielens-1m --derive-interests genres --out data/ml-1m-topics`

`intentrec prepare simulated --seed 1 --out data/simulated`

`intentrec prepare tables --engine spark --spark spark.master=local[2] --events log/ --schema shop.yaml --out data/shop`

`intentrec prepare tables --engine spark --format jdbc --option url=jdbc:... --events log --schema x.yaml --out data/x`
"""
)
def prepare(
    dataset: Annotated[str, typer.Argument(help="Name from 'intentrec data'.")],
    out: Annotated[Path, typer.Option(help="Output folder; appears whole or not at all.")],
    raw: Annotated[str | None, typer.Option(help="Folder or zip of the raw data set.")] = None,
    events: Annotated[
        str | None, typer.Option(help="Event log: CSV, CSV.gz, Parquet, or a folder of Parquet files ('tables').")
    ] = None,
    items: Annotated[str | None, typer.Option(help="Catalogue ('tables').")] = None,
    interests: Annotated[str | None, typer.Option(help="Declared interests ('tables').")] = None,
    schema: Annotated[str | None, typer.Option(help="Schema YAML instead of the packaged one.")] = None,
    split: Annotated[Split, typer.Option(help="How to split.")] = Split.time,
    train_share: Annotated[float, typer.Option(help="Share of events before t1 (time split).")] = 0.8,
    validation_share: Annotated[float, typer.Option(help="Share of events from t1 to t2 (time split).")] = 0.1,
    validation_users: Annotated[
        float, typer.Option(help="Share of users with a validation event (leave-one-out).")
    ] = 1.0,
    min_interactions: Annotated[int, typer.Option(help="Leave out items with fewer events.")] = 1,
    request_time: Annotated[
        bool | None, typer.Option(help="Whether the moment of the question is an input, instead of the schema's word.")
    ] = None,
    exclude_seen: Annotated[
        bool | None, typer.Option(help="Whether seen items are never recommended, instead of the schema's word.")
    ] = None,
    min_item_count: Annotated[
        int | None, typer.Option(help="Training events an item needs to be known, instead of the schema's; 0: none.")
    ] = None,
    derive_interests: Annotated[
        str | None,
        typer.Option(help="Item feature of whose labels users get interests from their first ratings (none declared)."),
    ] = None,
    max_reject_share: Annotated[float, typer.Option(help="Fail if more of a file's rows are rejected.")] = 0.2,
    seed: Annotated[int, typer.Option(help="Of the simulated service.")] = 0,
    size: Annotated[
        str | None, typer.Option(help="Of the simulated service: tiny, small, medium, large, 100k-items or 1m-items.")
    ] = None,
    engine: Annotated[Engine, typer.Option(help="What runs: this process, or Spark ('tables').")] = Engine.pandas,
    spark: Annotated[list[str] | None, typer.Option(help="KEY=VALUE, a setting of Spark.")] = None,
    format_: Annotated[
        str | None, typer.Option("--format", help="Spark's source of the events: parquet, delta, jdbc, table, ...")
    ] = None,
    option: Annotated[list[str] | None, typer.Option(help="KEY=VALUE, an option of that source.")] = None,
) -> None:
    """Validate a raw log, derive intents, split, and write training records.

    Tables of any length run in little memory: they are read in pieces and sorted by user on disk, or on Spark.
    Rejected rows are counted, printed and listed in rejected.csv with file, row, field and reason.
    """
    from pipelines.derived_interests import InterestRule
    from pipelines.prepare import PrepareConfig
    from pipelines.prepare import prepare as run_prepare
    from pipelines.split import SplitConfig

    splitting = SplitConfig(
        kind=split.name,
        train_share=train_share,
        validation_share=validation_share,
        validation_users=validation_users,
    )
    config = PrepareConfig(
        dataset=dataset,
        raw=raw,
        events=events,
        items=items,
        interests=interests,
        schema_file=schema,
        seed=seed,
        size=size,
        split=splitting,
        max_reject_share=max_reject_share,
        min_interactions=min_interactions,
        request_time=request_time,
        exclude_seen=exclude_seen,
        min_item_count=min_item_count,
        derive_interests=None if derive_interests is None else InterestRule(feature=derive_interests),
    )
    run_prepare(config, out, typer.echo, _spark(engine, spark or [], format_, option or []))


def _spark(engine: Engine, conf: list[str], source: str | None, options: list[str]) -> SparkEngine | None:
    """What the options say of Spark; None for pandas."""
    if engine == Engine.pandas:
        if conf or source or options:
            raise DataError("--spark, --format and --option are for Spark; add --engine spark.")
        return None
    try:
        from pipelines.spark import SparkEngine
    except ImportError:
        raise DataError("Spark is not installed; run pip install 'intentrec_tf[train,spark]'.") from None
    return SparkEngine(_pairs("--spark", conf), source, _pairs("--option", options))


def _pairs(option: str, words: list[str]) -> dict[str, str]:
    for word in words:
        if not word.partition("=")[1]:
            raise DataError(f"{option} {word}: is no KEY=VALUE; write for example {option} key=value.")
    return {key: value for key, _, value in (word.partition("=") for word in words)}


@app.command(
    epilog="""Examples:

`intentrec look --data data/ml-1m --out look/ml-1m`

`intentrec look --data data/shop --out look/shop --feature brand --segments 3,20`

`intentrec look --data data/shop --out look/shop --json > shop.json`
"""
)
def look(
    data: DataOption,
    out: Annotated[Path, typer.Option(help="Folder for README.md, pictures and look.json.")],
    feature: Annotated[
        str | None, typer.Option(help="Item feature that holds interests (default: the schema's).")
    ] = None,
    segments: Annotated[
        str, typer.Option(help="Most training events of a new and of a casual user; core users have more.")
    ] = "5,50",
    print_json: Annotated[bool, typer.Option("--json", help="Print the numbers as JSON instead of sentences.")] = False,
) -> None:
    """Look at prepared data: size, tail, interests a user, declared interests, intents, quality, as a page."""
    from pipelines.look.look import as_json
    from pipelines.look.look import look as run_look
    from pipelines.prepared import PreparedData
    from pipelines.segments import parse_bounds

    bounds = parse_bounds(segments)
    numbers = run_look(PreparedData(data), out, (lambda line: None) if print_json else typer.echo, feature, bounds)
    if print_json:
        typer.echo(as_json(numbers), nl=False)
