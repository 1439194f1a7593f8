"""The ``intentrec`` commands about answers: servers, those who ask them, this machine."""

from __future__ import annotations

import typer

from pipelines.drift.cli import EPILOG as DRIFT_EPILOG
from pipelines.drift.cli import drift
from pipelines.serve_command import serve

PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True}
app = typer.Typer()
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
