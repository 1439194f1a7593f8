"""The table for a terminal."""

from __future__ import annotations

import io
import json
from pathlib import Path

from rich.console import Console

from pipelines.embed.downstream_table import tables


def test_it_fits_eighty_columns_uncut(repository: Path):
    for path in (repository / "results").glob("embed-*.json"):
        record = json.loads(path.read_text(encoding="utf-8"))
        for table in tables(record):
            console = Console(file=io.StringIO(), width=80)
            console.print(table)
            text = console.file.getvalue()
            assert "…" not in text
            assert all(words in text for words in record["words"].values())
