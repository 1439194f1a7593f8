"""Tables of Markdown."""

from __future__ import annotations


def markdown(header: list[str], rows: list[list[str]], align: str = "---:") -> str:
    """A Markdown table; ``align`` goes for every column but the first, numbers to the right."""
    rule = ["---", *([align] * (len(header) - 1))]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (header, rule, *rows))
