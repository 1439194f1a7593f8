"""Delimited text: physical line numbers, nothing lost, one sentence for a file that cannot be read."""

from __future__ import annotations

import gzip
import io

import pandas as pd
import pytest

from pipelines.datasets.textfiles import parse_table, read_file, table_chunks
from pipelines.validate import DataError, ValidationReport


def parse(data: bytes, columns=("a", "b"), **options):
    report = ValidationReport()
    return parse_table(data, "x.csv", report, list(columns), **options), report


def test_values_stay_text_and_lines_are_physical() -> None:
    frame, report = parse(b"a,b,c\n01,NA,x\n2,,y\n")
    assert frame.to_dict("list") == {"a": ["01", "2"], "b": ["NA", ""]}
    assert frame.index.tolist() == [2, 3]
    assert report.rows_read == {"x.csv": 2}


@pytest.mark.parametrize("newline", [b"\n", b"\r\n"])
@pytest.mark.parametrize("end", [True, False])
def test_line_ends_and_byte_order_mark(newline: bytes, end: bool) -> None:
    data = b"\xef\xbb\xbf" + newline.join([b"a,b", b"1,2", b"3,4"]) + (newline if end else b"")
    frame, _ = parse(data)
    assert frame.to_dict("list") == {"a": ["1", "3"], "b": ["2", "4"]}


def test_blank_lines_shift_nothing() -> None:
    frame, report = parse(b"a,b\n1,2\n\n3,4\n   \n5,6\n")
    assert frame.index.tolist() == [2, 4, 6]
    assert report.rows_read == {"x.csv": 3}


def test_quoted_separator_and_line_break() -> None:
    frame, _ = parse(b'a,b\n"1,5","x\ny"\n2,z\n')
    assert frame["a"].tolist() == ["1,5", "2"]
    assert frame["b"].tolist() == ["x\ny", "z"]
    assert frame.index.tolist() == [2, 4]


@pytest.mark.parametrize("quote", [b"", b'"'])
def test_wrong_number_of_fields_rejects_that_line_only(quote: bytes) -> None:
    frame, report = parse(b"a,b\n1,2\n3\n4,5,6\n" + quote + b"7" + quote + b",8\n")
    assert frame["a"].tolist() == ["1", "7"]
    assert report.rejects["row"].tolist() == [3, 4]
    assert report.rejects["value"].tolist() == ["3", "4,5,6"]
    assert report.rows_read == {"x.csv": 4}


def test_quote_that_swallows_lines_rejects_each_of_them() -> None:
    # the quote opened in line 2 closes in line 4, so three physical lines make one record with one field
    frame, report = parse(b'a,b\n"1,2\n3,4\n5"\n6,7\n')
    assert frame["a"].tolist() == ["6"]
    assert report.rejects["row"].tolist() == [2, 3, 4]


def test_quote_never_closed_is_fatal_and_names_its_line() -> None:
    with pytest.raises(DataError, match=r"x\.csv: line 3 .*never closed"):
        parse(b'a,b\n1,2\n"3,4\n5,6\n')


def test_quotes_far_apart_reject_all_lines_between() -> None:
    lines = b"".join(b"%d,4\n" % i for i in range(30))
    frame, report = parse(b'a,b\n1,"2\n' + lines + b'5"\n6,7\n')  # one record of two fields, 32 lines long
    assert frame["a"].tolist() == ["6"]
    assert report.rejects["row"].tolist() == list(range(2, 34))
    assert set(report.rejects["reason"]) == {"field 'b' goes on over 32 lines; check the quotes"}


def test_a_long_text_in_a_column_that_is_not_read_stays() -> None:
    report = ValidationReport()
    data = b'a,b\n1,"' + b"x\n" * 40 + b'"\n2,y\n'
    assert parse_table(data, "x.csv", report, ["a"])["a"].tolist() == ["1", "2"]
    assert report.counts == {}


def test_a_quote_early_in_a_long_file_that_is_never_closed() -> None:
    with pytest.raises(DataError, match=r"x\.csv: line 3 .*a quote opened here is probably never closed"):
        parse(b'a,b\n1,2\n"3,4\n' + b"5,6\n" * 40_000)


def test_line_ends_of_old_macs() -> None:
    with pytest.raises(DataError, match="save the file with LF"):
        parse(b"a,b\r1,2\r3,4\r")


def test_double_colon_and_no_header() -> None:
    frame, _ = parse(b"1::x|y::9\n2::z::8\n", names=["a", "b", "c"], separator="::", quoted=False)
    assert frame["b"].tolist() == ["x|y", "z"]
    assert frame.index.tolist() == [1, 2]


def test_latin_1_where_the_format_is_latin_1() -> None:
    frame, _ = parse("1|Misérables\n".encode("latin-1"), names=["a", "b"], separator="|", encoding="latin-1")
    assert frame["b"].tolist() == ["Misérables"]


