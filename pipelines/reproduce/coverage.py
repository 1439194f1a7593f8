"""What candidates of one vector, of many, and of declared topics reach with equally long lists."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from intentrec_tf.schema import Schema
from pipelines.input_fn import asked_events
from pipelines.markdown import markdown
from pipelines.report import write_record
from pipelines.reproduce.compact import pack_numbers, unpack_numbers
from pipelines.reproduce.identity import record_of
from pipelines.reproduce.protocols import Setting
from pipelines.reproduce.runs import Places, Say, prepared_data, trained
from pipelines.reproduce.significance import paired_p_value
from pipelines.reproduce.systems import DCM, ONE, System, systems_of
from pipelines.reproduce.tables import p_text
from pipelines.split import TEST
from pipelines.two_stage import make_retriever, tally_candidates
from pipelines.validate import DataError
from serving.atomic import atomic_text

COUNTS = (100, 500)
FOLDER = "coverage"
DEFINITION = (
    "Every system brings equally many, each length by budgets of its own. Tail: all items but the fifth that training "
    "saw most; new, casual and core: users by the length of their past; coverage: share of the catalogue in anybody's "
    "list; entropy: of a list's categories, in nats; diversity: mean of 1 - cosine over pairs of a list's items, by "
    "their categories; overlap: share of the topics' own list that the implicit list of the same length has too; "
    "interests: how many a user has, how many slots are effectively used, the share of slots never used, and how far "
    "they are apart (mean of 1 - cosine over a user's pairs)."
)
_USE = ("per_user", "effective_number", "never_used", "distance")
_KINDS = ("all", "tail", "new users", "casual users", "core users")


@dataclass(frozen=True)
class Combination:
    """Where candidates come from: implicit interests, and perhaps declared topics."""

    name: str
    implicit: System
    explicit: System | None = None


def combinations_of(schema: Schema) -> list[Combination]:
    """The rows of the table: one vector and DCM, each without and, where users declare topics, with them."""
    implicit = [system for system in systems_of("retrieval", schema) if system.name in (ONE, DCM)]
    topics = systems_of("topics", schema)
    found = [Combination(system.name, system) for system in implicit]
    return found + [Combination(f"{system.name} and topics", system, topics[-1]) for system in implicit if topics]


def coverage_report(setting: Setting, seeds: list[int], places: Places, results: Path, say: Say) -> str:
    """Recall, coverage and overlap of every combination; trains what is missing, and keeps a record a seed.

    Returns:
        Markdown, also kept in ``results/coverage``.
    """
    from pipelines.drawing import save
    from pipelines.reproduce.coverage_picture import coverage_figure  # Matplotlib takes a second

    prepared = prepared_data(setting, places, say)
    combinations = combinations_of(prepared.spec.schema)
    records = {one.name: [_record(one, setting, seed, places, results, say) for seed in seeds] for one in combinations}
    text = f"**Coverage** of candidates. {DEFINITION}\n\n{_table(records)}\n\n{_tests(records)}\n"
    atomic_text(results / FOLDER / f"{setting.name}.md", text)
    save(coverage_figure(records, setting), results / "pictures" / f"{setting.name}-{FOLDER}.png")
    return text


def _record(
    combination: Combination, setting: Setting, seed: int, places: Places, results: Path, say: Say
) -> dict[str, Any]:
    """What a combination's candidates are worth; made now unless it is there for the same weights."""
    path = results / FOLDER / setting.name / f"{System(combination.name, {}).slug}-seed{seed}.json"
    implicit = trained(setting, combination.implicit, seed, places, say)
    explicit = trained(setting, combination.explicit, seed, places, say) if combination.explicit else None
    versions = [implicit.version(), *([explicit.version()] if explicit else [])]
    if path.is_file():
        record = _read(path)
        if record["versions"] == versions:
            return record
    say(f"{combination.name}, seed {seed}: finding candidates")
    prepared, config = implicit.read()
    tally = tally_candidates(make_retriever(implicit, explicit, max(COUNTS)), prepared, COUNTS, overlap=True)
    places_in, tail = tally.places()
    users = prepared.events["user_id"][asked_events(prepared, TEST)]
    record = record_of(
        setting,
        prepared,
        system=combination.name,
        seed=seed,
        versions=versions,
        config=config.model_dump(mode="json"),
        **tally.result(),
        ranks={str(count): pack_numbers(found) for count, found in places_in.items()},
        tail=pack_numbers(tail),
        targets_per_user=pack_numbers(users.groupby(users, sort=False).size().to_numpy()),
    )
    write_record(record, path)
    return record


