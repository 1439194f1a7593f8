"""The records in ``results/runs`` are of today's rows, so that ``reproduce`` goes on from them."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.config import RunConfig, changed_settings
from pipelines.reproduce.protocols import schema_of
from pipelines.reproduce.runs import read_record
from pipelines.reproduce.systems import TABLES, systems_of

RUNS = Path(__file__).resolve().parents[3] / "results" / "runs"


@pytest.mark.parametrize("setting", sorted(path.name for path in RUNS.iterdir()))
def test_every_record_is_of_the_row_it_names(setting: str) -> None:
    """Otherwise the page shows, under a row's name, what that row no longer is: rename the record or run it again."""
    for path in sorted((RUNS / setting).glob("*.json")):
        record = read_record(path)
        schema = schema_of(setting, record["dataset"])
        systems = {system.name: system for table in TABLES for system in systems_of(table, schema)}
        assert record["system"] in systems, path.name
        system, seed = systems[record["system"]], record["seed"]
        assert path.stem == f"{system.slug}-seed{seed}"
        configuration = RunConfig.read(
            Path(record["config_file"]).stem, {system.part: system.changes, "training": {"seed": seed}}
        )
        changed = changed_settings(record["config"], configuration.model_dump(mode="json"))
        assert not changed, f"{path.name}: {changed}"
