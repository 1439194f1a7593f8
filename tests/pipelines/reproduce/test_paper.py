"""The paper's numbers under our names."""

from __future__ import annotations

import pytest

from pipelines.datasets.registry import packaged_schema
from pipelines.reproduce.paper import BASES, TABLES, published
from pipelines.reproduce.systems import systems_of


@pytest.mark.parametrize(
    ("table", "system", "column", "value"),
    [
        ("table1", "LSTM", "item", -25.2),
        ("table1", "GRU", "time_since_release", -0.51),
        ("table1", "V3, 1 week", "item", 7.40),
        ("table1", "V3, 2w", "action_type", 3.31),
        ("table1", "SASRec", "genre", None),
        ("table1", "TransAct", "item", None),
        ("table1", "TwoTower", "item", None),
        ("table2", "V2", "type", 0.33),
        ("table2", "V3, 1 month", "item", 8.56),
        ("table2", "V3, 1 week", "item", 8.28),
        ("table2", "V3, 1 day", "item", None),
        ("table3", "V3, only genre", "item", 6.50),
        ("table3", "V3, only genre", "genre", None),
        ("table3", "V3, only session", "item", None),
        ("table3", "V3, 1 week", "item", 8.35),
        ("windows", "V3, 1 week", "item", None),
        ("table2", "V2", "session", None),
    ],
)
def test_published(table: str, system: str, column: str, value: float | None):
    assert published(table, system, column) == value


def test_every_published_row_is_a_row_of_ours():
    """On a data set with the paper's intents, so that no published number goes unseen for a name's sake."""
    schema = packaged_schema("simulated")
    for table, rows in TABLES.items():
        names = [system.name for system in systems_of(table, schema)]
        found = {
            column: sum(published(table, name, column) is not None for name in names) for column in ("item", "genre")
        }
        assert found["item"] == len(rows)
        assert found["genre"] == sum("genre" in row for row in rows.values())
        assert BASES[table] in names
