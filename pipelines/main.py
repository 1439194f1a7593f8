"""Entry point of ``intentrec``: what it can do depends on what is installed, and it says so.

With the base install (the thin client's needs) ``intent``, ``recommend`` and ``history`` work, and ``doctor`` tells
what is missing; ``web`` needs the ``web`` extra and every other command the ``train`` extra.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import warnings
from contextlib import AbstractContextManager
from pathlib import Path

CLIENT_COMMANDS = ("intent", "recommend")
NEEDED = ("typer", "rich", "pydantic", "pydantic_core", "yaml", "pandas", "pyarrow", "pandera")
WEB_NEEDED = ("fastapi", "uvicorn")
INSTALL = "pip install 'intentrec_tf[train]'"


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    words = sys.argv[1:] if argv is None else argv
    command = words[0] if words else "--help"
    if command in CLIENT_COMMANDS:
        from serving.ask import main as ask

        return ask(words[1:], command)
    if command == "history":
        from serving.history_command import main as history

        return history(words[1:])
    if command == "web":
        return _web(words[1:])
    if command == "doctor":
        from pipelines.doctor import main as doctor

        return doctor(words[1:])
    missing = _missing(NEEDED)
    if missing:
        known = ", ".join((*CLIENT_COMMANDS, "history", "doctor"))
        print(
            f"intentrec: '{command}' needs {missing[0]}, which the base install leaves out; run {INSTALL} "
            f"(without it these work: {known}).",
            file=sys.stderr,
        )
        return 0 if command in ("--help", "-h") else 2
    # pandera imports pyspark wherever it is installed, and pyspark then warns of pandas 3 in every command
    warnings.filterwarnings("ignore", message="PySpark does not yet fully support pandas", category=FutureWarning)
    from pipelines.cli import run

    return run(words)


def _web(words: list[str]) -> int:
    if missing := _missing(WEB_NEEDED):
        print(f"intentrec: 'web' needs {missing[0]}; run pip install 'intentrec_tf[web]'.", file=sys.stderr)
        return 2
    from serving.client import InvalidInputError
    from serving.web.command import main as web

    def demo(folder: Path) -> AbstractContextManager[tuple[str, Path]]:
        if missing := _missing(NEEDED):
            raise InvalidInputError(f"--demo needs {missing[0]}, so run {INSTALL} or pass --server and --catalogue.")
        from pipelines.web_cli import finished_demo

        return finished_demo(folder)

    return web(words, demo)


def _missing(names: tuple[str, ...]) -> list[str]:
    return [name for name in names if importlib.util.find_spec(name) is None]


if __name__ == "__main__":
    sys.exit(main())
