"""A comparison on the terminal."""

from __future__ import annotations

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from pipelines.drift.measures import DRIFT, MOVED, largest_change
from pipelines.drift.words import amount, change_words, statistic_words

_WRAPPED = ("measure", "what changed most")
STYLES = {DRIFT: "bold red", MOVED: "yellow"}


def table(drift: dict[str, Any]) -> Table:
    """One row a measure."""
    new, training = drift["new"], drift["training"]
    limits = ", ".join(f"{statistic_words(name)} {limit:g}" for name, limit in drift["limits"].items())
    found = Table(
        box=SIMPLE_HEAD,
        title=f"{drift['dataset']}: {new['log']} against the training part",
        caption=f"{new['events']:,} new events of {new['users']:,} users, {training['events']:,} training events of "
        f"{training['users']:,}; limits: {limits}; scores are compared with those on the validation part",
    )
    for name in ("measure", "what changed most", "training/new", "statistic", "verdict"):
        found.add_column(name, justify="right" if name == "training/new" else "left", no_wrap=name not in _WRAPPED)
    for one in drift["measures"]:
        change = largest_change(one)
        cells = [
            one["name"],
            change_words(one, change),
            f"{one['samples']['training']:,}/{one['samples']['new']:,}",
            f"{statistic_words(one['statistic'])} {amount(one['value'])}",
            one["verdict"],
        ]
        found.add_row(*map(Text, cells), style=STYLES.get(one["verdict"], ""))  # brackets in a name are no markup
    return found
