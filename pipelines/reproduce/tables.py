"""Tables of a setting as Markdown: ours, and the paper's numbers beside them."""

from __future__ import annotations

from typing import Any

from pipelines.markdown import markdown
from pipelines.reproduce.comparison import ITEM, Column, Row, compare
from pipelines.reproduce.paper import BASES, published
from pipelines.reproduce.systems import DCM, MEASURES, ONE, TABLES

ITEM_COLUMNS = ("HR@1", "HR@10", ITEM)
CANDIDATE_COLUMNS = ("HR@10", "HR@100", "HR@500", "HR@1000")
OWN_BASES = {
    "windows": "V2",
    "weights": "V3, lambda 0.03",
    "times": "V3, order instead of time",
    "retrieval": ONE,
    "interests": DCM,
    "topics": "Topic of the item",
}


def base_of(table: str, rows: list[Row]) -> Row | None:
    """The row that the others are compared with; None while it is missing."""
    name = {**BASES, **OWN_BASES}[table]
    return next((row for row in rows if row.system == name), None)


def measure_of(table: str) -> Column:
    """The item metric that decides in a table."""
    return Column(MEASURES.get(table, ITEM))


def columns_of(rows: list[Row], measure: Column | None = None) -> list[Column]:
    """The item (by default its NDCG@10), then every intent that a row predicts, in alphabetical order."""
    intents = sorted({name for row in rows for record in row.records for name in record["intents"]})
    return [measure or Column(ITEM), *(Column(name, intent=True) for name in intents)]


def absolute_table(rows: list[Row], intents: list[Column], items: tuple[str, ...] = ITEM_COLUMNS) -> str:
    """Means (and deviations over seeds) of item metrics and intent accuracies."""
    header = ["system", "seeds", "request time", *items, *(f"{c.name} acc." for c in intents)]
    lines = []
    for row in rows:
        request = "yes" if uses_request_time(row.records[0]) else "no"
        cells = [_with_deviation(row, Column(name)) for name in items]
        cells += [_with_deviation(row, column) for column in intents]
        lines.append([row.system, str(len(row.records)), request, *cells])
    return markdown(header, lines)


def relative_table(table: str, rows: list[Row], base: Row, columns: list[Column]) -> str:
    """Gains over the base in percent with p-values, the paper's in brackets."""
    header = ["system", *(f"{c.name if c.intent else 'item ' + c.name}" for c in columns)]
    lines = []
    for row in rows:
        cells = []
        for column in columns:
            difference = compare(row, base, column)
            paper = published(table, row.system, column.name if column.intent else "item")
            text = "" if difference is None else f"{difference.relative:+.2f}% (p {p_text(difference.p_value)})"
            cells.append(text + (f" [{paper:+.2f}%]" if paper is not None else ""))
        lines.append([row.system, *cells])
    return markdown(header, lines)


def table_page(table: str, rows: list[Row]) -> str:
    """One table of one setting: absolute numbers, then gains beside the paper's."""
    columns = columns_of(rows, measure_of(table))
    items = CANDIDATE_COLUMNS if table in MEASURES else ITEM_COLUMNS
    parts = [f"**{table}**: {TABLES[table]}.", "", absolute_table(rows, columns[1:], items)]
    base = base_of(table, rows)
    if base is not None and len(rows) > 1:
        note = f"Against {base.system}, in percent (p: paired permutation test by user"
        note += "; in brackets the paper's gain on Netflix data):" if table in BASES else "):"
        parts += ["", note, "", relative_table(table, [row for row in rows if row is not base], base, columns)]
    return "\n".join(parts)


def uses_request_time(record: dict[str, Any]) -> bool:
    """Whether answers depend on the target event's time: the data offer it, and the model reads it.

    IntentRec does; TransAct hides events by it in training only; a baseline does if it has a repeat head.
    """
    reads = record["model"] in ("V0", "V1", "V2", "V3") or record["config"].get("retrieval") is not None
    reads = reads or bool(record["config"]["model"].get("repeat"))
    return record["request_time"] and reads


def p_text(p_value: float) -> str:
    """A p-value for people."""
    return "< .001" if p_value < 0.001 else f"{p_value:.3f}".lstrip("0")


def _with_deviation(row: Row, column: Column) -> str:
    mean, deviation = row.mean(column), row.deviation(column)
    if mean is None:
        return ""
    return f"{mean:.4f}" + (f" ± {deviation:.4f}" if deviation is not None else "")
