"""Entry point of ``intentrec``: what it can do depends on what is installed, and it says so.

With the base install (the thin client's needs) ``intent``, ``recommend`` and ``history`` work, and ``doctor`` tells
what is missing; every other command needs the ``train`` extra.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import warnings

CLIENT_COMMANDS = ("intent", "recommend")
NEEDED = ("typer", "rich", "pydantic", "pydantic_core", "yaml", "pandas", "pyarrow", "pandera")
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
    if command == "doctor":
        from pipelines.doctor import main as doctor

        return doctor(words[1:])
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
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


if __name__ == "__main__":
    sys.exit(main())
