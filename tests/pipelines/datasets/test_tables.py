"""A user's own tables: good ones in every format, each kind of bad input in one sentence or one row."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from intentrec_tf.schema import Schema, SchemaError
from pipelines.datasets.contract import check_contract
from pipelines.datasets.registry import load
from pipelines.datasets.tables import load_tables
from pipelines.validate import DataError

HEADER = "who,what,when,action,seconds\n"
ITEMS = "what,tags,released,other\ni1,a|b,2020-01-01,x\ni2,,,y\ni3, b | b|,1577836800,z\n"
GOOD = [f"u{n % 3},i{n % 3 + 1},{1_600_000_000 + n},play,{n}.5" for n in range(10)]


@pytest.fixture
def write(tmp_path: Path):
    def _write(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return _write


def run(write, schema: Schema, *lines: str, share: float = 0.2, items: str | None = ITEMS):
    """Load ten good events followed by ``lines`` (the first of which is physical line 12)."""
    events = write("events.csv", HEADER + "\n".join([*GOOD, *lines]) + "\n")
    catalogue = write("items.csv", items) if items is not None else None
    return check_contract(load_tables(events, schema, items=catalogue, max_reject_share=share))


def only_reject(data) -> tuple[int, str, str, str]:
    """The single rejected row as (row, field, value, reason)."""
    assert len(data.report.rejects) == 1
    assert len(data.events) == len(GOOD)
    row = data.report.rejects.iloc[0]
    return int(row["row"]), row["field"], row["value"], row["reason"]


def test_canonical_frames(write, plain_schema: Schema) -> None:
    data = run(write, plain_schema)
    assert list(data.events.columns) == ["user_id", "item_id", "timestamp", "action", "seconds"]
    assert data.events["timestamp"].tolist() == list(range(1_600_000_000, 1_600_000_010))
    assert data.events["seconds"].iloc[1] == 1.5
    assert data.items["tags"].tolist() == ["a|b", "", "b"]
    assert data.items["released"].tolist()[::2] == [1_577_836_800.0, 1_577_836_800.0]
    assert np.isnan(data.items["released"].iloc[1])
    assert "other" not in data.items
    assert [file.name for file in data.files] == ["events.csv", "items.csv"]
    assert data.report.counts == {}


def test_file_order_is_kept(write, plain_schema: Schema) -> None:
    data = run(write, plain_schema, "u0,i1,1500000000,play,1")
    assert data.events["timestamp"].iloc[-1] == 1_500_000_000


@pytest.mark.parametrize("form", ["csv.gz", "parquet"])
def test_other_formats_give_the_same_frames(write, plain_schema: Schema, tmp_path: Path, form: str) -> None:
    expected = run(write, plain_schema)
    path = tmp_path / f"events.{form}"
    if form == "parquet":
        pd.read_csv(tmp_path / "events.csv").to_parquet(path)
    else:
        path.write_bytes(gzip.compress((tmp_path / "events.csv").read_bytes()))
    data = load_tables(path, plain_schema, items=tmp_path / "items.csv")
    pd.testing.assert_frame_equal(data.events, expected.events)


def test_parquet_rejects_name_the_row(write, plain_schema: Schema, tmp_path: Path) -> None:
    run(write, plain_schema)
    frame = pd.read_csv(tmp_path / "events.csv")
    frame.loc[4, "seconds"] = np.inf
    frame.to_parquet(tmp_path / "events.parquet")
    data = load_tables(tmp_path / "events.parquet", plain_schema, items=tmp_path / "items.csv")
    assert data.report.rejects["row"].tolist() == [5]
    assert len(data.events) == 9


def test_damaged_parquet(write, plain_schema: Schema) -> None:
    with pytest.raises(DataError, match="not a Parquet file"):
        load_tables(write("e.parquet", b"PAR1 nonsense"), plain_schema)


def test_parquet_with_lists(tmp_path: Path) -> None:
    pd.DataFrame({"user_id": [["a", "b"]], "item_id": ["i"], "timestamp": [1_600_000_000]}).to_parquet(
        tmp_path / "e.parquet"
    )
    with pytest.raises(DataError, match=r"column user_id holds list<.*write one text or number a row"):
        load_tables(tmp_path / "e.parquet", Schema.parse({"name": "x"}))


def test_dates_declared_as_seconds_are_recognised(write) -> None:
    path = write("e.csv", "user_id,item_id,timestamp\nu,i,2020-01-01 10:00:00\n")
    with pytest.raises(DataError, match=r"timestamp is not a number .it would fit timestamp_unit: datetime"):
        load_tables(path, Schema.parse({"name": "x"}))


def test_parquet_without_column(write, plain_schema: Schema, tmp_path: Path) -> None:
    pd.DataFrame({"who": ["a"], "when": [1]}).to_parquet(tmp_path / "e.parquet")
    with pytest.raises(DataError, match=r"lacks the column what \(found: who, when\)"):
        load_tables(tmp_path / "e.parquet", plain_schema)


def test_items_may_be_left_out_if_nothing_needs_them(write) -> None:
    data = load_tables(
        write("e.csv", "user_id,item_id,timestamp\nu,b,1600000000\nu,a,1600000001\nv,b,1600000002\n"),
        Schema.parse({"name": "bare"}),
    )
    assert data.items["item_id"].tolist() == ["b", "a"]


def test_items_left_out_although_needed(write, plain_schema: Schema) -> None:
    with pytest.raises(DataError, match="needs the item columns tags, released, but no item file was given"):
        run(write, plain_schema, items=None)


def test_interests(write, plain_schema: Schema, tmp_path: Path) -> None:
    run(write, plain_schema)
    lines = ["who,interest", "u0,a", "u0,zzz", "u0,a", "u1,b", "u2,b", "u3,b", "u4,a", "u5,b", "u6,a", "u7,a"]
    data = load_tables(
        tmp_path / "events.csv",
        plain_schema,
        items=tmp_path / "items.csv",
        interests=write("interests.csv", "\n".join(lines)),
    )
    assert data.interests is not None
    assert list(data.interests.columns) == ["user_id", "interest"]
    assert len(data.interests) == 8
    assert data.report.rejects["row"].tolist() == [3, 4]
    assert "no label of the item feature 'tags'" in data.report.rejects["reason"].iloc[0]


# --- the ten bad inputs ---


def test_missing_column(write, plain_schema: Schema) -> None:
    path = write("events.csv", "who,what,time,action,seconds\nu,i1,1600000000,play,1\n")
    with pytest.raises(DataError, match=r"lacks the column when \(found: who, what, time, action, seconds\)"):
        load_tables(path, plain_schema)


def test_wrong_separator(write, plain_schema: Schema) -> None:
    path = write("events.csv", HEADER.replace(",", ";") + GOOD[0].replace(",", ";") + "\n")
    with pytest.raises(DataError, match="separated by semicolons, expected commas"):
        load_tables(path, plain_schema)


@pytest.mark.parametrize(("content", "problem"), [("", "is empty"), (HEADER, "holds no data row")])
def test_empty_file(write, plain_schema: Schema, content: str, problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        load_tables(write("events.csv", content), plain_schema)


def test_duplicate_rows(write, plain_schema: Schema) -> None:
    data = run(write, plain_schema, GOOD[3])
    assert only_reject(data)[0] == 12
    assert only_reject(data)[3] == "exact duplicate of an earlier row"


def test_same_second_with_another_column_is_no_duplicate(write, plain_schema: Schema) -> None:
    data = run(write, plain_schema, GOOD[3].replace("play", "stop"))
    assert len(data.events) == 11
    assert data.report.counts == {}


@pytest.mark.parametrize(
    ("stamp", "reason"),
    [
        ("-5", "zero or negative"),
        ("0", "zero or negative"),
        ("1600000000.5", "not a whole number"),
        ("yesterday", "not a number"),
        ("", "not a number"),
        ("inf", "not a number"),
        ("80000", "before 1970-01-02"),
        ("99999999999", "in the future"),
        ("1e300", "in the future"),
    ],
)
def test_absurd_timestamps(write, plain_schema: Schema, stamp: str, reason: str) -> None:
    row, field, value, why = only_reject(run(write, plain_schema, f"u0,i1,{stamp},play,1"))
    assert (row, field, value) == (12, "when", stamp)
    assert reason in why


def test_milliseconds_declared_as_seconds_are_recognised(write, plain_schema: Schema) -> None:
    path = write("events.csv", HEADER + "u,i1,1600000000000,play,1\n")
    with pytest.raises(DataError, match=r"every one of 1 rows.*timestamp_unit: ms"):
        load_tables(path, plain_schema, items=write("items.csv", ITEMS))


def test_seconds_declared_as_milliseconds_are_recognised(write) -> None:
    schema = Schema.parse({"name": "x", "timestamp_unit": "ms"})
    rows = "u,i,1600000000000\nu,i,1600000000\nv,i,1600000000001\nw,i,1600000000002\nx,i,1600000000003\nu,i,1500000000"
    path = write("e.csv", f"user_id,item_id,timestamp\n{rows}\n")
    report = load_tables(path, schema, max_reject_share=0.5).report
    assert report.rejects["row"].tolist() == [3, 7]
    assert set(report.rejects["reason"]) == {"timestamp is before 1980 (it would fit timestamp_unit: s)"}


def test_early_milliseconds_that_no_unit_brings_later_stay(write) -> None:
    schema = Schema.parse({"name": "x", "timestamp_unit": "ms"})
    path = write("e.csv", "user_id,item_id,timestamp\nu,i,200000000\nu,j,300000000\n")  # January 1970, or 1976
    assert load_tables(path, schema).report.counts == {}


def test_a_folder_of_text_files_is_told_apart(write, plain_schema: Schema, tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "a.csv").write_text(HEADER)
    with pytest.raises(DataError, match=r"log: holds a\.csv; name one text file, or a folder of Parquet files"):
        load_tables(tmp_path / "log", plain_schema)


def test_non_utf8(write, plain_schema: Schema) -> None:
    path = write("events.csv", (HEADER + "J\xfcrg,i1,1600000000,play,1\n").encode("latin-1"))
    with pytest.raises(DataError, match=r"byte 30 in line 2 \(0xfc\) is not utf-8"):
        load_tables(path, plain_schema)


def test_unknown_item_in_events(write, plain_schema: Schema) -> None:
    data = run(write, plain_schema, "u0,i99,1600000000,play,1")
    assert only_reject(data) == (12, "what", "i99", "item is not in the item catalogue")


@pytest.mark.parametrize("value", ["nan", "abc", "inf"])
def test_nan_in_a_numeric_column(write, plain_schema: Schema, value: str) -> None:
    row, field, shown, reason = only_reject(run(write, plain_schema, f"u0,i1,1600000000,play,{value}"))
    assert (row, field, shown, reason) == (12, "seconds", value, "not a finite number")


@pytest.mark.parametrize("value", ["1e39", "-1e300"])
def test_a_number_beyond_float32(write, plain_schema: Schema, value: str) -> None:
    row, field, shown, reason = only_reject(run(write, plain_schema, f"u0,i1,1600000000,play,{value}"))
    assert (row, field, shown) == (12, "seconds", value)
    assert reason == "number is beyond 3.4e+38, where float32 ends"


@pytest.mark.parametrize("value", ["", "  "])
def test_an_empty_number_is_unknown_not_wrong(write, plain_schema: Schema, value: str) -> None:
    data = run(write, plain_schema, f"u0,i1,1600000000,play,{value}")
    assert np.isnan(data.events["seconds"].iloc[10])
    assert data.report.counts == {}
    (note,) = data.report.notes
    assert note.endswith("events.csv: 1 x empty 'seconds', read as unknown.")


def test_truncated_gzip(write, plain_schema: Schema) -> None:
    content = gzip.compress((HEADER + "\n".join(GOOD)).encode())
    with pytest.raises(DataError, match="cut short or damaged"):
        load_tables(write("events.csv.gz", content[:-20]), plain_schema)


def test_schema_with_a_typo(write) -> None:
    schema = write("schema.yaml", "name: x\nuser_idd: who\n")
    with pytest.raises(SchemaError, match="'user_idd': unknown key") as caught:
        load("tables", events=write("events.csv", HEADER), schema=schema)
    assert "\n" not in str(caught.value)


# --- further row-level rules ---


@pytest.mark.parametrize("user", ["", "  ", "nan", "NULL"])
def test_empty_id(write, plain_schema: Schema, user: str) -> None:
    assert only_reject(run(write, plain_schema, f"{user},i1,1600000000,play,1"))[3] == "id is empty"


def test_negative_duration(write, plain_schema: Schema) -> None:
    assert only_reject(run(write, plain_schema, "u0,i1,1600000000,play,-1"))[3] == "number is below 0"


def test_item_listed_twice_keeps_the_first(write, plain_schema: Schema) -> None:
    items = ITEMS + "i1,c,2021-01-01,w\ni4,,,\ni5,,,\n"
    data = run(write, plain_schema, items=items)
    assert data.report.rejects["row"].tolist() == [5]
    assert data.report.counts == {"item is listed twice": 1}
    assert data.items.loc[data.items["item_id"] == "i1", "tags"].tolist() == ["a|b"]


@pytest.mark.parametrize(("release", "reason"), [("soon", "neither unix seconds"), ("1995", "looks like a year")])
def test_unreadable_release(write, plain_schema: Schema, release: str, reason: str) -> None:
    items = ITEMS + f"i4,a,{release},w\ni5,,,\n"
    data = run(write, plain_schema, items=items)
    assert len(data.report.rejects) == 1
    assert reason in data.report.rejects["reason"].iloc[0]


def test_too_many_rejects_are_fatal_until_allowed(write, plain_schema: Schema) -> None:
    bad = [f"u0,i1,-{n},play,1" for n in range(1, 5)]
    with pytest.raises(DataError, match=r"4 of 14 rows \(28\.6%\).*first: row 12, field 'when', value '-1'"):
        run(write, plain_schema, *bad)
    assert len(run(write, plain_schema, *bad, share=0.3).events) == 10


def test_a_row_with_two_faults_is_counted_once(write, plain_schema: Schema) -> None:
    data = run(write, plain_schema, ",i99,-3,play,nan")
    assert only_reject(data)[3] == "id is empty"


def test_float_ids_match_whole_ones_and_are_noted(write) -> None:
    schema = Schema.parse({"name": "x", "item_features": [{"name": "size", "kind": "numeric"}]})
    events = write("e.csv", "user_id,item_id,timestamp\n7,1,1600000000\n7,2,1600000001\n")
    data = load_tables(events, schema, items=write("i.csv", "item_id,size\n1.0,3\n2.0,4.5\n"))
    assert data.events["item_id"].tolist() == ["1", "2"]
    assert data.items["item_id"].tolist() == ["1", "2"]
    assert any("floats like 1.0" in line for line in data.report.summary())


@pytest.mark.parametrize(
    ("unit", "stamp", "seconds"),
    [
        ("s", "1600000000", 1_600_000_000),
        ("ms", "1600000000999", 1_600_000_000),
        ("us", "1600000000000001", 1_600_000_000),
        ("ns", "1600000000000000001", 1_600_000_000),
        ("min", "5", 300),
        ("datetime", "2020-09-13T12:26:40Z", 1_600_000_000),
        ("datetime", "2020-09-13 14:26:40+02:00", 1_600_000_000),
        ("datetime", "2020-09-13", 1_599_955_200),
    ],
)
def test_units(write, unit: str, stamp: str, seconds: int) -> None:
    schema = Schema.parse({"name": "x", "timestamp_unit": unit})
    data = load_tables(write("e.csv", f"user_id,item_id,timestamp\nu,i,{stamp}\n"), schema)
    assert data.events["timestamp"].tolist() == [seconds]


def test_minute_zero_is_rejected(write) -> None:
    schema = Schema.parse({"name": "x", "timestamp_unit": "min"})
    lines = "".join(f"u,i,{minute}\n" for minute in range(6))
    data = load_tables(write("e.csv", "user_id,item_id,timestamp\n" + lines), schema)
    assert data.report.rejects["row"].tolist() == [2]
    assert data.events["timestamp"].tolist() == [60, 120, 180, 240, 300]


def test_parquet_datetimes(tmp_path: Path) -> None:
    times = pd.to_datetime(["2020-09-13 12:26:40", "2020-09-13 12:26:41"])
    pd.DataFrame({"user_id": [1, 2], "item_id": [3, 4], "timestamp": times}).to_parquet(tmp_path / "e.parquet")
    data = load_tables(tmp_path / "e.parquet", Schema.parse({"name": "x", "timestamp_unit": "datetime"}))
    assert data.events["timestamp"].tolist() == [1_600_000_000, 1_600_000_001]
    assert data.events["user_id"].tolist() == ["1", "2"]


def test_foursquare(shared_data: Path) -> None:
    data = load("foursquare-nyc", raw=shared_data / "foursquare-nyc")
    # 147,938 lines, 458 of them exact repeats of an earlier line (same user, place and minute)
    assert data.report.rows_read[str(shared_data / "foursquare-nyc" / "checkins.csv")] == 147_938
    assert len(data.events) == 147_938 - 458
    assert data.events["user_id"].nunique() == 1_083
    assert len(data.items) == 5_135
    seen = data.events.duplicated(["user_id", "item_id"]).mean()
    assert 0.74 < seen < 0.77
