"""The ``intentrec`` commands about candidates.  TensorFlow is imported inside them."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from pipelines.options import ExplicitOption, ImplicitOption, Part, RunOption, numbers

app = typer.Typer()


@app.command(
    "two-stage",
    epilog="""Examples:

`intentrec two-stage --implicit runs/dcm --counts 100,500`

`intentrec two-stage --implicit runs/dcm --explicit runs/topics --run runs/v3 --json results/two-stage.json`

`intentrec two-stage --implicit runs/dcm --ranker runs/din --ranker runs/dcn --part validation`
""",
)
def two_stage(
    implicit: ImplicitOption,
    explicit: ExplicitOption = None,
    run: Annotated[Path | None, typer.Option(help="Run that ranks the candidates by its item state.")] = None,
    ranker: Annotated[list[Path] | None, typer.Option(help="Ranking run to compare with it (several times).")] = None,
    counts: Annotated[str, typer.Option(help="List lengths, with commas between.")] = "100,500",
    part: Annotated[Part, typer.Option(help="Which part; choices belong on validation.")] = Part.test,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write the result here.")] = None,
    max_targets: Annotated[int | None, typer.Option(help="A random subset of this size.", min=1)] = None,
) -> None:
    """Recall of candidates, and what the ranking of them loses against ranking everything."""
    from rich.console import Console

    from pipelines.report import write_record
    from pipelines.two_stage_report import print_two_stages, two_stage_record

    lengths = numbers("--counts", counts)
    record = two_stage_record(implicit, explicit, run, lengths, part.value, max_targets, ranker or [])
    print_two_stages(record, Console())
    if json_file:
        write_record(record, json_file)


class Index(str, Enum):
    """Where item vectors may be searched, on the command line."""

    exact = "exact"
    faiss = "faiss"
    milvus = "milvus"


class Algorithm(str, Enum):
    """How FAISS may search, on the command line."""

    ivf = "ivf"
    hnsw = "hnsw"


@app.command(
    epilog="""Examples:

`intentrec index --run runs/dcm --kind faiss --out index/dcm`

`intentrec index --run runs/dcm --kind milvus --out http://milvus:19530 --collection films`
"""
)
def index(
    run: RunOption,
    out: Annotated[str, typer.Option(help="Folder; for Milvus its address or a .db file.")],
    kind: Annotated[Index, typer.Option(help="Which index; faiss and milvus need their extras.")] = Index.exact,
    algorithm: Annotated[Algorithm, typer.Option(help="Of FAISS.")] = Algorithm.ivf,
    collection: Annotated[str, typer.Option(help="Of Milvus.")] = "items",
) -> None:
    """Put a retrieval run's item vectors into an index outside the model, for catalogues beyond about a million."""
    from pipelines.item_index import build_index
    from pipelines.run_folder import RunFolder

    folder = RunFolder(run)
    with build_index(folder, kind.value, out, collection, algorithm.value) as made:
        typer.echo(f"{len(made):,} items of version {folder.version()} in {out}")
