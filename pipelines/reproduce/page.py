"""``results/README.md``: every row that was run, with what it takes to check it, made from the JSONs alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipelines.datasets.registry import packaged_schema
from pipelines.markdown import markdown
from pipelines.reproduce.claims import candidate_verdicts, verdict_table, verdicts
from pipelines.reproduce.comparison import Row
from pipelines.reproduce.evaluations import evaluation_parts, is_evaluation
from pipelines.reproduce.literature import published_under
from pipelines.reproduce.protocols import PROTOCOLS, Setting, schema_of
from pipelines.reproduce.runs import read_record
from pipelines.reproduce.systems import TABLES, own_v3, systems_of
from pipelines.reproduce.tables import table_page
from pipelines.validate import DataError
from serving.atomic import atomic_text

FIRST_SETTING = "foursquare-nyc"
INTRODUCTION = """# Results

Made by `intentrec reproduce page` from the JSON files beside this page; nothing here is typed by hand. Every number
ranks the whole catalogue for every target; choices were made on the validation part, the test part was read once a
run. HR@K and NDCG@K are means over targets (± standard deviation over seeds where there are several); "acc." is the
accuracy of the predicted intent (genre and other multi-label intents: the best label is a true one). Request time "yes"
means the system knows the moment of the question, as a server does. The paper's gains are relative, on Netflix data, of
an unnamed metric; ours stand beside them in {metric}.
"""


def write_page(results: Path) -> Path:
    """Write the page beside the folder ``runs``.

    Args:
        results: folder that holds ``runs/<setting>/<system>-seed<k>.json``.

    Raises:
        DataError: there is no run.
    """
    settings = settings_of(results)
    if not settings:
        raise DataError(f"{results / 'runs'}: holds no run; start with 'intentrec reproduce table1'.")
    parts = [INTRODUCTION.format(metric="NDCG@10"), *(_setting_part(s, results) for s in settings)]
    parts += [*evaluation_parts(results), _files(results)]
    page = results / "README.md"
    atomic_text(page, "\n".join(parts))
    return page


def settings_of(results: Path) -> list[str]:
    """Names of the settings that have runs, the data set of true returns first."""
    names = {path.parent.name for path in (results / "runs").glob("*/*-seed*.json")}
    return sorted(names, key=lambda name: (not name.startswith(FIRST_SETTING), name))


def rows_of(folder: Path) -> dict[str, Row]:
    """All systems of a setting by name."""
    records: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(folder.glob("*-seed*.json")):
        record = read_record(path)
        records.setdefault(record["system"], []).append(record)
    try:
        rows = {name: Row(group) for name, group in records.items()}
    except ValueError as error:
        raise DataError(f"{folder}: {error}.") from None
    prints = {row.records[0]["fingerprint"]: name for name, row in rows.items()}
    if len(prints) > 1:
        names = " and ".join(list(prints.values())[:2])
        raise DataError(f"{folder}: the runs of {names} are of different data; make the older ones with --again.")
    return rows


def _setting_part(setting: str, results: Path) -> str:
    rows = rows_of(results / "runs" / setting)
    first = next(iter(rows.values())).records[0]
    protocol, schema = first["protocol"], schema_of(setting, first["dataset"])
    seen = "seen items are left out" if protocol["filter_seen"] else "seen items may be recommended"
    parts = [
        f"## {setting}",
        "",
        f"Protocol {protocol['id']}: {PROTOCOLS[protocol['id']]}; {seen}; {first['targets']:,} targets; histories of "
        f"{protocol['history']}; data fingerprint `{first['fingerprint'][:12]}`. {' '.join(_caveats(first))}",
        "",
    ]
    kinds = {bool(record["config"].get("retrieval")) for row in rows.values() for record in row.records}
    if False in kinds:
        parts += [verdict_table(verdicts(rows, own_v3(schema).name, list(schema.intent_names))), ""]
    if True in kinds:
        parts += [verdict_table(candidate_verdicts(rows, schema)), ""]
    parts += _literature(first["dataset"], protocol["id"])
    for table in TABLES:
        chosen = [rows[system.name] for system in systems_of(table, schema) if system.name in rows]
        if len(chosen) > 1 or (chosen and table == "table1"):
            parts += [table_page(table, chosen), ""]
            picture = results / "pictures" / f"{setting}-{table}.png"
            if picture.is_file():
                parts += [f"![{table} of {setting}](pictures/{picture.name})", ""]
    for extra in sorted((results / "pictures").glob(f"{setting}-figure*.png")):
        parts += [f"![{extra.stem}](pictures/{extra.name})", ""]
    for kind in ("coverage", "cold-start", "robustness", "shift"):
        report = results / kind / f"{setting}.md"
        if report.is_file():
            parts += [report.read_text(encoding="utf-8").rstrip(), ""]
        picture = results / "pictures" / f"{setting}-{kind}.png"
        if picture.is_file():
            parts += [f"![{kind} of {setting}](pictures/{picture.name})", ""]
    parts += ["Runs, each a JSON file:", "", _run_table(setting, rows), ""]
    return "\n".join(parts)


def _literature(dataset: str, protocol: str) -> list[str]:
    """Lines with what others published under the protocol."""
    header = ["published under this protocol", "request time", "HR@10", "NDCG@10"]
    rows = [
        [row.system, "yes" if row.request_time else "no", f"{row.hr:.4f}", f"{row.ndcg:.4f}"]
        for row in published_under(dataset, protocol)
    ]
    return [markdown(header, rows), ""] if rows else []


def _caveats(record: dict[str, Any]) -> list[str]:
    return [source for source in record["data_caveats"] if not source.startswith("read from")]


def _run_table(setting: str, rows: dict[str, Row]) -> str:
    header = ["run", "seed", "configuration", "best epoch", "seconds", "validation NDCG@10", "HR@10", "NDCG@10"]
    header += ["date", "commit"]
    lines = []
    for name in sorted(rows):
        for record in rows[name].records:
            lines.append(
                [
                    name,
                    str(record["seed"]),
                    f"`{Path(record['config_file']).stem}`",
                    f"{record['validation']['epoch']} of {record['epochs']}",
                    f"{record['seconds']:.0f}",
                    f"{record['validation']['NDCG@10']:.4f}",
                    *(f"{record['metrics'][name]:.4f}" for name in ("HR@10", "NDCG@10")),
                    record["date"][:10],
                    f"`{record['commit']}`",
                ]
            )
    records = [record for row in rows.values() for record in row.records]
    dataset, protocol = records[0]["dataset"], records[0]["protocol"]["id"]
    seeds = ",".join(map(str, sorted({record["seed"] for record in records})))
    command = f"intentrec reproduce table1 --dataset {dataset} --protocol {protocol} --seeds {seeds}"
    interests = schema_of(setting, dataset).explicit_interests
    if interests != packaged_schema(dataset).explicit_interests:
        command = command.replace("table1", "retrieval") + f" --derive-interests {interests}"
    elif setting != Setting.of(dataset, protocol).name:
        command += " --no-request-time" if setting.endswith("-no-request-time") else " --request-time"
    return markdown(header, lines) + f"\n\nAgain, from nothing: `{command}` with the other tables likewise."


def _files(results: Path) -> str:
    others = sorted(path.name for path in results.glob("*.json") if not is_evaluation(path.name))
    links = "\n".join(f"- [`{name}`]({name})" for name in others)
    return f"## Other files\n\nBenchmarks, kills and probes:\n\n{links}\n"
