"""The ten bad inputs, through the command line: one sentence, or a counted report; never a traceback."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from pipelines.main import main
from pipelines.prepare import PrepareConfig

Change = Callable[[list[str]], list[str]]


def append(*rows: str) -> Change:
    return lambda lines: [*lines, *rows]


def replace_header(old: str, new: str) -> Change:
    return lambda lines: [lines[0].replace(old, new), *lines[1:]]


def write(folder: Path, lines: list[str]) -> None:
    (folder / "events.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def arguments(folder: Path, out: Path, events: str = "events.csv") -> list[str]:
    files = ["--events", str(folder / events), "--items", str(folder / "items.csv")]
    return ["prepare", "tables", *files, "--schema", str(folder / "schema.yaml"), "--out", str(out)]


@pytest.fixture
def tables(make_shop: Callable[..., PrepareConfig], tmp_path: Path) -> Path:
    make_shop(tmp_path / "in")
    return tmp_path / "in"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "parent").mkdir()
    return tmp_path / "parent" / "out"


def lines_of(tables: Path) -> list[str]:
    return (tables / "events.csv").read_text(encoding="utf-8").splitlines()


def missing_column(tables: Path) -> str:
    write(tables, replace_header("action", "act")(lines_of(tables)))
    return "events.csv"


def wrong_separator(tables: Path) -> str:
    write(tables, [line.replace(",", ";") for line in lines_of(tables)])
    return "events.csv"


def empty_file(tables: Path) -> str:
    (tables / "events.csv").write_bytes(b"")
    return "events.csv"


def header_only(tables: Path) -> str:
    write(tables, lines_of(tables)[:1])
    return "events.csv"


def not_utf8(tables: Path) -> str:
    (tables / "events.csv").write_bytes("\n".join([*lines_of(tables), "ü,i3,1,a,1,"]).encode("latin-1"))
    return "events.csv"


def truncated_gzip(tables: Path) -> str:
    packed = gzip.compress((tables / "events.csv").read_bytes())
    (tables / "events.csv.gz").write_bytes(packed[: len(packed) // 2])
    return "events.csv.gz"


def schema_typo(tables: Path) -> str:
    text = (tables / "schema.yaml").read_text(encoding="utf-8")
    (tables / "schema.yaml").write_text(text.replace("max_history", "max_histroy"), encoding="utf-8")
    return "events.csv"


def all_timestamps_absurd(tables: Path) -> str:
    rows = [line.split(",") for line in lines_of(tables)]
    write(tables, [",".join(rows[0]), *(",".join([r[0], r[1], f"{r[2]}000", *r[3:]]) for r in rows[1:])])
    return "events.csv"


def one_second_only(tables: Path) -> str:
    rows = [line.split(",") for line in lines_of(tables)]
    write(tables, [",".join(rows[0]), *(",".join([r[0], r[1], "1700000000", *r[3:]]) for r in rows[1:])])
    return "events.csv"


FATAL = [
    (missing_column, "lacks the column action"),
    (wrong_separator, "semicolons"),
    (empty_file, "is empty; name a file that holds rows."),
    (header_only, "holds no data row"),
    (not_utf8, "is not utf-8; save the file as UTF-8."),
    (truncated_gzip, "the gzip file is cut short or damaged"),
    (schema_typo, "field 'max_histroy': unknown key"),
    (all_timestamps_absurd, "it would fit timestamp_unit: ms"),
    (one_second_only, "no event is left for training: there are too few, or too many share one timestamp"),
]


def one_sentence(text: str) -> str:
    assert "Traceback" not in text
    lines = text.splitlines()
    assert len(lines) == 1, text
    assert lines[0].startswith("intentrec: ")
    assert lines[0].endswith((".", ")"))
    return lines[0]


@pytest.mark.parametrize(("spoil", "words"), FATAL, ids=lambda value: getattr(value, "__name__", None))
def test_one_sentence_and_nothing_is_left(
    spoil: Callable[[Path], str], words: str, tables: Path, out: Path, capsys: pytest.CaptureFixture[str]
):
    events = spoil(tables)
    assert main(arguments(tables, out, events)) == 2
    assert words in one_sentence(capsys.readouterr().err)
    assert list(out.parent.iterdir()) == []


COUNTED = {
    "duplicate rows": (lambda lines: [*lines, lines[1], lines[1]], 2, "exact duplicate of an earlier row", "line"),
    "negative timestamp": (append("u1,i3,-5,play,1,"), 1, "timestamp is zero or negative", "when"),
    "absurd timestamp": (append("u1,i3,99999999999,play,1,"), 1, "timestamp lies in the future", "when"),
    "unknown item": (append("u1,nowhere,1700000000,play,1,"), 1, "item is not in the item catalogue", "what"),
    "NaN rating": (append("u1,i3,1700000000,play,nan,"), 1, "not a finite number", "seconds"),
    "torn line": (append("u1,i3"), 1, "line has the wrong number of fields (expected 6)", "line"),
}


@pytest.mark.parametrize(("change", "count", "reason", "field"), COUNTED.values(), ids=COUNTED)
def test_a_counted_report(
    change: Change,
    count: int,
    reason: str,
    field: str,
    tables: Path,
    out: Path,
    capsys: pytest.CaptureFixture[str],
):
    good = lines_of(tables)
    spoilt = change(good)
    write(tables, spoilt)
    assert main(arguments(tables, out)) == 0
    printed = capsys.readouterr()
    assert "Traceback" not in printed.err
    assert f"{count:,} x {reason} (field " in printed.out
    name = str(tables / "events.csv")
    validation = json.loads((out / "manifest.json").read_text(encoding="utf-8"))["validation"]
    assert validation["reasons"] == {reason: count}
    assert validation["rows_rejected"] == {name: count}
    rejects = pd.read_csv(out / "rejected.csv")
    assert rejects.columns.tolist() == ["file", "row", "field", "value", "reason"]
    assert (rejects["file"] == name).all()
    assert rejects["row"].tolist() == list(range(len(good) + 1, len(spoilt) + 1))
    assert set(rejects["field"]) == {field}
    assert len(pd.read_parquet(out / "events.parquet")) == len(good) - 1
    assert [path.name for path in out.parent.iterdir()] == ["out"]


@pytest.mark.parametrize("spoil", [wrong_separator, truncated_gzip], ids=lambda spoil: spoil.__name__)
def test_in_a_process_of_its_own(spoil: Callable[[Path], str], tables: Path, out: Path):
    command = [sys.executable, "-m", "pipelines.main", *arguments(tables, out, spoil(tables))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=dict(os.environ))
    assert done.returncode == 2
    one_sentence(done.stderr)
    assert list(out.parent.iterdir()) == []


def test_too_many_rejected_rows_are_an_error(tables: Path, out: Path, capsys: pytest.CaptureFixture[str]):
    lines = lines_of(tables)
    write(tables, [*lines, *(f"u1,nowhere{i},1700000000,play,1," for i in range(len(lines)))])
    assert main(arguments(tables, out)) == 2
    assert "more than the allowed 20%" in one_sentence(capsys.readouterr().err)
    assert main([*arguments(tables, out), "--max-reject-share", "0.9"]) == 0
    capsys.readouterr()
    assert main([*arguments(tables, out.parent / "other"), "--max-reject-share", "9"]) == 2
    assert "--max-reject-share" in one_sentence(capsys.readouterr().err)
