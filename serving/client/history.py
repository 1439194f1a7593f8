"""Event histories (dictionaries or dataclasses) to the padded arrays `[B, L]` a signature asks for."""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.client.errors import InvalidInputError, shown
from serving.client.signature import SignatureInfo, TensorInfo

REQUIRED = ("item_id", "timestamp")
LABEL_SEPARATOR = "|"

# 9999-12-31T23:59:59Z. Today's milliseconds are far beyond it.
_LAST_SECOND = 253_402_300_799
_FLOAT32_MAX = float(np.finfo(np.float32).max)

_PADDING: dict[str, Any] = {"O": "", "i": 0, "u": 0, "f": 0.0, "b": False}
_MISSING: dict[str, Any] = {"O": "", "i": 0, "u": 0, "f": math.nan, "b": False}


def encode_histories(signature: SignatureInfo, histories: Sequence[Any]) -> dict[str, NDArray[Any]]:
    """Check histories and lay them out as the event columns of a signature.

    Each history is sorted by timestamp (events of the same second keep their order), cut to its newest L
    events and padded on the left: `""` for text, 0 for numbers. A value that an event lacks (or that is
    `None`) is `""` for text, NaN for fractions, 0 for whole numbers; `item_id` and `timestamp` are required.

    Args:
        signature: Supplies L and the columns.
        histories: B histories, each a sequence of mappings or dataclass instances, possibly empty.

    Returns:
        For each event column an array `[B, L]`: object (of `str`), int64, float32, ...

    Raises:
        InvalidInputError: an unknown key, a wrong type or an impossible value, named with its position.
    """
    length, columns = signature.history_length, signature.event_columns
    arrays = {
        name: np.full((len(histories), length), _PADDING[info.kind], dtype=_dtype(info))
        for name, info in columns.items()
    }
    for row, history in enumerate(histories):
        prefix = "" if len(histories) == 1 else f"history {row}, "
        events = [
            _check_event(f"{prefix}event {position}", event, columns)
            for position, event in enumerate(_check_history(row, history))
        ]
        events.sort(key=lambda event: event["timestamp"])  # stable
        newest = events[-length:]
        start = length - len(newest)
        for name, info in columns.items():
            for offset, event in enumerate(newest):
                value = event.get(name, _MISSING[info.kind])
                try:
                    arrays[name][row, start + offset] = value
                except OverflowError:
                    raise InvalidInputError(
                        f"{name!r} of an event is {shown(value)}, which {info.type_name} cannot hold, so correct it."
                    ) from None
    return arrays


def seen_items(history: Any) -> list[str | bytes]:
    """The item ids of one history.

    Raises:
        InvalidInputError: it is no sequence of events with an `item_id` each.
    """
    events = [fields_of(f"event {position}", event) for position, event in enumerate(_check_history(0, history))]
    for position, fields in enumerate(events):
        if not isinstance(fields.get("item_id"), (str, bytes)):
            raise InvalidInputError(f"event {position} has no text as 'item_id', so add it to the event.")
    return [fields["item_id"] for fields in events]


def check_time(where: str, value: Any) -> int:
    """A moment in whole unix seconds.

    Args:
        where: What the value is, for the message, e.g. `"request_time"`.
        value: An `int`, or a `float` without a fraction.

    Raises:
        InvalidInputError: not a number, NaN, a fraction, before 1970, or in milliseconds.
    """
    seconds = _whole(where, value, "whole unix seconds, such as int(time.time())")
    if seconds < 0:
        raise InvalidInputError(f"{where} is {seconds}, before 1970, so give it in unix seconds.")
    if seconds > _LAST_SECOND:
        raise InvalidInputError(
            f"{where} is {seconds}, beyond the year 9999, so give it in seconds rather than milliseconds."
        )
    return seconds


def _dtype(info: TensorInfo) -> Any:
    return object if info.kind == "O" else np.dtype(info.type_name if info.type_name != "bfloat16" else "float32")


