"""Delimited text as a frame of strings whose index holds 1-based physical line numbers.

Lines with the wrong number of fields are rejected one by one; whatever makes the whole file unreadable is one
sentence.
"""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

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
_BLOCK = 1 << 24  # bytes that pyarrow reads at a time
_RECORDS = 500_000  # parsed one by one for a piece
_BREAKS = 10  # line breaks in a field from which on a quote is rather missing
_CSV_PROBLEMS = {  # part of what the csv module says -> what it means
    "end of data": "a quote opened here is never closed",
    "larger than field limit": "a quote opened here is probably never closed",
    "new-line character": "a line ends with CR alone; save the file with LF",
}
CHUNK_BYTES = 1 << 25


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


def open_file(path: str | Path) -> BinaryIO:
    """A stream of a file's bytes, unpacked if it is gzip; reading it raises what :func:`read_file` raises.

    Raises:
        DataError: the file is missing, unreadable or empty, or is named .gz and is none.
    """
    path = Path(path)
    try:
        stream = path.open("rb")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); name an existing file.") from None
    first = stream.peek(2)[:2]
    if first == b"\x1f\x8b":
        stream.close()
        return cast(BinaryIO, gzip.open(path))
    if first and path.name.endswith(".gz"):
        stream.close()
        raise DataError(f"{path}: is named .gz but is not gzip; rename it or compress it again.")
    return stream


def decode(data: bytes, file: str, encoding: str = "utf-8", before: tuple[int, int] = (0, 0)) -> str:
    """Text of ``data`` without a byte order mark.

    Args:
        before: bytes and lines of the file before ``data``.

    Raises:
        DataError: the bytes are not in ``encoding``; the sentence names the byte and the line.
    """
    try:
        return data.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = before[1] + data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{file}: byte {before[0] + error.start} in line {line} (0x{data[error.start]:02x}) is not {encoding}; "
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
    stream = io.BytesIO(data)
    options: dict[str, Any] = {"separator": separator, "names": names, "quoted": quoted, "optional": optional}
    return pd.concat(list(table_chunks(stream, file, report, columns, size=len(data), **options)))


def table_chunks(
    stream: BinaryIO,
    file: str,
    report: ValidationReport,
    columns: Sequence[str],
    *,
    size: int = CHUNK_BYTES,
    separator: str = ",",
    names: Sequence[str] | None = None,
    quoted: bool = True,
    optional: Sequence[str] = (),
    skipped: int = 0,
) -> Iterator[pd.DataFrame]:
    """What :func:`parse_table` returns, in pieces of whole records, at least one (empty if there are no rows).

    Args:
        stream: the unpacked UTF-8 file.
        size: bytes to read at a time.
        skipped: lines of the file that are left out after the header; the rest as for :func:`parse_table`.
    """
    pieces = _pieces(stream, file, size)
    piece = next(pieces, b"")
    if not piece.strip():
        raise DataError(f"{file}: is empty; name a file that holds rows.")
    mark = len(piece) - len(piece.removeprefix(b"\xef\xbb\xbf"))
    piece = piece[mark:]
    first = decode(piece.split(b"\n", 1)[0], file, "utf-8").rstrip("\r")
    found = _split(first, file, separator, quoted)
    header = [name.strip() for name in found] if names is None else list(names)
    _check_columns(header, found, first, file, columns, separator, names is not None)
    wanted = list(dict.fromkeys([*columns, *(name for name in optional if name in header)]))
    table = _Table(file, report, header, separator, quoted)
    skip = 1 if names is None else 0
    before = (mark, skipped)
    for data in itertools.chain([piece], pieces):
        if quoted and b'"' in data:  # a quoted field may go on in the next piece
            for frame in table.parse_carefully(itertools.chain([data], pieces), wanted, skip, before):
                yield frame[wanted]
            return
        fast = table.parse_fast(data, wanted, skip, before[1])
        if fast is not None:
            report.read(file, len(fast))
            yield fast
        else:
            for frame in table.parse_carefully([data], wanted, skip, before):
                yield frame[wanted]
        before, skip = (before[0] + len(data), before[1] + data.count(b"\n")), 0


def _pieces(stream: BinaryIO, file: str, size: int) -> Iterator[bytes]:
    """The stream in pieces that end with a line."""
    rest = b""
    while True:
        try:
            data = stream.read(size)
        except (EOFError, OSError, zlib.error):
            raise DataError(f"{file}: the gzip file is cut short or damaged; copy or download it again.") from None
        if not data:
            break
        data = rest + data
        end = data.rfind(b"\n") + 1
        rest = data[end:]
        if end:
            yield data[:end]
    if rest:
        yield rest


def _split(line: str, file: str, separator: str, quoted: bool) -> list[str]:
    """Fields of the first line."""
    if len(separator) > 1 or not quoted:
        return line.split(separator)
    try:
        return next(csv.reader([line], delimiter=separator), [])
    except csv.Error as error:
        raise DataError(f"{file}: line 1 cannot be read ({_in_words(error)}); correct it.") from None


