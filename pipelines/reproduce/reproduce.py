"""All runs of a table, and the table."""

from __future__ import annotations

from functools import partial
from typing import Any

from pipelines.pace import Pace
from pipelines.reproduce.comparison import Row
from pipelines.reproduce.protocols import Setting
from pipelines.reproduce.runs import Places, Say, prepared_data, run_once
from pipelines.reproduce.side_by_side import run_side_by_side
from pipelines.reproduce.systems import System, systems_of
from pipelines.reproduce.tables import measure_of, table_page
from pipelines.validate import DataError


def reproduce_table(
    table: str,
    setting: Setting,
    seeds: list[int],
    places: Places,
    only: list[str] | None = None,
    again: bool = False,
    say: Say = print,
    jobs: int = 1,
) -> str:
    """Make every missing run of a table, seed by seed, and return the table as Markdown.

    Args:
        table: key of :data:`pipelines.reproduce.systems.TABLES`.
        setting: data and protocol.
        seeds: of initial weights, order and dropout.
        places: where weights and records go.
        only: names of the rows wanted; None wants all.
        again: replace runs of another configuration or other data.
        say: receives a line per run and epoch.
        jobs: how many runs at a time, each in a process of its own that prints its lines itself.

    Raises:
        DataError: an unknown table or row, unusable data, or a record of another configuration.
    """
    prepared = prepared_data(setting, places, say)
    systems = _chosen(systems_of(table, prepared.spec.schema), only)
    if not systems:
        name = prepared.spec.schema.name
        raise DataError(
            f"schema '{name}' has no explicit_interests, so there are no {table}; where users rate items, "
            "--derive-interests FEATURE makes interests of what they rated highest at first."
        )
    records: dict[str, list[dict]] = {system.name: [] for system in systems}
    runs = [(seed, system) for seed in seeds for system in systems]
    total = len(runs)
    pace = Pace("runs", total, done=sum(places.record(setting, system, seed).is_file() for seed, system in runs))
    if jobs > 1:
        missing = [run for run in runs if again or not places.record(setting, run[1], run[0]).is_file()]
        _make_side_by_side(missing, setting, places, again, jobs, say)
    for i, (seed, system) in enumerate(runs):
        title = f"run {i + 1} of {total}: {system.name}, seed {seed}, {setting.name}"
        made = not places.record(setting, system, seed).is_file()
        if made:
            say(title)
        record = run_once(setting, system, seed, places, say, again)
        records[system.name].append(record)
        metrics = record["metrics"]
        shown = ("HR@10", measure_of(table).name)
        line = f"{title}: " + ", ".join(f"{name} {metrics[name]:.4f}" for name in shown)
        if made:
            pace.advance(line)
        say(line + (pace.left if made else ""))
    try:
        rows = [Row(group) for group in records.values()]
    except ValueError as error:
        raise DataError(f"{places.results / setting.name}: {error}.") from None
    return table_page(table, rows)


def _make_side_by_side(
    runs: list[tuple[int, System]], setting: Setting, places: Places, again: bool, jobs: int, say: Say
) -> None:
    pace = Pace("runs", len(runs))

    def tell(place: int, record: dict[str, Any]) -> None:
        seed, system = runs[place]
        pace.advance(f"{system.name}, seed {seed}, {setting.name}")
        say(f"{system.name}, seed {seed}: made, {pace.done} of {pace.total}{pace.left}")

    work = [
        (f"{system.name}, seed {seed}", partial(run_once, setting, system, seed, places, again=again))
        for seed, system in runs
    ]
    run_side_by_side(work, jobs, tell)


def _chosen(systems: list[System], only: list[str] | None) -> list[System]:
    if only is None:
        return systems
    names = [system.name for system in systems]
    for name in only:
        if name not in names:
            raise DataError(f"--only {name}: is no row of this table; its rows are {'; '.join(names)}.")
    return [system for system in systems if system.name in only]
