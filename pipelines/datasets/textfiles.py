"""Delimited text as a frame of strings whose index holds 1-based physical line numbers.

Lines with the wrong number of fields are rejected one by one; whatever makes the whole file unreadable is one
sentence.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.csv

from pipelines.validate import DataError, ValidationReport

_SEPARATORS = {
    ",": "commas",
    "\t": "tabs",
    ";": "semicolons",
    "|": "vertical bars",
    "::": "'::'",
    " ": "spaces",
}
_CHUNK = 1 << 24


def read_file(path: str | Path) -> bytes:
    """Bytes of a file, unpacked if it is gzip.

    Raises:
        DataError: the file is missing, unreadable, empty, or a damaged gzip.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); name an existing file.") from None
    return unpack(data, str(path))


def unpack(data: bytes, file: str) -> bytes:
    """``data`` itself, or its content if it is gzip (told by its first bytes, not by the file's name).

    Raises:
        DataError: no bytes at all, or a damaged gzip.
    """
    if data[:2] == b"\x1f\x8b":
        try:
            data = gzip.decompress(data)
        except (EOFError, OSError, zlib.error):
            raise DataError(f"{file}: the gzip file is cut short or damaged; copy or download it again.") from None
    elif file.endswith(".gz") and data:
        raise DataError(f"{file}: is named .gz but is not gzip; rename it or compress it again.")
    if not data.strip():
        raise DataError(f"{file}: is empty; name a file that holds rows.")
    return data


def decode(data: bytes, file: str, encoding: str = "utf-8") -> str:
    """Text of ``data`` without a byte order mark.

    Raises:
        DataError: the bytes are not in ``encoding``; the sentence names the byte and the line.
    """
    try:
        return data.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{file}: byte {error.start} in line {line} (0x{data[error.start]:02x}) is not {encoding}; "
            "save the file as UTF-8."
        ) from None


def parse_table(
    data: bytes,
    file: str,
    report: ValidationReport,
    columns: Sequence[str],
    *,
    separator: str = ",",
    names: Sequence[str] | None = None,
    encoding: str = "utf-8",
    quoted: bool = True,
    optional: Sequence[str] = (),
) -> pd.DataFrame:
    """Parse delimited text and return the columns asked for, all strings, indexed by line number.

    Args:
        data: the unpacked file.
        file: its name for messages.
        report: counts the rows and receives the lines with the wrong number of fields.
        columns: columns that must be there; repeats are allowed and returned once.
        separator: field separator, a key of the table of separators above.
        names: column names of a file without a header line; None reads them from the first line.
        encoding: text encoding.
        quoted: whether ``"`` quotes fields.
        optional: further columns to return where the file has them.

    Raises:
        DataError: a column is missing, the separator is another one, or the text is not in ``encoding``.
    """
    if encoding.lower().replace("_", "-") != "utf-8":
        data = decode(data, file, encoding).encode("utf-8")
    data = data.removeprefix(b"\xef\xbb\xbf")
    first = decode(data.split(b"\n", 1)[0], file, "utf-8").rstrip("\r")
    found = _split(first, file, separator, quoted)
    header = [name.strip() for name in found] if names is None else list(names)
    _check_columns(header, found, first, file, columns, separator, names is not None)
    if len(separator) > 1:
        if b"\x1f" in data:
            raise DataError(f"{file}: holds the control character 0x1f; remove it.")
        data, separator = data.replace(separator.encode(), b"\x1f"), "\x1f"
    wanted = list(dict.fromkeys([*columns, *(name for name in optional if name in header)]))
    skip = 1 if names is None else 0
    frame = None
    if not (quoted and b'"' in data):
        frame = _parse_fast(data, header, wanted, separator, skip)
    if frame is None:
        frame = _parse_careful(decode(data, file), file, report, header, separator, skip, quoted)[wanted]
    report.read(file, len(frame))
    return frame


