"""Does id dropout recommend items that training never saw, and what does it cost the others?"""

from __future__ import annotations

import dataclasses
import gc
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import tensorflow as tf

from pipelines.cold_start import (
    AMONG_KNOWN,
    CONTENT,
    DEFINITIONS,
    KNOWN,
    MODEL,
    NEW,
    SO_FAR,
    ColdStart,
    Slice,
    cold_start,
)
from pipelines.evaluate import evaluate
from pipelines.markdown import markdown
from pipelines.prepared import PreparedData
from pipelines.reproduce.compact import gains, top_ranks
from pipelines.reproduce.identity import record_of
from pipelines.reproduce.protocols import Setting
from pipelines.reproduce.reports import keep_report
from pipelines.reproduce.runs import Places, Say, prepared_data, trained
from pipelines.reproduce.significance import paired_p_value
from pipelines.reproduce.systems import System, own_v3
from pipelines.reproduce.tables import p_text
from pipelines.split import TEST
from pipelines.validate import DataError

ID_DROPOUT = 0.2
WITHOUT, IDS_ALONE, WITH = "known items alone", "all items", "all items, id dropout"


class _Run(NamedTuple):
    """A row of the report: which data, and which model is trained on them."""

    setting: Setting
    system: System


def cold_report(
    setting: Setting, seeds: list[int], places: Places, results: Path, only: list[str] | None, say: Say
) -> str:
    """V3 as it is, with all items in the catalogue, and with id dropout, by what is known of items and users.

    Args:
        setting: data and protocol.
        seeds: of the runs; what is missing is trained.
        places: where weights go.
        results: where the report goes.
        only: names of the rows wanted; None wants all.
        say: receives a line per run and epoch.

    Returns:
        Markdown, also kept in ``results/cold-start``.

    Raises:
        DataError: an unknown row, or the test part has no event of a new item.
    """
    prepared = prepared_data(setting, places, say)
    rows = _rows(setting, own_v3(prepared.spec.schema), only)
    found = {name: [_looked_at(run, seed, places, say) for seed in seeds] for name, run in rows.items()}
    if not all(NEW in looks[0].slices for looks in found.values()):
        raise DataError(f"{prepared.folder}: the test part has no event of a new item, so there is nothing to measure.")
    record = record_of(
        setting,
        prepared,
        seeds=seeds,
        id_dropout=ID_DROPOUT,
        rows={
            name: {"seeds": [look.record() for look in looks], "mean": _means(looks)} for name, looks in found.items()
        },
        tests=_tests(found, prepared),
    )
    text = _page(record)
    keep_report(results / "cold-start", text, record)
    return text


def _rows(setting: Setting, v3: System, only: list[str] | None) -> dict[str, _Run]:
    everything = dataclasses.replace(setting, all_items=True)
    dropping = System(f"{v3.name}, id dropout", {**v3.changes, "id_dropout": ID_DROPOUT})
    rows = {WITHOUT: _Run(setting, v3), IDS_ALONE: _Run(everything, v3), WITH: _Run(everything, dropping)}
    for name in only or ():
        if name not in rows:
            raise DataError(f"--only {name}: is no row of this report; its rows are {'; '.join(rows)}.")
    return {name: run for name, run in rows.items() if only is None or name in only}


def _looked_at(run: _Run, seed: int, places: Places, say: Say) -> ColdStart:
    """The slices of one run's test part; trains it if its weights are not at hand."""
    prepared_data(run.setting, places, say)
    model, prepared, _ = trained(run.setting, run.system, seed, places, say).load_next_item_model()
    look = cold_start(evaluate(model, prepared, TEST), model, prepared, TEST)
    del model
    tf.keras.backend.clear_session()
    gc.collect()
    return look


def _means(looks: list[ColdStart]) -> dict[str, Any]:
    """Of every metric over the seeds, as :meth:`ColdStart.record` lays them out."""
    groups = {"whole_catalogue": [look.slices for look in looks], "among_new_items": [look.among_new for look in looks]}
    means: dict[str, Any] = {}
    for group, slices in groups.items():
        means[group] = {}
        for name, first in slices[0].items():
            metrics = [seed[name].metrics() for seed in slices]
            means[group][name] = {
                system: {metric: float(np.mean([seed[system][metric] for seed in metrics])) for metric in values}
                for system, values in metrics[0].items()
            } | {"targets": len(first.events)}
    return means