def test_missing_column_names_what_was_found() -> None:
    with pytest.raises(DataError, match=r"x\.csv: line 1 lacks the column b \(found: a, c\)"):
        parse(b"a,c\n1,2\n")


def test_column_named_twice() -> None:
    with pytest.raises(DataError, match="names the column a twice"):
        parse(b"a,b,a\n1,2,3\n")


@pytest.mark.parametrize(("separator", "word"), [("\t", "tabs"), (";", "semicolons"), ("|", "vertical bars")])
def test_wrong_separator_is_named(separator: str, word: str) -> None:
    data = f"a{separator}b\n1{separator}2\n".encode()
    with pytest.raises(DataError, match=f"separated by {word}, expected commas"):
        parse(data)


def test_wrong_separator_without_header() -> None:
    with pytest.raises(DataError, match="separated by commas, expected '::'"):
        parse(b"1,2,3\n", names=["a", "b", "c"], separator="::", quoted=False)


def test_wrong_number_of_columns_without_header() -> None:
    with pytest.raises(DataError, match="line 1 has 2 fields, expected 3"):
        parse(b"1::2\n", names=["a", "b", "c"], separator="::", quoted=False)


@pytest.mark.parametrize(("data", "byte", "line"), [(b"a,b\n1,2\n3,\xe9\n", 10, 3), (b"a,b\xff\n1,2\n", 3, 1)])
def test_non_utf8_names_byte_and_line(data: bytes, byte: int, line: int) -> None:
    with pytest.raises(DataError, match=f"byte {byte} in line {line} .*not utf-8; save the file as UTF-8"):
        parse(data)


def test_stray_carriage_return_in_the_header() -> None:
    with pytest.raises(DataError, match=r"x\.csv: line 1 cannot be read \(a line ends with CR alone"):
        parse(b"a,\rb\n1,2\n")


def test_header_only_gives_no_rows() -> None:
    frame, report = parse(b"a,b\n")
    assert len(frame) == 0
    assert report.rows_read == {"x.csv": 0}


def test_read_file_unpacks_gzip_by_content(tmp_path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(gzip.compress(b"a,b\n"))
    assert read_file(path) == b"a,b\n"


def test_truncated_gzip(tmp_path) -> None:
    path = tmp_path / "x.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n" * 1000)[:-12])
    with pytest.raises(DataError, match=r"x\.csv\.gz: the gzip file is cut short or damaged"):
        read_file(path)


def test_corrupt_gzip(tmp_path) -> None:
    data = bytearray(gzip.compress(bytes(range(256)) * 50))
    data[len(data) // 2] ^= 0xFF
    path = tmp_path / "x.csv.gz"
    path.write_bytes(bytes(data))
    with pytest.raises(DataError, match="damaged"):
        read_file(path)


def test_gz_name_without_gzip_content(tmp_path) -> None:
    path = tmp_path / "x.csv.gz"
    path.write_bytes(b"a,b\n")
    with pytest.raises(DataError, match="is not gzip"):
        read_file(path)


@pytest.mark.parametrize("data", [b"", b"\n\n", gzip.compress(b"", mtime=0)])
def test_empty_file(tmp_path, data: bytes) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(data)
    with pytest.raises(DataError, match="is empty"):
        read_file(path)


def test_missing_file(tmp_path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.csv: cannot be read \(No such file"):
        read_file(tmp_path / "nowhere.csv")


@pytest.mark.parametrize("quote", [b"", b'"'])
@pytest.mark.parametrize("size", [1, 7, 16, 1_000])
def test_pieces_give_what_the_whole_gives(size: int, quote: bytes) -> None:
    """Blank and wrong lines, quoted line breaks, the first line after a piece, no newline at the end."""
    data = b"a,b\r\n1,2\n\n3\n4,5,6\n" + quote + b"7" + quote + b",8\n9,"
    data += (b'"x\ny"' if quote else b"x") + b"\n10,11\n12,13"
    expected, whole = parse(data)
    report = ValidationReport()
    pieces = list(table_chunks(io.BytesIO(data), "x.csv", report, ["a", "b"], size=size))
    assert len(pieces) > (1 if size < 1_000 else 0)
    pd.testing.assert_frame_equal(pd.concat(pieces), expected, check_index_type=False)
    assert report.to_dict() == whole.to_dict()
    pd.testing.assert_frame_equal(report.rejects, whole.rejects)


def test_a_bad_byte_in_a_later_piece_is_named_by_its_place_in_the_file() -> None:
    data = b"a,b\n" + b"1,2\n" * 10 + b"3,\xff\n"
    with pytest.raises(DataError, match=r"byte 46 in line 12 \(0xff\) is not utf-8"):
        list(table_chunks(io.BytesIO(data), "x.csv", ValidationReport(), ["a", "b"], size=8))
