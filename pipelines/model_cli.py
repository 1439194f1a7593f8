"""The ``intentrec`` commands about models that predict intents and items.  TensorFlow is imported inside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from pipelines.interrupt import resumable
from pipelines.merging import Merging
from pipelines.options import (
    DataOption,
    ExplicitOption,
    GuardrailOption,
    Part,
    RunOption,
    ScoreOption,
    ShareOption,
)
from pipelines.validate import DataError

app = typer.Typer()


@app.command(
    epilog="""Examples:

`intentrec train --data data/ml-1m --run runs/v3 --config movielens-1m`

`intentrec train --data data/ml-1m --run runs/v0 --set model.variant=V0 --set training.epochs=20`

`intentrec train --data data/ml-1m --run runs/din --config ranking
--set ranking.run=runs/v3 --set ranking.retrieval=runs/dcm`
"""
)
def train(
    data: DataOption,
    run: RunOption,
    config: Annotated[str, typer.Option(help="YAML file, or the name of a built-in one.")] = "default",
    set_: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE over the configuration.")] = None,
) -> None:
    """Fit a model; the same command again resumes an interrupted run."""
    from pipelines.config import RunConfig
    from pipelines.prepared import PreparedData

    prepared = PreparedData(data)
    chosen = RunConfig.read(config, _assignments(set_ or []))
    from pipelines.replicas import keeps_run
    from pipelines.report import plot_history
    from pipelines.run_folder import RunFolder
    from pipelines.train import train as run_train

    folder = RunFolder(run)
    with resumable("after the last finished epoch"):
        run_train(prepared, chosen, folder, typer.echo)
    if not keeps_run(chosen.training):
        return
    picture = run / "curves.png"
    plot_history(folder.history, picture)
    typer.echo(f"learning curves: {picture}")


@app.command(
    epilog="""Examples:

`intentrec tune --data data/ml-100k --trials 20 --out tuned.yaml`

`intentrec tune --data data/ml-100k --set model.variant=SASRec --search model.dropout --out sasrec.yaml`
"""
)
def tune(
    data: DataOption,
    out: Annotated[Path, typer.Option(help="The best configuration as YAML, for 'train --config'.")],
    config: Annotated[str, typer.Option(help="Where to start: YAML file or built-in name.")] = "default",
    set_: Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE over the configuration.")] = None,
    search: Annotated[list[str] | None, typer.Option(help="Key to search (several times); default: the usual.")] = None,
    trials: Annotated[int, typer.Option(help="In all.", min=1)] = 20,
    work: Annotated[Path | None, typer.Option(help="Keeps the search (default: beside --out).")] = None,
) -> None:
    """Search for a configuration on the validation part with optuna; the same command again goes on."""
    from pipelines.config import RunConfig
    from pipelines.prepared import PreparedData

    prepared = PreparedData(data)
    base = RunConfig.read(config, _assignments(set_ or []))
    from pipelines.tune import tune as run_tune
    from pipelines.tune import usual_keys, write_config

    place = work or out.with_suffix(".tuning")
    with resumable("after the last finished trial"):
        best = run_tune(prepared, base, search or usual_keys(base), trials, place, typer.echo)
    write_config(best, out, f"{best.title} for {prepared.spec.schema.name}.")
    typer.echo(f"written: {out}")


@app.command(epilog="Example: `intentrec evaluate --run runs/v3 --json results/v3.json`")
def evaluate(
    run: RunOption,
    part: Annotated[Part, typer.Option(help="Which part; choices belong on validation.")] = Part.test,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write the result here.")] = None,
    batch: Annotated[int, typer.Option(help="Targets scored at once.", min=1)] = 256,
    max_targets: Annotated[int | None, typer.Option(help="A random subset of this size.", min=1)] = None,
) -> None:
    """Rank the whole catalogue for every target, beside the baselines; score the intents.

    Targets that training never saw, and users with little past, also by themselves.
    """
    from rich.console import Console

    from pipelines.cold_start import cold_start
    from pipelines.evaluate import evaluate as run_evaluate
    from pipelines.report import evaluation_record, print_record, write_record
    from pipelines.run_folder import RunFolder
    from pipelines.split import PARTS

    folder = RunFolder(run)
    model, prepared, config = folder.load_scorer()
    number = PARTS.index(part.value)
    result = run_evaluate(model, prepared, number, batch, max_targets)
    record = evaluation_record(result, prepared, config, number)
    record["cold_start"] = cold_start(result, model, prepared, number, batch).record()
    print_record(record, Console())
    if part is Part.test and max_targets is None:
        folder.keep_evaluation(record)
    if json_file:
        write_record(record, json_file)


@app.command(epilog="Example: `intentrec probe --run runs/simulated --json results/probe.json`")
def probe(
    run: RunOption,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write the result here.")] = None,
) -> None:
    """Read the planted intents of the simulated service off the frozen intent vector Z with a linear model."""
    from pipelines.environment import provenance
    from pipelines.probe import probe as run_probe
    from pipelines.report import write_record
    from pipelines.run_folder import RunFolder

    model, prepared, config = RunFolder(run).load_next_item_model()
    answers = run_probe(model, prepared, typer.echo)
    if json_file:
        identity = {"dataset": prepared.spec.schema.name, "fingerprint": prepared.fingerprint}
        write_record(
            {**identity, "config": config.model_dump(mode="json"), "probe": answers, **provenance()}, json_file
        )


@app.command(
    epilog="""Examples:

