"""The ``intentrec`` commands about candidates.  TensorFlow is imported inside them."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from pipelines.merging import Merging
from pipelines.options import (
    ExplicitOption,
    GuardrailOption,
    ImplicitOption,
    Part,
    RunOption,
    ScoreOption,
    ShareOption,
    numbers,
)
from serving.candidates import FaissParameters

app = typer.Typer()
FAISS = FaissParameters()


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
    explicit_share: ShareOption = Merging.explicit_share,
    guardrail: GuardrailOption = True,
    by_score: ScoreOption = None,
) -> None:
    """Recall of candidates, and what the ranking of them loses against ranking everything."""
    from rich.console import Console

    from pipelines.report import write_record
    from pipelines.two_stage_report import print_two_stages, two_stage_record

    lengths = numbers("--counts", counts)
    merging = Merging(explicit_share, guardrail, by_score)
    record = two_stage_record(implicit, explicit, run, lengths, part.value, max_targets, ranker or [], merging)
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

`intentrec index --run runs/dcm --kind faiss --out index/dcm --algorithm hnsw --ef-search 512`

`intentrec index --run runs/dcm --kind milvus --out http://milvus:19530 --collection films`
"""
)
def index(
    run: RunOption,
    out: Annotated[str, typer.Option(help="Folder; for Milvus its address or a .db file.")],
    kind: Annotated[Index, typer.Option(help="Which index; faiss and milvus need their extras.")] = Index.exact,
    algorithm: Annotated[Algorithm, typer.Option(help="Of FAISS.")] = Algorithm.ivf,
    collection: Annotated[str, typer.Option(help="Of Milvus.")] = "items",
    lists: Annotated[int, typer.Option(help="Of IVF; 0: four times the root of the items.", min=0)] = FAISS.lists,
    probes: Annotated[int, typer.Option(help="Of IVF: lists that a search looks at.", min=1)] = FAISS.probes,
    ef_search: Annotated[int, typer.Option(help="Of HNSW: items a search keeps in view.", min=1)] = FAISS.ef_search,
) -> None:
    """Put a retrieval run's item vectors into an index outside the model, and say how much it finds of the truth.

    For catalogues beyond about a million items.
    """
    from pipelines.item_index import NEAREST, build_index, recall_of_questions
    from pipelines.run_folder import RunFolder

    folder = RunFolder(run)
    parameters = FaissParameters(algorithm=algorithm.value, lists=lists, probes=probes, ef_search=ef_search)
    with build_index(folder, kind.value, out, collection, parameters) as made:
        typer.echo(f"{len(made):,} items of version {folder.version()} in {out}")
        if kind is not Index.exact:
            recall, questions = recall_of_questions(folder, made)
            typer.echo(
                f"finds {recall.mean:.2%} of the {min(NEAREST, len(made))} nearest items of an exact search, at worst "
                f"{recall.worst:.0%} ({questions:,} questions of the test part)"
            )