def _read(path: Path) -> dict[str, Any]:
    """A record.

    Raises:
        DataError: the file is damaged.
    """
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        [record[name] for name in ("versions", "interests", "tail", "targets_per_user")]
        [record["ranks"][count] for count in record["candidates"]]
    except (OSError, ValueError, KeyError, TypeError):
        raise DataError(f"{path}: is no record of candidates; delete it and run again.") from None
    return record


def values_of(group: list[dict[str, Any]], *keys: str) -> list[float]:
    """A number of every seed's record, by the keys that lead to it; none where the records lack it."""
    found: list[Any] = group
    for key in keys:
        found = [one[key] for one in found if one.get(key) is not None]
    return [float(one) for one in found]


def _table(records: dict[str, list[dict[str, Any]]]) -> str:
    header = ["system", "seeds", "candidates", *(f"recall, {kind}" for kind in _KINDS), "coverage", "entropy"]
    header += ["diversity", "from topics", "overlap", "interests: there / used / never / apart"]
    lines = []
    for count in counts_of(records):
        for name, group in records.items():
            kinds = [kind if group[0]["targets_in"][kind] else "" for kind in _KINDS]
            cells = [_cell(group, "candidates", count, "recall", kind) for kind in kinds]
            cells += [_cell(group, "candidates", count, key) for key in ("coverage", "category_entropy", "diversity")]
            cells += [_cell(group, "candidates", count, key) for key in ("explicit_share", "overlap")]
            lines.append([name, str(len(group)), count, *cells, _use(group)])
    return markdown(header, lines)


def _use(group: list[dict[str, Any]]) -> str:
    """How interests are used, means over seeds."""
    there, used, never, apart = (values_of(group, "interests", key) for key in _USE)
    words = f"{np.mean(there):.1f} / {np.mean(used):.1f} / {np.mean(never):.0%}"
    return f"{words} / {np.mean(apart):.2f}" if apart else words


def counts_of(records: dict[str, list[dict[str, Any]]]) -> list[str]:
    """List lengths, shortest first."""
    return list(next(iter(records.values()))[0]["candidates"])


def _cell(group: list[dict[str, Any]], *keys: str) -> str:
    values = values_of(group, *keys)
    if not values:
        return ""
    return f"{np.mean(values):.4f}" + (f" ± {np.std(values, ddof=1):.4f}" if len(values) > 1 else "")


def _tests(records: dict[str, list[dict[str, Any]]]) -> str:
    """Recall and tail recall of every system against one vector, in percent, with p-values."""
    base = records[ONE]
    counts = unpack_numbers(base[0]["targets_per_user"])
    users = np.repeat(np.arange(len(counts)), counts)
    tail = unpack_numbers(base[0]["tail"]) > 0
    lines = []
    for name, group in records.items():
        if name == ONE:
            continue
        cells = []
        for count in counts_of(records):
            ours, theirs = _hits(group, count), _hits(base, count)
            for part in (np.ones(len(tail), bool), tail):
                if not part.any() or not theirs[part].any():
                    cells.append("")
                    continue
                relative = 100 * (ours[part].mean() / theirs[part].mean() - 1)
                p_value = paired_p_value(ours[part], theirs[part], users[part])
                cells.append(f"{relative:+.2f}% (p {p_text(p_value)})")
        lines.append([name, *cells])
    header = [
        f"against {ONE.lower()}",
        *(f"{kind} of {count}" for count in counts_of(records) for kind in ("recall", "tail recall")),
    ]
    return markdown(header, lines)


def _hits(group: list[dict[str, Any]], count: str) -> np.ndarray:
    """Mean over seeds of whether each target was among so many candidates, float [targets]."""
    return (np.stack([unpack_numbers(record["ranks"][count]) for record in group]) > 0).mean(axis=0)
