"""What IntentRec's paper (arXiv 2408.05353) reports: relative gains in percent on Netflix data, metric unnamed."""

from __future__ import annotations

COLUMNS = {"action_type": "action", "genre": "genre", "type": "movie/show", "time_since_release": "time since release"}
TABLE_1 = {  # against TransAct
    "LSTM": {"item": -25.2, "action": -7.51, "genre": -2.48, "movie/show": -0.93, "time since release": -0.58},
    "GRU": {"item": -21.9, "action": -7.40, "genre": -2.30, "movie/show": -0.92, "time since release": -0.51},
    "Transformer": {"item": -17.5, "action": -5.33, "genre": -1.56, "movie/show": -0.77, "time since release": -0.41},
    "SASRec": {"item": -20.3},
    "BERT4Rec": {"item": -25.0},
    "V0": {"item": -0.82},
    "V3": {"item": 7.40, "action": 3.31, "genre": 2.78, "movie/show": 0.41, "time since release": 0.84},
}
TABLE_2 = {  # against V1
    "V0": {"item": -0.06},
    "V2": {"item": 4.53, "action": 1.93, "genre": 0.57, "movie/show": 0.33, "time since release": 0.53},
    "V3, 1 month": {"item": 8.56, "action": 3.09, "genre": 2.85, "movie/show": 0.80, "time since release": 0.72},
    "V3, 1 week": {"item": 8.28, "action": 3.43, "genre": 2.49, "movie/show": 0.38, "time since release": 1.03},
}
TABLE_3 = {  # against V0, item only
    "V3, only action_type": {"item": 7.73},
    "V3, only genre": {"item": 6.50},
    "V3, only type": {"item": 6.52},
    "V3, only time_since_release": {"item": 7.18},
    "V3": {"item": 8.35},
}
BASES = {"table1": "TransAct", "table2": "V1", "table3": "V0"}
TABLES = {"table1": TABLE_1, "table2": TABLE_2, "table3": TABLE_3}


def published(table: str, system: str, column: str) -> float | None:
    """The paper's relative gain in percent, None where it gives none.

    Args:
        table: ``table1``, ``table2`` or ``table3``.
        system: a row's name; ``V3`` with any window counts as ``V3`` in tables 1 and 3.
        column: ``item`` or an intent's name in the schema.
    """
    rows = TABLES.get(table, {})
    short = "V3" if table != "table2" and system.startswith("V3, ") and "only" not in system else system
    return rows.get(short, {}).get(COLUMNS.get(column, column))
