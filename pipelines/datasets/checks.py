"""Raw columns become the canonical frames of :class:`~pipelines.datasets.base.RawData`, row by row or not at
all.

The checks are vectorised by hand and not pandera's: pandera reports a failing cell, but the report here needs
the physical line number, the text as it stands in the file, and exactly one reason per row over several files
(an event may fail because of the catalogue).  pandera checks the finished frames instead, in
:func:`pipelines.datasets.contract.check_contract`.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from intentrec_tf.schema import AgeBucketIntent, Schema
from pipelines.datasets.rows import Rows
from pipelines.datasets.timestamps import parse_dates, take_timestamps, to_numbers
from pipelines.validate import DataError, ValidationReport

_LARGEST = float(np.finfo(np.float32).max)

MISSING_WORDS = ("", "nan", "NaN", "null", "NULL", "None", "<NA>")


def text(values: pd.Series) -> pd.Series:
    """Values as stripped strings; missing ones (also ``nan``, ``null``, ``None``) become ``""``."""
    if not pd.api.types.is_string_dtype(values.dtype) or values.isna().any():
        values = values.astype("object").where(values.notna(), "").astype("str")
    values = values.str.strip()
    return values.where(~values.isin(MISSING_WORDS), "")


def clean_ids(rows: Rows, fields: tuple[str, ...]) -> None:
    """Turn id columns into strings in place and reject rows with an empty one.

    A column of whole numbers that some tool wrote as floats (``1.0``) is read as integers, with a note.
    """
    _join_floats(rows, _strip_ids(rows, fields))


def _strip_ids(rows: Rows, fields: tuple[str, ...]) -> set[str]:
    """Id columns as strings, rows with an empty one rejected; those whose every id here is like ``1.0``."""
    floats = set()
    for field in fields:
        values = text(rows.frame[field])
        keep = rows.drop(values == "", field, "id is empty")
        values = values[keep]
        if values.str.fullmatch(r"\d+\.0").all():
            floats.add(field)
        rows.frame = rows.frame.assign(**{field: values})
    return floats


def _join_floats(rows: Rows, fields: set[str]) -> None:
    """Ids like ``1.0`` become ``1``, for columns that hold no other ids."""
    for field in sorted(fields):
        if len(rows.frame):
            name = rows.names.get(field, field)
            rows.report.note(f"{rows.file}: ids in '{name}' are floats like 1.0; they are read as 1.")
        rows.frame = rows.frame.assign(**{field: rows.frame[field].str.removesuffix(".0")})


def labels(values: pd.Series) -> pd.Series:
    """Multi-label texts in one form: labels joined by ``|``, stripped, none empty, none twice."""
    values = text(values)
    tidy = {}
    for value in values.unique():
        parts = (part.strip() for part in value.split("|"))
        tidy[value] = "|".join(dict.fromkeys(part for part in parts if part))
    return values.map(tidy).astype("str")


def clean_events(
    frame: pd.DataFrame,
    file: str,
    schema: Schema,
    report: ValidationReport,
    items: pd.DataFrame | None = None,
    number_labels: Mapping[str, tuple[float, float]] | None = None,
) -> pd.DataFrame:
    """Check raw events and return the canonical frame.

    Args:
        frame: columns ``user_id, item_id, timestamp`` and ``schema.event_columns()`` as found in the file;
            the index holds line numbers.
        file: name for messages.
        schema: units and kinds of the columns.
        report: receives the rejected rows.
        items: the canonical catalogue; events with another item are rejected.
        number_labels: categorical columns whose labels must be numbers, with the range allowed; ``5.0``
            becomes ``5``.

    Raises:
        DataError: no row, or too many rejected.
    """
    alone, floats = clean_rows(frame, file, schema, report, number_labels)
    clean = clean_log(alone, file, schema, report, floats, items)
    report.check(file)
    return clean.reset_index(drop=True)


def clean_rows(
    frame: pd.DataFrame,
    file: str,
    schema: Schema,
    report: ValidationReport,
    number_labels: Mapping[str, tuple[float, float]] | None = None,
) -> tuple[pd.DataFrame, set[str]]:
    """The part of :func:`clean_events` that looks at one row at a time.

    Returns:
        The good rows under their line numbers, and the id columns that :func:`clean_log` may take for floats if no
        other row of the file speaks against it.
    """
    rows = Rows(frame, file, report, _names(schema))
    floats = _strip_ids(rows, ("user_id", "item_id"))
    seconds = take_timestamps(rows, "timestamp", schema.timestamp_unit)
    rows.frame = rows.frame.assign(timestamp=seconds)
    kinds = {feature.name: feature.kind for feature in schema.event_features}
    duration = schema.duration_weight.column if schema.duration_weight else None
    for column in schema.event_columns():
        allowed = (number_labels or {}).get(column)
        kind = kinds.get(column, "numeric")
        if allowed is not None:
            numbers = _numbers(rows, column, *allowed)
            names = {number: f"{number:g}" for number in np.unique(numbers)}
            values = pd.Series(numbers, index=rows.frame.index).map(names).astype("str")
        elif kind == "numeric" or column == duration:
            low = 0.0 if column == duration else -np.inf
            values = pd.Series(_numbers(rows, column, low, may_be_empty=True), index=rows.frame.index)
        else:
            values = labels(rows.frame[column]) if kind == "multi_label" else text(rows.frame[column])
        rows.frame = rows.frame.assign(**{column: values})
    return rows.frame[["user_id", "item_id", "timestamp", *schema.event_columns()]], floats


def clean_log(
    frame: pd.DataFrame,
    file: str,
    schema: Schema,
    report: ValidationReport,
    floats: set[str],
    items: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """The part of :func:`clean_events` that compares rows: with each other (of one user at least) and the catalogue.

    Args:
        frame: rows from :func:`clean_rows`, in the order of their line numbers, the index; all of any user's.
        floats: the id columns that are floats like ``1.0`` in the whole file.

    Returns:
        The good rows under their line numbers.
    """
    rows = Rows(frame, file, report, _names(schema))
    _join_floats(rows, floats)
    rows.drop(_repeated(rows.frame), "line", "exact duplicate of an earlier row", shown=list(frame.columns))
    if items is not None:
        known = rows.frame["item_id"].isin(items["item_id"])
        rows.drop(~known, "item_id", "item is not in the item catalogue")
    return rows.frame


def clean_items(frame: pd.DataFrame, file: str, schema: Schema, report: ValidationReport) -> pd.DataFrame:
    """Check a raw catalogue and return the canonical frame; of an item listed twice the first row stays.

    Release columns may hold unix seconds or ISO dates; empty means unknown.

    Raises:
        DataError: no row, or too many rejected.
    """
    rows = Rows(frame, file, report, _names(schema))
    clean_ids(rows, ("item_id",))
    rows.drop(rows.frame["item_id"].duplicated(), "item_id", "item is listed twice")
    kinds = {feature.name: feature.kind for feature in schema.item_features}
    releases = {i.release for i in schema.intents if isinstance(i, AgeBucketIntent)}
    for column in schema.item_columns():
        if column in releases:
            values = _release_times(rows, column)
        elif kinds.get(column) == "numeric":
            values = pd.Series(_numbers(rows, column, may_be_empty=True), index=rows.frame.index)
        else:
            raw = rows.frame[column]
            values = labels(raw) if kinds.get(column) == "multi_label" else text(raw)
        rows.frame = rows.frame.assign(**{column: values})
    rows.frame = rows.frame[["item_id", *schema.item_columns()]]
    return rows.finish()


def clean_interests(
    frame: pd.DataFrame, file: str, schema: Schema, report: ValidationReport, items: pd.DataFrame
) -> pd.DataFrame:
    """Check declared interests and return ``user_id, interest`` (and ``timestamp`` if the raw frame has it).

    Raises:
        DataError: the schema declares no ``explicit_interests``, no row, or too many rejected.
    """
    feature = schema.explicit_interests
    if feature is None:
        raise DataError(
            f"{file}: schema '{schema.name}' has no explicit_interests; name the item feature it refers to."
        )
    rows = Rows(frame, file, report, _names(schema))
    clean_ids(rows, ("user_id",))
    rows.frame = rows.frame.assign(interest=text(rows.frame["interest"]))
    rows.drop(rows.frame["interest"] == "", "interest", "interest is empty")
    known = set(items[feature].astype("str").str.split("|").explode())
    rows.drop(
        ~rows.frame["interest"].isin(known),
        "interest",
        f"interest is no label of the item feature '{feature}'",
    )
    columns = ["user_id", "interest"]
    if "timestamp" in rows.frame:
        rows.frame = rows.frame.assign(timestamp=take_timestamps(rows, "timestamp", schema.timestamp_unit))
        columns.append("timestamp")
    rows.frame = rows.frame[columns]
    rows.drop(_repeated(rows.frame), "line", "exact duplicate of an earlier row", shown=columns)
    return rows.finish()


def bare_items(ids: pd.Series, schema: Schema, file: str) -> pd.DataFrame:
    """A catalogue made of the events' items, for a schema that declares no item columns.

    Args:
        ids: item ids in the order of the events; repeats are allowed.

    Raises:
        DataError: the schema needs item columns.
    """
    if schema.item_columns():
        raise DataError(
            f"{file}: schema '{schema.name}' needs the item columns {', '.join(schema.item_columns())}, "
            "but no item file was given; pass one or take them out of the schema."
        )
    return pd.DataFrame({"item_id": pd.unique(ids)}).astype({"item_id": "str"})


def _names(schema: Schema) -> dict[str, str]:
    """Canonical id columns -> their names in the raw files."""
    return {"user_id": schema.user_id, "item_id": schema.item_id, "timestamp": schema.timestamp}


def _numbers(
    rows: Rows, field: str, low: float = -np.inf, high: float = np.inf, may_be_empty: bool = False
) -> np.ndarray:
    """Finite float64 values of a column within ``[low, high]``; other rows are rejected.

    With ``may_be_empty`` an empty cell stays, as NaN (unknown), and a note counts such cells.
    """
    raw = rows.frame[field]
    numbers = to_numbers(raw).astype("float64")
    empty = np.zeros(len(raw), dtype=bool)
    if may_be_empty:
        empty = np.isnan(numbers) & (raw.isna() | (raw.astype("str").str.strip() == "")).to_numpy()
    keep = rows.drop(~np.isfinite(numbers) & ~empty, field, "not a finite number")
    numbers = numbers[keep]
    keep = rows.drop(np.abs(numbers) > _LARGEST, field, f"number is beyond {_LARGEST:.1e}, where float32 ends")
    numbers = numbers[keep]
    if empty.any():
        name = rows.names.get(field, field)
        rows.report.note(f"{rows.file}: {{count}} x empty '{name}', read as unknown.", int(empty.sum()))
    limits = f"number is below {low:g}" if np.isinf(high) else f"number is outside {low:g} to {high:g}"
    keep = rows.drop((numbers < low) | (numbers > high), field, limits)
    return numbers[keep]


def _release_times(rows: Rows, field: str) -> pd.Series:
    """Release times in unix seconds, NaN if empty; a text that is neither a number nor a date is rejected."""
    raw = rows.frame[field]
    if pd.api.types.is_datetime64_any_dtype(raw.dtype):
        return pd.Series(parse_dates(raw), index=raw.index)
    seconds = to_numbers(raw).astype("float64")
    unread = np.isnan(seconds) & (text(raw) != "").to_numpy()
    if unread.any():
        seconds[unread] = parse_dates(raw[unread])
    years = (seconds >= 1800) & (seconds <= 2100)
    keep = rows.drop(years & ~unread, field, "release looks like a year; write a date such as 1995-07-01")
    seconds, unread = seconds[keep], unread[keep]
    keep = rows.drop(
        unread & np.isnan(seconds) | np.isinf(seconds), field, "release is neither unix seconds nor a date"
    )
    return pd.Series(seconds[keep], index=rows.frame.index)


def _repeated(frame: pd.DataFrame) -> np.ndarray:
    """True for each row equal to an earlier one in every column."""
    codes = pd.DataFrame({name: pd.factorize(frame[name])[0] for name in frame.columns})
    return codes.duplicated().to_numpy()
