"""The ``intentrec`` commands.  TensorFlow is imported inside the commands that need it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import pydantic
import typer

from intentrec_tf.schema import SchemaError
from pipelines.benchmark.cli import app as benchmark
from pipelines.calibration_cli import app as calibration
from pipelines.data_cli import app as data
from pipelines.drift.cli import EPILOG as DRIFT_EPILOG
from pipelines.drift.cli import drift
from pipelines.interrupt import resumable
from pipelines.model_server import ServerStartError
from pipelines.options import DataOption, ExplicitOption, Part, RunOption
from pipelines.release_cli import app as release
from pipelines.reproduce.cli import app as reproduce
from pipelines.retrieval_cli import app as retrieval
from pipelines.serve_command import serve
from pipelines.validate import DataError
from pipelines.web_cli import app as web_page
from serving.release.errors import ReleaseError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Know what the user came to do, then decide what to show.",
    epilog="First time here? `intentrec demo` goes the whole way on MovieLens-100K.",
)
app.add_typer(data)
app.add_typer(benchmark, name="benchmark")
app.add_typer(reproduce, name="reproduce")
app.add_typer(release, name="release")
app.add_typer(retrieval)
app.add_typer(web_page)
app.add_typer(calibration)
PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True}


def run(argv: list[str]) -> int:
    """Run the application; known problems become one sentence on standard error and exit code 2."""
    try:
        app(argv, prog_name="intentrec", standalone_mode=True)
    except (DataError, SchemaError, ServerStartError, ReleaseError) as error:
        return _complain(str(error))
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        option = "--" + "-".join(map(str, first["loc"])).replace("_", "-") + ": " if first["loc"] else ""
        return _complain(f"{option}{first['msg'].removeprefix('Value error, ')}.")
    except OSError as error:
        return _complain(f"{error.filename or 'a file'}: {error.strerror or error}; name another place or free it.")
    except Exception as error:
        tensorflow = sys.modules.get("tensorflow")  # imported only where a command needed it
        if tensorflow and isinstance(error, tensorflow.errors.DataLossError):
            return _complain("the prepared data are damaged; delete their folder and run 'intentrec prepare' again.")
        raise
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 1
    return 0


@app.command(epilog="Example: `intentrec demo --out demo`")
def demo(
    out: Annotated[Path, typer.Option(help="Folder for data, run and export.")] = Path("demo"),
    raw: Annotated[str | None, typer.Option(help="Folder of MovieLens-100K, if at hand.")] = None,
) -> None:
    """Prepare, train, evaluate, export, serve and ask, on MovieLens-100K."""
    from pipelines.demo import demo as run_demo

    run_demo(out, raw)


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
    """Rank the whole catalogue for every target, beside the baselines; score the intents."""
    from rich.console import Console

    from pipelines.evaluate import evaluate as run_evaluate
    from pipelines.report import evaluation_record, print_record, write_record
    from pipelines.run_folder import RunFolder
    from pipelines.split import PARTS

    folder = RunFolder(run)
    model, prepared, config = folder.load_scorer()
    number = PARTS.index(part.value)
    record = evaluation_record(run_evaluate(model, prepared, number, batch, max_targets), prepared, config, number)
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
) -> None:
    """Write a SavedModel with the signatures intent, item, rank and embed, and with --implicit also retrieve."""
    from pipelines.export import export as run_export
    from pipelines.run_folder import RunFolder

    found = RunFolder(implicit) if implicit else None
    topics = RunFolder(explicit) if explicit else None
    ranks = RunFolder(ranker) if ranker else None
    typer.echo(f"exported to {run_export(RunFolder(run), out, top_k, found, topics, candidates, ranks)}")


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


app.command(epilog="Example: `intentrec serve export/intentrec --port 8500 --rest-port 8501`")(serve)
app.command(epilog=DRIFT_EPILOG)(drift)


@app.command(context_settings=PASS_ON, add_help_option=False)
def intent(context: typer.Context) -> None:
    """Ask a server what a user is about to do (works with the base install)."""
    _pass_on(context, "intent")


@app.command(context_settings=PASS_ON, add_help_option=False)
def recommend(context: typer.Context) -> None:
    """Ask a server what to recommend to a user (works with the base install)."""
    _pass_on(context, "recommend")


@app.command(context_settings=PASS_ON, add_help_option=False)
def history(context: typer.Context) -> None:
    """Look at, fill or delete the histories in a store (works with the base install)."""
    _pass_on(context, "history")


@app.command(context_settings=PASS_ON, add_help_option=False)
def web(context: typer.Context) -> None:
    """Serve a page that changes itself by the predicted intents (needs the extra 'web', no TensorFlow)."""
    _pass_on(context, "web")


@app.command(context_settings=PASS_ON, add_help_option=False)
def doctor(context: typer.Context) -> None:
    """Check this machine: Python, libraries, conflicts, data, server (works with the base install)."""
    _pass_on(context, "doctor")


def _pass_on(context: typer.Context, command: str) -> None:
    from pipelines.main import main

    raise typer.Exit(main([command, *context.args]))


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


def _complain(sentence: str) -> int:
    print(f"intentrec: {sentence}", file=sys.stderr)
    return 2
