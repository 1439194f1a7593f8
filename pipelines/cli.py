"""The ``intentrec`` commands.  TensorFlow is imported inside the commands that need it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import pydantic
import typer

from intentrec_tf.schema import SchemaError
from pipelines.abtest.cli import app as abtest
from pipelines.benchmark.cli import app as benchmark
from pipelines.calibration_cli import app as calibration
from pipelines.data_cli import app as data
from pipelines.embed.cli import app as embed
from pipelines.model_cli import app as models
from pipelines.model_server import ServerStartError
from pipelines.release_cli import app as release
from pipelines.reproduce.cli import app as reproduce
from pipelines.retrieval_cli import app as retrieval
from pipelines.serving_cli import app as servers
from pipelines.validate import DataError
from pipelines.web_cli import app as web_page
from serving.release.errors import ReleaseError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Know what the user came to do, then decide what to show.",
    epilog="First time here? `intentrec demo` goes the whole way on MovieLens-100K. "
    "`INTENTREC_LOG=json` makes progress lines of JSON on standard error, with the seconds left.",
)
DATA, MODELS, SERVING, RESEARCH = "Data", "Models", "Serving", "Research"
for panel, commands in (
    *((DATA, data), (MODELS, models), (MODELS, retrieval), (MODELS, calibration)),
    *((MODELS, embed), (SERVING, servers), (SERVING, web_page), (RESEARCH, abtest)),
):
    for command in commands.registered_commands:
        command.rich_help_panel = panel
    app.add_typer(commands)
app.add_typer(release, name="release", rich_help_panel=SERVING)
app.add_typer(reproduce, name="reproduce", rich_help_panel=RESEARCH)
app.add_typer(benchmark, name="benchmark", rich_help_panel=RESEARCH)


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


@app.command(rich_help_panel="Start here", epilog="Example: `intentrec demo --out demo`")
def demo(
    out: Annotated[Path, typer.Option(help="Folder for data, run and export.")] = Path("demo"),
    raw: Annotated[str | None, typer.Option(help="Folder of MovieLens-100K, if at hand.")] = None,
) -> None:
    """Prepare, train, evaluate, export, serve and ask, on MovieLens-100K."""
    from pipelines.demo import demo as run_demo

    run_demo(out, raw)


def _complain(sentence: str) -> int:
    print(f"intentrec: {sentence}", file=sys.stderr)
    return 2
