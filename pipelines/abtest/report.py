"""Run a simulated A/B test of two exports and write its page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.table import Table

from intentrec_tf.retrieval.config import IMPLICIT
from pipelines.abtest.abtest import abtest, share_pages
from pipelines.abtest.exported_policy import ExportedPolicy
from pipelines.abtest.page import page
from pipelines.abtest.pictures import daily_figure, effects_figure
from pipelines.abtest.service import Service
from pipelines.abtest.statistics import METRICS
from pipelines.abtest.words import interval, luck, percent_change, plain_number
from pipelines.config import RunConfig
from pipelines.drawing import save
from pipelines.environment import provenance
from pipelines.export.version import INFO
from pipelines.look.numbers import plain
from pipelines.report import write_record
from pipelines.validate import DataError
from serving.atomic import atomic_files

PAGE, RECORD = "README.md", "abtest.json"


def compare_exports(
    first: Path,
    second: Path,
    service: Service,
    days: int,
    past: int,
    paired: bool,
    signature: str = "item",
    size: int = 10,
    interleave: bool = True,
) -> dict[str, Any]:
    """The record of a test of two exported versions, JSON ready.

    Args:
        first, second: folders of the versions, A and B.
        service: the simulated service.
        days: of the experiment.
        past: the service's, to be stated.
        paired: see :func:`abtest`.
        signature: ``item`` or ``retrieve``.
        size: titles on a page.
        interleave: also show shared pages.

    Raises:
        DataError: a folder holds no export, or one of another service.
    """
    models = [described(folder, signature) for folder in (first, second)]
    policies = [ExportedPolicy(folder, service, signature, size) for folder in (first, second)]
    found = abtest(service, policies, days, paired)
    shared = share_pages(service, policies, days) if interleave else None
    config = service.config
    return plain(
        {
            "simulation": True,
            "models": models,
            "signature": signature,
            "page": size,
            "days": days,
            "paired": paired,
            "service": {
                "users": config.users,
                "titles": config.titles,
                "data_seed": config.seed,
                "seed": service.seed,
                "past": past,
            },
            **found,
            "interleaving": shared,
            **provenance(),
        }
    )


def write(record: dict[str, Any], out: Path) -> None:
    """Write ``README.md``, pictures and ``abtest.json`` into a folder."""
    drawn = {"effects.png": effects_figure(record), "daily.png": daily_figure(record)}
    with atomic_files(out, PAGE, (RECORD, *drawn)) as work:
        for name, figure in drawn.items():
            save(figure, work / name)
        write_record(record, work / RECORD)
        (work / PAGE).write_text(page(record), encoding="utf-8")


def check_out(out: Path) -> None:
    """Refuse to write over a page of something else.

    Raises:
        DataError: the folder holds a README.md that no A/B test wrote.
    """
    if (out / PAGE).exists() and not (out / RECORD).exists():
        raise DataError(f"{out}: holds a {PAGE} that no A/B test wrote; name a new or empty folder with --out.")


def table(record: dict[str, Any]) -> Table:
    """The metrics for a terminal."""
    title = f"{record['models'][0]['title']} (A), {record['models'][1]['title']} (B): simulated people"
    found = Table(title=title, box=SIMPLE, padding=(0, 1, 0, 0))  # fits 80 columns
    found.add_column("metric", min_width=16)
    for name in ("A", "B", "B - A: 95% interval", "relative", "p (Holm)"):
        found.add_column(name, justify="right", no_wrap=True)
    for name, one in record["metrics"].items():
        cells = [plain_number(one["a"]), plain_number(one["b"]), interval(one["interval"])]
        found.add_row(METRICS[name], *cells, percent_change(one["relative"]), luck(one["adjusted_p"]))
    return found


def described(folder: Path, signature: str) -> dict[str, str]:
    """What an export says of what fills its pages."""
    try:
        info = json.loads((folder / INFO).read_text(encoding="utf-8"))
        title = RunConfig.model_validate(info["config"]).title
        if signature == "retrieve" and info["retrieval"]:
            names = {interests: name for name, interests in IMPLICIT.items()}
            title = names[info["retrieval"]["implicit"]["interests"]]
        name = f"{folder.absolute().parent.name}/{folder.absolute().name}"
        return {"title": title, "name": name, "fingerprint": str(info["fingerprint"]), "commit": str(info["commit"])}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise DataError(f"{folder}: is no exported version; name a numbered folder that 'export' wrote.") from None