`intentrec export --run runs/v3 --out export/intentrec`

`intentrec export --run runs/v3 --implicit runs/dcm --explicit runs/topics --out export/intentrec`

`intentrec export --run runs/v3 --implicit runs/dcm --ranker runs/din --out export/intentrec`
"""
)
def export(
    run: RunOption,
    out: Annotated[Path, typer.Option(help="Base path; each export is a new numbered version in it.")],
    top_k: Annotated[int, typer.Option(help="Items the 'item' signature returns.", min=1)] = 100,
    implicit: Annotated[Path | None, typer.Option(help="Retrieval run of interests in the history.")] = None,
    explicit: ExplicitOption = None,
    candidates: Annotated[int, typer.Option(help="Items the 'retrieve' signature returns.", min=1)] = 500,
    ranker: Annotated[Path | None, typer.Option(help="Ranking run, for the 'rank' signature.")] = None,
    explicit_share: ShareOption = Merging.explicit_share,
    guardrail: GuardrailOption = True,
    by_score: ScoreOption = None,
) -> None:
    """Write a SavedModel with the signatures intent, item, rank and embed, and with --implicit also retrieve."""
    from pipelines.export import export as run_export
    from pipelines.run_folder import RunFolder

    found = RunFolder(implicit) if implicit else None
    topics = RunFolder(explicit) if explicit else None
    ranks = RunFolder(ranker) if ranker else None
    merging = Merging(explicit_share, guardrail, by_score)
    typer.echo(f"exported to {run_export(RunFolder(run), out, top_k, found, topics, candidates, ranks, merging)}")


@app.command(epilog="Example: `intentrec verify export/intentrec/20261122101500`")
def verify(
    version: Annotated[Path, typer.Argument(help="Folder of an exported version.")],
) -> None:
    """Ask an exported version its warm-up requests and compare with what Keras answered at the export."""
    from pipelines.export import verify as run_verify

    found = run_verify(version)
    typer.echo(
        f"{version}: {found.requests} requests to {', '.join(found.signatures)} answered as Keras did "
        f"(largest difference {found.largest_difference:.1g})."
    )


def _assignments(words: list[str]) -> dict[str, Any]:
    """``["model.dim=32"] -> {"model": {"dim": 32}}``; values are JSON where they can be, else text."""
    values: dict[str, Any] = {}
    for word in words:
        path, equals, text = word.partition("=")
        keys = path.split(".")
        if not equals or not all(keys):
            raise DataError(f"--set {word}: is not KEY=VALUE; write for example --set model.variant=V0.")
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        inner = values
        for key in keys[:-1]:
            inner = inner.setdefault(key, {})
            if not isinstance(inner, dict):
                raise DataError(f"--set {word}: '{key}' already has a value; set one or the other.")
        inner[keys[-1]] = value
    return values