def _check_history(row: int, history: Any) -> Sequence[Any]:
    if isinstance(history, (list, tuple)):
        return history
    if isinstance(history, (str, bytes, Mapping)) or not isinstance(history, Sequence):
        raise InvalidInputError(
            f"History {row} is of type {type(history).__name__}, so pass a list of events, each a dict or a dataclass."
        )
    return history


def _check_event(where: str, event: Any, columns: Mapping[str, TensorInfo]) -> dict[str, Any]:
    fields = fields_of(where, event)
    for key in fields:
        if key not in columns:
            close = difflib.get_close_matches(str(key), columns, n=1)
            hint = f"did you mean {close[0]!r}" if close else f"the model knows {', '.join(columns)}"
            raise InvalidInputError(f"{where} has the unknown key {shown(key)}, so rename or drop it ({hint}).")
    for key in REQUIRED:
        if fields.get(key) is None:
            raise InvalidInputError(f"{where} has no {key!r}, so add it to the event.")
    checked = {
        key: _check_value(f"{key!r} of {where}", value, columns[key])
        for key, value in fields.items()
        if value is not None and key != "timestamp"
    }
    if checked["item_id"] in ("", b""):
        raise InvalidInputError(f"'item_id' of {where} is empty, which means padding, so drop the event.")
    checked["timestamp"] = check_time(f"'timestamp' of {where}", fields["timestamp"])
    return checked


def fields_of(where: str, event: Any) -> dict[str, Any]:
    """An event's columns by name, unchecked; `where` names it in the error.

    Raises:
        InvalidInputError: it is neither a mapping nor a dataclass instance.
    """
    if isinstance(event, Mapping):
        return dict(event)
    if dataclasses.is_dataclass(event) and not isinstance(event, type):
        return {field.name: getattr(event, field.name) for field in dataclasses.fields(event)}
    raise InvalidInputError(f"{where} is of type {type(event).__name__}, so pass a dict or a dataclass instance.")


def _check_value(where: str, value: Any, info: TensorInfo) -> Any:
    return _CHECKS[info.kind](where, value)


def _text(where: str, value: Any) -> str | bytes:
    if isinstance(value, (str, bytes)):
        return value
    if isinstance(value, (list, tuple, set, frozenset)) and all(isinstance(label, str) for label in value):
        labels = sorted(value) if isinstance(value, (set, frozenset)) else value
        for label in labels:
            if LABEL_SEPARATOR in label:
                raise InvalidInputError(
                    f"{where} has the label {shown(label)}, so rename it, for {LABEL_SEPARATOR!r} separates labels."
                )
        return LABEL_SEPARATOR.join(labels)
    raise _refusal(where, value, "text (or a list of texts for several labels)")


def _whole(where: str, value: Any, wanted: str = "a whole number of at most 64 bits") -> int:
    if isinstance(value, (float, np.floating)) and math.isfinite(value) and value == int(value):
        value = int(value)
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or not -(2**63) <= value < 2**63:
        raise _refusal(where, value, wanted)
    return int(value)


def _fraction(where: str, value: Any) -> float:
    if not isinstance(value, (int, float, np.integer, np.floating)) or isinstance(value, bool):
        raise _refusal(where, value, "a number")
    if value > _FLOAT32_MAX or value < -_FLOAT32_MAX:  # false for NaN, which means unknown
        raise _refusal(where, value, "a number within float32, or NaN if unknown")
    return float(value)


def _truth(where: str, value: Any) -> bool:
    if not isinstance(value, (bool, np.bool_)):
        raise _refusal(where, value, "True or False")
    return bool(value)


def _refusal(where: str, value: Any, wanted: str) -> InvalidInputError:
    return InvalidInputError(f"{where} is {shown(value)} of type {type(value).__name__}, so pass {wanted}.")


_CHECKS: dict[str, Callable[[str, Any], Any]] = {
    "O": _text,
    "i": _whole,
    "u": _whole,
    "f": _fraction,
    "b": _truth,
}
