"""Tables as Markdown: our numbers, the paper's beside them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from pipelines.reproduce.comparison import ITEM, Column, Row
from pipelines.reproduce.tables import (
    absolute_table,
    base_of,
    columns_of,
    p_text,
    relative_table,
    table_page,
    uses_request_time,
)

Make = Callable[..., dict[str, Any]]
GENRE = Column("genre", intent=True)


@pytest.fixture
def rows(make_record: Make) -> list[Row]:
    """40 users with a target each: V0 finds none in the first place, V1 half, V2 all; V2 also knows the genre."""
    half = [1, 3] * 20
    return [
        Row([make_record("V0", [3] * 40)]),
        Row([make_record("V1", half, seed=s, hits={"genre": [1, 0] * 20}) for s in (0, 1)]),
        Row([make_record("V2", [1] * 40, seed=s, hits={"genre": [1] * 40}) for s in (0, 1)]),
    ]


def cells(table: str) -> list[list[str]]:
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    return [lines[0], *lines[2:]]


def test_absolute_numbers(rows: list[Row]):
    header, v0, v1, v2 = cells(absolute_table(rows, [GENRE]))
    assert header == ["system", "seeds", "request time", "HR@1", "HR@10", "NDCG@10", "genre acc."]
    assert v0 == ["V0", "1", "yes", "0.0000", "1.0000", "0.5000", ""]
    assert v1 == ["V1", "2", "yes", *("0.5000 ± 0.0000", "1.0000 ± 0.0000", "0.7500 ± 0.0000", "0.5000 ± 0.0000")]
    assert v2[3:] == ["1.0000 ± 0.0000"] * 4


def test_gains_beside_the_papers(rows: list[Row]):
    base = rows[1]
    header, v0, v2 = cells(relative_table("table2", [rows[0], rows[2]], base, [Column(ITEM), GENRE]))
    assert header == ["system", "item NDCG@10", "genre"]
    assert v0 == ["V0", "-33.33% (p < .001) [-0.06%]", ""]
    assert v2 == ["V2", "+33.33% (p < .001) [+4.53%]", "+100.00% (p < .001) [+0.57%]"]


def test_the_paper_alone_where_we_have_no_number(make_record: Make):
    base, flat = Row([make_record("TransAct", [1, 2])]), Row([make_record("LSTM", [1, 2])])
    columns = [Column(ITEM), Column("type", intent=True), Column("session", intent=True)]
    assert cells(relative_table("table1", [flat], base, columns))[1] == [
        "LSTM",
        "+0.00% (p 1.000) [-25.20%]",
        "[-0.93%]",
        "",
    ]


def test_a_page_of_a_table(rows: list[Row]):
    text = table_page("table2", rows)
    assert text.startswith("**table2**: what each part of the hierarchy adds: V0 to V3.\n\n| system |")
    assert "Against V1, in percent (p: paired permutation test by user; in brackets the paper's gain on Netflix" in text
    assert text.count("| V1 |") == 1  # not against itself
    assert "Against" not in table_page("table2", [rows[0], rows[2]])  # its base is missing
    assert "Against" not in table_page("table2", [rows[1]])
    windows = table_page("windows", [*rows[2:], Row([{**rows[0].records[0], "system": "V3, 1 day"}])])
    assert "Against V2, in percent (p: paired permutation test by user):" in windows
    assert "[" not in windows


def test_columns_are_those_that_some_row_has(rows: list[Row], make_record: Make):
    more = Row([make_record("V3, 1 week", [1] * 40, hits={"again": [1] * 40, "genre": [0] * 40})])
    assert columns_of(rows[:1]) == [Column(ITEM)]
    assert columns_of([*rows, more]) == [Column(ITEM), Column("again", intent=True), GENRE]


@pytest.mark.parametrize(
    ("table", "names", "base"),
    [
        ("table1", ["LSTM", "Transformer", "TransAct", "V3, 1 week"], "TransAct"),
        ("table1", ["LSTM", "Transformer", "TransAct, nothing hidden", "V3, 1 week"], None),
        ("table2", ["V0", "V1"], "V1"),
        ("table3", ["V0", "V3, only genre"], "V0"),
        ("windows", ["V3, 1 hour", "V2"], "V2"),
        ("weights", ["V3, lambda 0.1", "V3, lambda 0.03", "V3, lambda 3"], "V3, lambda 0.03"),
        ("weights", ["V3, lambda 0.1"], None),
        ("times", ["V3, timestamps only", "V3, order instead of time"], "V3, order instead of time"),
        ("times", ["V3, timestamps only"], None),
    ],
)
def test_the_base_of_a_table(make_record: Make, table: str, names: list[str], base: str | None):
    found = base_of(table, [Row([make_record(name, [1])]) for name in names])
    assert (found.system if found else None) == base


@pytest.mark.parametrize(
    ("model", "repeat", "used"),
    [("V0", None, True), ("V3", False, True), ("TransAct", None, False), ("SASRec", None, False), ("GRU", True, True)],
)
def test_who_uses_the_request_time(make_record: Make, model: str, repeat: bool | None, used: bool):
    record = make_record(model, [1])
    record["config"]["model"]["repeat"] = repeat
    assert uses_request_time(record) is used
    assert uses_request_time({**record, "request_time": False}) is False


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "< .001"), (0.00099, "< .001"), (0.001, ".001"), (0.05, ".050"), (0.5, ".500"), (1.0, "1.000")],
)
def test_p_values_for_people(value: float, text: str):
    assert p_text(value) == text
    assert p_text(math.nan) == "nan"