def _split(line: str, file: str, separator: str, quoted: bool) -> list[str]:
    """Fields of the first line."""
    if len(separator) > 1 or not quoted:
        return line.split(separator)
    try:
        return next(csv.reader([line], delimiter=separator), [])
    except csv.Error as error:
        raise DataError(f"{file}: line 1 cannot be read ({str(error).split(' - ')[0]}); correct the line.") from None


def _check_columns(
    header: Sequence[str],
    found: Sequence[str],
    first: str,
    file: str,
    columns: Sequence[str],
    separator: str,
    headerless: bool,
) -> None:
    """Fail on a missing or doubled column, naming the separator the file seems to use instead."""
    wrong = len(found) != len(header) if headerless else not set(columns) <= set(header)
    if wrong:
        for other, name in _SEPARATORS.items():
            parts = [part.strip().strip('"') for part in first.split(other)]
            fits = len(parts) == len(header) if headerless else set(columns) <= set(parts)
            if other != separator and fits and len(parts) > 1:
                expected = _SEPARATORS[separator]
                raise DataError(
                    f"{file}: line 1 is separated by {name}, expected {expected}; "
                    f"save the file with {expected} between the fields."
                )
    if headerless:
        if wrong:
            raise DataError(
                f"{file}: line 1 has {len(found)} fields, expected {len(header)} ({', '.join(header[:6])}"
                f"{', ...' if len(header) > 6 else ''}); check that this is the right file."
            )
        return
    missing = [name for name in columns if name not in header]
    if missing:
        shown = ", ".join(header[:20]) + (", ..." if len(header) > 20 else "")
        raise DataError(
            f"{file}: line 1 lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)} "
            f"(found: {shown}); rename the column or name it in the schema."
        )
    doubled = [name for name in columns if list(header).count(name) > 1]
    if doubled:
        raise DataError(f"{file}: line 1 names the column {doubled[0]} twice; rename one of them.")


def _parse_fast(data: bytes, header: list[str], wanted: list[str], separator: str, skip: int) -> pd.DataFrame | None:
    """Parse text without quotes in one go; None if any line is blank, malformed or not UTF-8."""
    if data.count(b"\n", 0, len(data) - 1) < skip:
        return None
    try:
        table = pyarrow.csv.read_csv(
            io.BytesIO(data),
            read_options=pyarrow.csv.ReadOptions(column_names=header, skip_rows=skip, block_size=_CHUNK),
            parse_options=pyarrow.csv.ParseOptions(delimiter=separator, quote_char=False, ignore_empty_lines=False),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types={name: pyarrow.string() for name in wanted},
                include_columns=wanted,
                strings_can_be_null=False,
            ),
        )
    except pyarrow.ArrowInvalid:
        return None
    frame = table.to_pandas()
    frame.index = pd.RangeIndex(skip + 1, skip + 1 + len(frame))
    return frame.astype("str")


def _parse_careful(
    content: str,
    file: str,
    report: ValidationReport,
    header: list[str],
    separator: str,
    skip: int,
    quoted: bool,
) -> pd.DataFrame:
    """Parse record by record: quoted fields, fields with line breaks, blank lines, lines to be rejected."""
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=separator, quoting=quoting, strict=quoted)
    records: list[list[str]] = []
    lines: list[int] = []
    last = 0
    try:
        for record in reader:
            start, last = last + 1, reader.line_num
            if start <= skip or not any(field.strip() for field in record):
                continue
            if len(record) == len(header):
                records.append(record)
                lines.append(start)
                continue
            report.read(file, last - start + 1)
            shown = separator.join(record).replace("\x1f", "::")[:200]
            reason = f"line has the wrong number of fields (expected {len(header)})"
            rows = range(start, last + 1)
            report.reject(file, list(rows), "line", [shown] * len(rows), reason)
    except csv.Error as error:
        problem = str(error).split(" - ")[0]
        if "end of data" in problem:
            problem = "a quote opened here is never closed"
        raise DataError(f"{file}: line {last + 1} cannot be read ({problem}); correct the line.") from None
    index = pd.Index(np.asarray(lines, dtype="int64"))
    return pd.DataFrame(records, columns=header, index=index, dtype="str")
