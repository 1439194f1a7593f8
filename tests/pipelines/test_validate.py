"""The report: rows read = kept + rejected, one reason per row, and limits that stop garbage."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from pipelines.validate import REJECT_COLUMNS, DataError, ValidationReport


@pytest.fixture
def report() -> ValidationReport:
    report = ValidationReport(max_reject_share=0.3)
    report.read("b.csv", 10)
    report.read("a.csv", 4)
    report.reject("b.csv", [7, 3], "when", ["-1", "x"], "bad time")
    report.reject("b.csv", [5], "who", [""], "id is empty")
    return report


def test_counts_by_reason_and_file(report: ValidationReport) -> None:
    assert report.counts == {"bad time": 2, "id is empty": 1}
    assert report.rejected == {"b.csv": 3}
    assert list(report.rejects.columns) == list(REJECT_COLUMNS)
    assert report.rejects["row"].tolist() == [3, 5, 7]
    assert report.rejects["value"].tolist() == ["x", "", "-1"]


def test_nothing_rejected_is_an_empty_frame_of_the_same_shape() -> None:
    frame = ValidationReport().rejects
    assert list(frame.columns) == list(REJECT_COLUMNS)
    assert len(frame) == 0


def test_rejecting_no_row_leaves_no_trace() -> None:
    report = ValidationReport()
    report.reject("a.csv", [], "who", [], "id is empty")
    assert report.counts == {}


def test_check_accepts_the_allowed_share_and_stops_above_it(report: ValidationReport) -> None:
    report.check("b.csv")  # 3 of 10 is exactly 30%
    report.check("a.csv")
    report.reject("b.csv", [8], "who", [""], "id is empty")
    with pytest.raises(DataError, match=r"b\.csv: 4 of 10 rows \(40\.0%\).*allowed 30%.*row 3.*'when'"):
        report.check("b.csv")


def test_check_stops_when_every_row_is_rejected_whatever_the_limit() -> None:
    report = ValidationReport(max_reject_share=1.0)
    report.read("a.csv", 1)
    report.reject("a.csv", [2], "who", [""], "id is empty")
    with pytest.raises(DataError, match="every one of 1 rows"):
        report.check("a.csv")


def test_check_stops_on_a_file_without_rows() -> None:
    with pytest.raises(DataError, match="holds no data row"):
        ValidationReport().check("a.csv")


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_impossible_share_is_an_error(share: float) -> None:
    with pytest.raises(DataError, match="between 0 and 1"):
        ValidationReport(share)


def test_summary_names_file_field_reason_and_first_example(report: ValidationReport) -> None:
    report.note("a remark")
    report.note("a remark")
    lines = report.summary()
    assert "b.csv: 10 rows read, 7 kept, 3 rejected" in lines
    assert "b.csv: 2 x bad time (field when; first at row 3: 'x')" in lines
    assert lines.count("a remark") == 1


def test_dict_is_json_ready(report: ValidationReport) -> None:
    again = json.loads(json.dumps(report.to_dict()))
    assert again["rows_read"] == {"b.csv": 10, "a.csv": 4}
    assert again["rows_rejected"] == {"b.csv": 3}
    assert again["reasons"]["bad time"] == 2


def test_csv_holds_every_rejected_row(report: ValidationReport, tmp_path) -> None:
    report.reject("b.csv", [9], "who", ['a "quoted",\nvalue'], "odd")
    path = tmp_path / "rejects.csv"
    report.write_csv(path)
    again = pd.read_csv(path, keep_default_na=False)
    assert list(again.columns) == list(REJECT_COLUMNS)
    assert again["row"].tolist() == [3, 5, 7, 9]
    assert again["value"].iloc[-1] == 'a "quoted",\nvalue'
