"""The downstream evaluation for people and for files."""

from __future__ import annotations

from typing import Any

from rich.box import SIMPLE
from rich.table import Table

from pipelines.config import RunConfig
from pipelines.embed.downstream import POPULARITY
from pipelines.environment import provenance
from pipelines.prepared import PreparedData

SIGNIFICANT = 0.05
COLUMNS = {
    "labels_auc": "AUC",
    "labels_auc_within": "in a label",
    "labels_accuracy": "accuracy",
    "returns_auc": "returns",
    "neighbours_ndcg@50": "neighbours",
}
SHOWN = ("labels_auc", "returns_auc", "neighbours_ndcg@50")


def downstream_record(found: dict[str, Any], prepared: PreparedData, config: RunConfig) -> dict[str, Any]:
    """What :func:`pipelines.embed.downstream.downstream` found with what a result must state, JSON ready."""
    return {
        "dataset": prepared.schema.name,
        "fingerprint": prepared.fingerprint,
        "part": "test",
        "model": config.title,
        "config": config.model_dump(mode="json"),
        "seed": config.training.seed,
        "data_caveats": prepared.manifest["sources"],
        "protocol": prepared.manifest["request"]["split"],
        **found,
        **provenance(),
    }


def tables(record: dict[str, Any]) -> list[Table]:
    """A table of 80 columns per slice that has users who came back; the record holds two more measures."""
    found = []
    for name, rows in record["results"].items():
        users, back = record["users"][name], record["users"][f"{name} who came back"]
        if not back:
            continue
        words = "all users" if name == "all" else f"users with at most {record['cold_events']} events"
        table = Table(
            title=f"{record['dataset']}, {record['model']}: {words}",
            caption=f"{users:,} users, {back:,} came back within {record['days']} days. AUC: labels of "
            f"{record['feature']} taken; - mean: 95% interval of its difference to the mean item vector; returns: "
            "AUC of coming back; neighbours: NDCG@50 of what the nearest users took (*: unlike the mean item "
            "vector's, p < .05).",
            box=SIMPLE,
            padding=(0, 1, 0, 0),
        )
        table.add_column("vector", no_wrap=True)
        for column in ("size", COLUMNS[SHOWN[0]], "- mean", *(COLUMNS[key] for key in SHOWN[1:])):
            table.add_column(column, justify="right", no_wrap=True)
        for kind, scores in rows.items():
            cells = ["-" if scores[key] is None else f"{scores[key]:.4f}".lstrip("0") for key in SHOWN]
            gap = record["against_average"][name].get(kind, {})
            interval = gap.get("labels_auc_interval")
            if (gap.get("neighbours_p") or 1) < SIGNIFICANT:
                cells[-1] += "*"
            size = "-" if kind == POPULARITY else str(record["dimensions"][kind])
            between = "-" if interval is None else f"{interval[0]:+.3f} to {interval[1]:+.3f}".replace("0.", ".")
            table.add_row(record["words"][kind], size, cells[0], between, *cells[1:])
        found.append(table)
    return found
