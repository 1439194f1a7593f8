"""Reports on trained runs: made, kept as JSON and Markdown, and shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipelines.markdown import markdown
from pipelines.report import write_record
from pipelines.reproduce.comparison import Row
from pipelines.reproduce.identity import record_of
from pipelines.reproduce.protocols import Setting
from pipelines.reproduce.robustness import REPLACEMENTS, robustness
from pipelines.reproduce.runs import Places, Say, prepared_data, run_once, trained
from pipelines.reproduce.shift import DEFINITION, shift_table
from pipelines.reproduce.systems import System, own_v3, systems_of
from serving.atomic import atomic_text


def robustness_report(setting: Setting, seed: int, places: Places, results: Path, say: Say) -> str:
    """Item metrics of V2 and V3 with replaced intents; trains what is missing.

    Returns:
        Markdown, also kept in ``results/robustness``.
    """
    prepared = prepared_data(setting, places, say)
    systems = [System("V2", {"variant": "V2"}), own_v3(prepared.spec.schema)]
    found: dict[str, Any] = {}
    for system in systems:
        folder = trained(setting, system, seed, places, say)
        model, prepared, _ = folder.load_next_item_model()
        found[system.name] = robustness(model, prepared)
    header = ["intents that Z is made of", *(f"{name} {metric}" for name in found for metric in found[name]["true"])]
    rows = [
        [f"{kind}: {words}", *(f"{value:.4f}" for name in found for value in found[name][kind].values())]
        for kind, words in REPLACEMENTS.items()
    ]
    title = f"**Error propagation** (seed {seed}): the intents of the question replaced, V2 and V3 as trained."
    text = f"{title}\n\n{markdown(header, rows)}\n"
    keep_report(results / "robustness", text, record_of(setting, prepared, seed=seed, metrics=found))
    return text


def shift_report(setting: Setting, seeds: list[int], places: Places, results: Path, say: Say) -> str:
    """NDCG@10 after a change of interest for V0 to V3; makes the runs that are missing.

    Returns:
        Markdown, also kept in ``results/shift``.
    """
    prepared = prepared_data(setting, places, say)
    schema = prepared.spec.schema
    systems = {s.name: s for table in ("table2", "windows") for s in systems_of(table, schema)}
    rows = [Row([run_once(setting, system, seed, places, say) for seed in seeds]) for system in systems.values()]
    header, lines = shift_table(rows, prepared)
    title = f"**Change of interest**: NDCG@10 by how long ago it was (targets in brackets). {DEFINITION}"
    text = f"{title}\n\n{markdown(header, lines)}\n"
    keep_report(results / "shift", text, record_of(setting, prepared, seeds=seeds, header=header, rows=lines))
    return text


def keep_report(folder: Path, text: str, record: dict[str, Any]) -> None:
    """Write a report as JSON and Markdown, named after its setting."""
    write_record(record, folder / f"{record['setting']}.json")
    atomic_text(folder / f"{record['setting']}.md", text)
