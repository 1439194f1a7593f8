"""Evaluation results for people and for files: tables, JSON, pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from pipelines.callbacks import read_history
from pipelines.config import RunConfig
from pipelines.environment import provenance
from pipelines.evaluate import Evaluation
from pipelines.prepared import PreparedData
from pipelines.split import PARTS
from serving.atomic import atomic_file, atomic_text


def evaluation_record(result: Evaluation, prepared: PreparedData, config: RunConfig, part: int) -> dict[str, Any]:
    """Everything a result must state to be checked and compared, JSON ready."""
    schema, request = prepared.spec.schema, prepared.manifest["request"]
    return {
        "dataset": schema.name,
        "fingerprint": prepared.fingerprint,
        "part": PARTS[part],
        "protocol": {
            "split": request["split"],
            "min_interactions": request["min_interactions"],
            "filter_seen": schema.exclude_seen,
            "catalogue": "items of the training part" if schema.min_item_count else "all items",
            "history": schema.max_history,
            "ties": "file order",
        },
        "request_time": schema.request_time,
        "model": config.title,
        "config": config.model_dump(mode="json"),
        "seed": config.training.seed,
        "targets": result.targets,
        "targets_outside_catalogue": result.outside_catalogue,
        "events_without_history": result.without_history,
        "metrics": result.metrics["intentrec"],
        "baselines": {name: values for name, values in result.metrics.items() if name != "intentrec"},
        "intents": result.intents,
        "data_caveats": prepared.manifest["sources"],
        "seconds": result.seconds,
        **provenance(),
    }


def write_record(record: dict[str, Any], path: Path) -> None:
    """Write a result as JSON, whole or not at all."""
    atomic_text(path, json.dumps(record, indent=1, ensure_ascii=False) + "\n")


def print_record(record: dict[str, Any], console: Console) -> None:
    """Show a result as tables: items beside the baselines, intents beside the majority class, then the cold start."""
    split = record["protocol"]["split"]["kind"].replace("_", " ")
    request = "used" if record["request_time"] else "not used"
    seen = "seen items excluded" if record["protocol"]["filter_seen"] else "seen items allowed"
    title = f"{record['dataset']}, {record['part']} part: next item over the whole catalogue"
    finds = record["config"]["retrieval"]
    items = Table(
        title=title,
        caption=f"{record['targets']:,} targets, split by {split}, {seen}, request time {request}"
        + (", asked for a topic of the target" if finds and finds["interests"] == "conditional" else ""),
    )
    columns = ("HR@10", "HR@100", "HR@500", "NDCG@10") if finds else ("HR@1", "HR@10", "HR@20", "NDCG@10", "MRR")
    items.add_column("system")
    for column in columns:
        items.add_column(column, justify="right")
    model = f"IntentRec {record['model']}" if record["model"].startswith("V") else record["model"]
    for name, metrics in {model: record["metrics"], **record["baselines"]}.items():
        items.add_row(name, *(f"{metrics[c]:.4f}" for c in columns), style="bold" if name == model else "")
    console.print(items)
    if record["intents"]:
        intents = Table(title="next intent", caption="majority: always the most frequent label")
        for name in ("intent", "accuracy", "majority", "macro F1", "log-loss", "calibration error"):
            intents.add_column(name, justify="left" if name == "intent" else "right")
        keys = ("accuracy", "majority_accuracy", "macro_f1", "log_loss", "ece")
        for name, metrics in record["intents"].items():
            intents.add_row(name, *(f"{metrics[k]:.4f}" if k in metrics else "-" for k in keys))
        console.print(intents)
    if record.get("cold_start"):
        _print_cold_start(record["cold_start"], model, console)


def _print_cold_start(record: dict[str, Any], model: str, console: Console) -> None:
    """Targets by what is known of item and user; new items also among themselves, where anything new may be found."""
    count = record["new_items"]
    groups = {"whole catalogue": record["whole_catalogue"], f"the {count:,} new items": record["among_new_items"]}
    table = Table(
        title="cold start",
        caption="new items: "
        + record["definitions"]["new items"]
        + (". " if count else "; the catalogue has none of them (prepare --min-item-count 0 takes them in)"),
    )
    for name in ("targets", "count", "ranked among", "system", "HR@10", "NDCG@10"):
        table.add_column(name, justify="left" if name in ("targets", "ranked among", "system") else "right")
    for among, slices in groups.items():
        for name, found in slices.items():
            systems = found["metrics"] if among != "whole catalogue" else {"intentrec": found["metrics"]["intentrec"]}
            for system, metrics in systems.items():
                shown = model if system == "intentrec" else system
                values = (f"{metrics[metric]:.4f}" for metric in ("HR@10", "NDCG@10"))
                what, _, fewer = name.partition(" among ")
                table.add_row(what, f"{found['targets']:,}", fewer or among, shown, *values)
    console.print(table)


def plot_history(history: Path, picture: Path) -> None:
    """Draw training losses and validation scores over epochs as PNG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot
    from matplotlib.ticker import MaxNLocator

    records = read_history(history)
    epochs = [record["epoch"] for record in records]
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(10, 4.6), layout="constrained")
    for name in [key for key in records[-1] if key.endswith("_loss")] or ["loss"]:
        words = name.removesuffix("_loss").replace("_", " ")
        left.plot(epochs, [record[name] for record in records], label=words, marker=".")
    left.set(title="training loss", xlabel="epoch", ylabel="cross-entropy (nats)")
    for name in (key for key in records[-1] if key.startswith("val_")):
        right.plot(epochs, [record[name] for record in records], label=name.removeprefix("val_").upper(), marker=".")
    right.set(title="validation, full ranking", xlabel="epoch", ylabel="mean over targets", ylim=(0, None))
    for axis in (left, right):
        axis.grid(alpha=0.3)
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        axis.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3)
    with atomic_file(picture) as work:
        figure.savefig(work, format="png", dpi=120)
    pyplot.close(figure)
