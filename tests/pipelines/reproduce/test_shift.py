"""Changes of interest on histories made by hand."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from intentrec_tf.schema import Schema
from pipelines.reproduce.comparison import Row
from pipelines.reproduce.shift import category_of, shift_table, since_change
from pipelines.split import TEST, TRAIN
from pipelines.validate import DataError

GENRE = {"name": "genre", "derive": "category", "feature": "genres"}
SCHEMA = {"name": "s", "item_features": [{"name": "genres", "kind": "multi_label"}], "intents": [GENRE]}
LABELS = pd.Series({"a": "A", "b": "B", "ab": "A|B", "bc": "B|C", "c": "C", "none": "", "lost": None})


def history(**users: str) -> pd.DataFrame:
    """Events from item names joined by spaces."""
    rows = [(user, item) for user, items in users.items() for item in items.split()]
    return pd.DataFrame(rows, columns=["user_id", "item_id"])


def places(**users: str) -> list[int]:
    return since_change(history(**users), LABELS).tolist()


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        # The sixth event shares nothing with the five A before it, the seventh shares B: events 7, 8, 9 are after it.
        ("a a a a a b b b b b", [0, 0, 0, 0, 0, 0, 1, 2, 3, 0]),
        # A single B, then A again: no change, but a whim.
        ("a a a a a b a a a", [0] * 9),
        # Only four events before the first B.
        ("a a a a b b b", [0] * 7),
        # B was among the five before (third event), so it is not new; and A|B is not new either.
        ("a a b a a b b b", [0] * 8),
        ("a a a a a ab b b", [0] * 8),
        # B was the first event; at the seventh, the five before it are all A.
        ("b a a a a a b b", [0, 0, 0, 0, 0, 0, 0, 1]),
        # A label shared in part is enough to confirm: B, then B|C.
        ("a a a a a b bc c", [0, 0, 0, 0, 0, 0, 1, 2]),
        # Without labels nothing is shared, so there is neither a change nor a confirmation.
        ("a a a a a none none", [0] * 7),
        ("a a a a a b none b", [0] * 8),
        ("a a a a a lost lost", [0] * 7),
        ("none none none none none b b", [0, 0, 0, 0, 0, 0, 1]),
        # An item that the catalogue does not know has no labels.
        ("a a a a a x x", [0] * 7),
        # Unlabelled events after a change count as its second and third event all the same.
        ("a a a a a b b none a a", [0, 0, 0, 0, 0, 0, 1, 2, 3, 0]),
        # A second change (C at the eighth event, confirmed at the ninth) starts anew: the newest one counts.
        ("a a a a a b b c c c c", [0, 0, 0, 0, 0, 0, 1, 2, 1, 2, 3]),
        ("", []),
    ],
)
def test_by_hand(items: str, expected: list[int]):
    assert places(u=items) == expected


def test_users_are_kept_apart():
    # The second user's B would be a change for the first one, and confirm the first one's last B.
    assert places(u="a a a a a b", v="b b b b b b", w="a a a a a b b") == [0] * 6 + [0] * 6 + [0] * 6 + [1]


def prepared(events: pd.DataFrame, schema: dict[str, Any] | None = None) -> Any:
    items = pd.DataFrame({"item_id": LABELS.index, "genres": LABELS.to_numpy()})
    spec = SimpleNamespace(schema=Schema.parse({**SCHEMA, **(schema or {})}))
    return SimpleNamespace(spec=spec, events=events, items=items, folder="data")


def test_the_table_by_hand(make_record: Callable[..., dict[str, Any]]):
    """Test events of u: the first and second after the change; of v: its very first (no question) and its second."""
    events = history(u="a a a a a b b b", v="c c").assign(split=[TRAIN] * 6 + [TEST] * 2 + [TEST] * 2)
    rows = [Row([make_record("V2", [1, 3, 7], [2, 1])]), Row([make_record("V0", [3, 1, 1], [2, 1])])]
    header, lines = shift_table(rows, prepared(events))
    assert header == ["system", "first event (1)", "second event (1)", "third event (0)", "no change (1)"]
    assert lines == [["V2", "1.0000", "0.5000", "", "0.3333"], ["V0", "0.5000", "1.0000", "", "1.0000"]]


def test_unusable_data_are_one_sentence(make_record: Callable[..., dict[str, Any]]):
    with pytest.raises(DataError, match=r"^schema 's' has no category intent, so no change of interest can be told\.$"):
        category_of(Schema.parse({**SCHEMA, "intents": []}))
    calm = history(u="a a a a a a a a").assign(split=[TRAIN] * 6 + [TEST] * 2)
    row = Row([make_record("V2", [1, 1])])
    with pytest.raises(DataError, match="no interest changes before a test event"):
        shift_table([row], prepared(calm))
    changing = history(u="a a a a a b b b").assign(split=[TRAIN] * 5 + [TEST] * 3)
    with pytest.raises(DataError, match="V2: its run has 2 targets, the data 3; run it again"):
        shift_table([row], prepared(changing))


def test_the_category_is_the_first_one():
    features = [{"name": name, "kind": "multi_label"} for name in ("tags", "genres")]
    intents = [{"name": "x", "derive": "repeat", "resume_gap": "1d"}, GENRE]
    assert category_of(Schema.parse({**SCHEMA, "item_features": features, "intents": intents})) == "genres"
    assert np.issubdtype(since_change(history(u="a"), LABELS).dtype, np.integer)