def _in_words(error: csv.Error) -> str:
    said = str(error).split(" - ")[0]
    return next((words for part, words in _CSV_PROBLEMS.items() if part in said), said)


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


class _Table:
    """Delimited text whose header is known.

    Args:
        file: its name for messages.
        report: counts the rows and receives the lines with the wrong number of fields.
        header: names of all columns.
        separator: between fields.
        quoted: whether ``"`` quotes fields.
    """

    def __init__(self, file: str, report: ValidationReport, header: list[str], separator: str, quoted: bool) -> None:
        self.file, self.report, self.header, self.quoted = file, report, header, quoted
        self.shown = separator
        self.separator = separator if len(separator) == 1 else "\x1f"

    def parse_fast(self, data: bytes, wanted: list[str], skip: int, lines: int) -> pd.DataFrame | None:
        """Parse text without quotes in one go; None if any line is blank, malformed or not UTF-8.

        Args:
            data: whole lines.
            wanted: columns to return.
            skip: header lines in it.
            lines: lines of the file before it.
        """
        if data.count(b"\n", 0, len(data) - 1) < skip or not data.strip():  # pyarrow takes blank lines alone for rows
            return None
        try:
            table = pyarrow.csv.read_csv(
                io.BytesIO(self._separated(data)),
                read_options=pyarrow.csv.ReadOptions(column_names=self.header, skip_rows=skip, block_size=_BLOCK),
                parse_options=pyarrow.csv.ParseOptions(
                    delimiter=self.separator, quote_char=False, ignore_empty_lines=False
                ),
                convert_options=pyarrow.csv.ConvertOptions(
                    column_types={name: pyarrow.string() for name in wanted},
                    include_columns=wanted,
                    strings_can_be_null=False,
                ),
            )
        except pyarrow.ArrowInvalid:
            return None
        frame = table.to_pandas()
        frame.index = pd.RangeIndex(lines + skip + 1, lines + skip + 1 + len(frame))
        return frame.astype("str")

    def parse_carefully(
        self, pieces: Iterable[bytes], wanted: list[str], skip: int, before: tuple[int, int]
    ) -> Iterator[pd.DataFrame]:
        """Parse record by record: quoted fields, fields with line breaks, blank lines, lines to be rejected.

        Args:
            pieces: whole lines each.
            wanted: columns where many line breaks mean that a quote is missing, so that a field swallowed the lines
                after it; another column may hold long texts.
            skip: header lines in the first.
            before: bytes and lines of the file before the first.
        """
        quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if self.quoted else csv.QUOTE_NONE
        texts = self._lines(pieces, before)
        reader = csv.reader(texts, delimiter=self.separator, quoting=quoting, strict=self.quoted)
        records: list[list[str]] = []
        lines: list[int] = []
        last = 0
        some = False
        try:
            for record in reader:
                start, last = last + 1, reader.line_num
                if start <= skip or not any(field.strip() for field in record):
                    continue
                rows = range(before[1] + start, before[1] + last + 1)
                if len(record) != len(self.header):
                    self._reject(record, rows, f"line has the wrong number of fields (expected {len(self.header)})")
                    continue
                if len(rows) > _BREAKS and (field := self._broken(record, wanted)):
                    self._reject(record, rows, f"field '{field}' goes on over {len(rows):,} lines; check the quotes")
                    continue
                records.append(record)
                lines.append(before[1] + start)
                if len(records) == _RECORDS:
                    yield self._frame(records, lines)
                    records, lines, some = [], [], True
        except csv.Error as error:
            line = before[1] + last + 1
            raise DataError(f"{self.file}: line {line} cannot be read ({_in_words(error)}); correct it.") from None
        if records or not some:
            yield self._frame(records, lines)

    def _separated(self, data: bytes) -> bytes:
        if self.shown == self.separator:
            return data
        if b"\x1f" in data:
            raise DataError(f"{self.file}: holds the control character 0x1f; remove it.")
        return data.replace(self.shown.encode(), b"\x1f")

    def _lines(self, pieces: Iterable[bytes], before: tuple[int, int]) -> Iterator[str]:
        for data in pieces:
            yield from io.StringIO(decode(self._separated(data), self.file, before=before), newline="")
            before = before[0] + len(data), before[1] + data.count(b"\n")

    def _broken(self, record: list[str], wanted: list[str]) -> str | None:
        """The first of these columns with at least :data:`_BREAKS` line breaks."""
        return next((name for name in wanted if record[self.header.index(name)].count("\n") >= _BREAKS), None)

    def _reject(self, record: list[str], rows: range, reason: str) -> None:
        self.report.read(self.file, len(rows))
        shown = self.shown.join(record)[:200]
        self.report.reject(self.file, list(rows), "line", [shown] * len(rows), reason)

    def _frame(self, records: list[list[str]], lines: list[int]) -> pd.DataFrame:
        self.report.read(self.file, len(records))
        index = pd.Index(np.asarray(lines, dtype="int64"))
        return pd.DataFrame(records, columns=self.header, index=index, dtype="str")
