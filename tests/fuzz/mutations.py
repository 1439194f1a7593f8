"""Damage to valid input: flipped and lost bytes, strange words, JSON values of another kind."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import strategies as st

WORDS = [
    *(
        b"",
        b"\x00",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\n",
        b"\r\n",
        b'"',
        b",",
        b"|",
        b"::",
        b"nan",
        b"inf",
        b"-0",
        b"1e999",
    ),
    *(b"9" * 30, b"-1", b"null", b"{}", b"[]", b"[" * 2_000, b"\xf0\x9f\x98\x80", b"\xed\xa0\x80", b"../../etc/passwd"),
    *(b"1970-01-01", b"2262-04-12", b"0x1f", b"\x1f\x8b", b"PK\x03\x04", b"PAR1", b"!!python/object", b"&a [*a, *a]"),
]


@st.composite
def damaged(draw: st.DrawFn, valid: bytes) -> bytes:
    """``valid`` after one to four of: a byte changed, a piece lost, doubled or replaced by a strange word; or junk."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=200))
    data = bytearray(valid)
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, max(0, len(data) - 1)))
        stop = min(len(data), start + draw(st.integers(0, 40)))
        kind = draw(st.sampled_from(("flip", "word", "lose", "double", "cut")))
        if kind == "flip" and data:
            data[start] = draw(st.integers(0, 255))
        elif kind == "word":
            data[start:stop] = draw(st.sampled_from(WORDS))
        elif kind == "lose":
            del data[start:stop]
        elif kind == "double":
            data[start:start] = data[start:stop]
        else:
            del data[start:]
    return bytes(data)


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(["nan", "1d", "\ud800", "9" * 400, "item_id", "../x", "\x00"]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def changed(draw: st.DrawFn, valid: Any) -> Any:
    """A JSON document with one to three values replaced, removed, or added under a strange key."""
    document = copy.deepcopy(valid)
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(document))
        if not places:
            return draw(VALUES)
        holder, key = draw(st.sampled_from(places))
        kind = draw(st.sampled_from(("replace", "replace", "remove", "add")))
        if kind == "replace":
            holder[key] = draw(VALUES)
        elif kind == "remove":
            del holder[key]
        elif isinstance(holder, dict):
            holder[draw(st.text(max_size=6))] = draw(VALUES)
        else:
            holder.append(draw(VALUES))
    return document


def damaged_json(valid: Any) -> st.SearchStrategy[bytes]:
    """The bytes of a JSON document, damaged in its values or as bytes."""
    text = json.dumps(valid).encode()
    return changed(valid).map(lambda value: json.dumps(value).encode()) | damaged(text)


def _places(document: Any) -> Any:
    """Every place of a document that holds a value: container and key."""
    if isinstance(document, dict):
        keys: list[Any] = list(document)
    elif isinstance(document, list):
        keys = list(range(len(document)))
    else:
        return
    for key in keys:
        yield document, key
        yield from _places(document[key])


def one_sentence(error: object) -> None:
    """What an error says to people is one line, and no traceback."""
    text = str(error)
    assert text.strip()
    assert "\n" not in text
    assert "Traceback" not in text
