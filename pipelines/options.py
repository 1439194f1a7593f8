"""Command-line options that several commands share, and their values."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from pipelines.validate import DataError


class Part(str, Enum):
    """Which part to evaluate, on the command line."""

    validation = "validation"
    test = "test"


RunOption = Annotated[Path, typer.Option("--run", help="Folder of the training run.")]
DataOption = Annotated[Path, typer.Option("--data", help="Folder that 'prepare' wrote.")]
ImplicitOption = Annotated[Path, typer.Option("--implicit", help="Retrieval run of interests in the history.")]
ExplicitOption = Annotated[Path | None, typer.Option("--explicit", help="Retrieval run of declared topics.")]
ShareOption = Annotated[
    float, typer.Option("--explicit-share", help="Of the candidates, for declared topics.", min=0, max=1)
]
GuardrailOption = Annotated[
    bool, typer.Option("--guardrail/--no-guardrail", help="Whether a topic brings only items that have it.")
]
ScoreOption = Annotated[
    bool | None,
    typer.Option(
        "--by-score/--by-turns",
        help="Whether interests compete by score or take turns by their share of the history (default: as trained).",
    ),
]


def numbers(option: str, text: str) -> list[int]:
    """Whole numbers from 0 on, joined by commas, each once: ``"0,1,1"`` -> ``[0, 1]``.

    Raises:
        DataError: anything else; the sentence names the option.
    """
    try:
        found = [int(word) for word in text.split(",")]
        if not all(0 <= number < 2**32 for number in found):
            raise ValueError
    except ValueError:
        raise DataError(f"{option} {text}: is not a list of whole numbers from 0 on; write for example 1,2.") from None
    return list(dict.fromkeys(found))