def _tests(found: dict[str, list[ColdStart]], prepared: PreparedData) -> dict[str, dict[str, float]]:
    """Paired tests by user: known items against the catalogue of known items, new items against their baselines."""
    tests = {}
    users = pd.factorize(prepared.events["user_id"])[0]
    for name in (IDS_ALONE, WITH):
        if name not in found:
            continue
        for group in (KNOWN, AMONG_KNOWN) if WITHOUT in found else ():
            known = [look.slices[group] for look in found[name]]
            base = [look.slices[group] for look in found[WITHOUT]]
            tests[f"{name}: {group}, NDCG@10, against {WITHOUT}"] = _difference(
                _gains(known, MODEL, "NDCG@10"), _gains(base, MODEL, "NDCG@10"), users[known[0].events]
            )
        for group in found[name][0].among_new:
            new = [look.among_new[group] for look in found[name]]
            for system in (CONTENT, SO_FAR):
                if system in new[0].ranks:
                    tests[f"{name}: {group} among new items, HR@10, against {system}"] = _difference(
                        _gains(new, MODEL, "HR@10"), _gains(new, system, "HR@10"), users[new[0].events]
                    )
    return tests


def _gains(slices: list[Slice], system: str, metric: str) -> np.ndarray:
    """Each target's mean over the seeds."""
    return np.mean([gains(top_ranks(part.ranks[system], 20), metric) for part in slices], axis=0)


def _difference(first: np.ndarray, second: np.ndarray, users: np.ndarray) -> dict[str, float]:
    return {"difference": float((first - second).mean()), "p_value": paired_p_value(first, second, users)}


def _page(record: dict[str, Any]) -> str:
    """The report in Markdown."""
    rows = {name: row["mean"] for name, row in record["rows"].items()}
    first = next(iter(rows.values()))["whole_catalogue"]
    header = ["V3", *(f"{name} ({values['targets']:,}): {m}" for name, values in first.items() for m in _shown(name))]
    lines = [
        [name, *(f"{values[MODEL][m]:.4f}" for part, values in row["whole_catalogue"].items() for m in _shown(part))]
        for name, row in rows.items()
    ]
    parts = [
        f"**Cold start** (seeds {', '.join(map(str, record['seeds']))}; targets in brackets): V3 whose catalogue holds "
        "the items of the training part, V3 with all items, and the latter with "
        f"`model.id_dropout={record['id_dropout']}`. New items: {DEFINITIONS[NEW]}. Users without any event get the "
        "popular items.",
        "",
        markdown(header, lines),
        "",
    ]
    with_new = {name: row["among_new_items"] for name, row in rows.items() if row["among_new_items"]}
    if with_new:
        groups = next(iter(with_new.values()))
        count = next(row["seeds"][0]["new_items"] for row in record["rows"].values() if row["seeds"][0]["new_items"])
        parts += [f"The same targets among the {count:,} new items alone:", ""]
        header = ["system", *(f"{name} ({v['targets']:,}): {m}" for name, v in groups.items() for m in _shown(name))]
        lines = [[f"V3, {name}", *_cells(row, MODEL)] for name, row in with_new.items()]
        others = [name for name in next(iter(groups.values())) if name not in (MODEL, "targets")]
        lines += [[f"{n}: {DEFINITIONS[n]}" if n in DEFINITIONS else n, *_cells(groups, n)] for n in others]
        parts += [markdown(header, lines), ""]
    tests = [[n, f"{test['difference']:+.4f}", p_text(test["p_value"])] for n, test in record["tests"].items()]
    if tests:
        parts += [markdown(["test (paired, by user)", "difference", "p"], tests), ""]
    return "\n".join(parts)


def _cells(groups: dict[str, Any], system: str) -> list[str]:
    return [f"{values[system][m]:.4f}" for name, values in groups.items() for m in _shown(name)]


def _shown(name: str) -> tuple[str, ...]:
    """Both metrics of items; of users the first, for their targets are few."""
    return ("HR@10",) if name.startswith("users") else ("HR@10", "NDCG@10")
