"""The schema: what it accepts, what it refuses and in which words."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from intentrec_tf.schema import RESERVED, Schema, SchemaError
from tests.support import SCHEMA


def _changed(**changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(SCHEMA), **changes}


def _message(values: Any) -> str:
    with pytest.raises(SchemaError) as caught:
        Schema.parse(values, "shop.yaml")
    message = str(caught.value)
    assert message.startswith(("shop.yaml: field '", "shop.yaml: the whole file: "))
    assert message.endswith(".")
    assert "\n" not in message
    assert len(message) < 300
    return message


def test_spans_are_seconds() -> None:
    schema = Schema.parse(SCHEMA)
    assert schema.short_term_window == 3600
    assert schema.intents[3].gap == 1800


@pytest.mark.parametrize("form", ["dict", "yaml"])
def test_round_trip(form: str, tmp_path: Path) -> None:
    schema = Schema.parse({**SCHEMA, "short_term_window": None, "item_title": "títle"})
    if form == "dict":
        assert Schema.parse(schema.to_dict()) == schema
    else:
        file = tmp_path / "schema.yaml"
        file.write_text(schema.to_yaml(), encoding="utf-8")
        assert Schema.from_yaml(file) == schema


def test_columns_in_order_without_repeats() -> None:
    schema = Schema.parse({**SCHEMA, "item_title": "form"})
    assert schema.event_columns() == ("action", "tags", "seconds")
    assert schema.item_columns() == ("form", "genre", "year", "released")
    assert schema.intent_names == ("what", "again", "taste", "phase", "age", "mood", "fame")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"max_histroy": 8}, "'max_histroy': unknown key"),
        ({"name": None}, "'name'"),
        ({"name": "no spaces"}, "'name'"),
        ({"max_history": 0}, "'max_history'"),
        ({"max_history": 10_001}, "'max_history'"),
        ({"timestamp_unit": "hours"}, "'timestamp_unit'"),
        ({"short_term_window": "soon"}, "'soon' is not a time span"),
        ({"short_term_window": [1]}, "is not a time span"),
        ({"short_term_window": float("inf")}, "is not a time span"),
        ({"event_features": [{"name": "a b", "kind": "numeric"}]}, "event_features.0.name"),
        ({"event_features": [{"name": "a", "kind": "number"}]}, "event_features.0.kind"),
        ({"event_features": [{"name": "a"}]}, "event_features.0.kind': is required but missing"),
        ({"event_features": [{"name": "a", "kind": "numeric", "mincount": 2}]}, "mincount': unknown key"),
        ({"event_features": [{"name": "a", "kind": "numeric", "mincount": 2}]}, "did you mean 'min_count'?"),
        ({"excludeseen": True}, "field 'excludeseen': unknown key (did you mean 'exclude_seen'?)"),
        ({"zzz": True}, "unknown key (pipelines/README.md lists all)"),
        ({"intents": [{"name": "x", "derive": "column", "column": "missing"}]}, ": the whole file: intent 'x'"),
        ({"intents": [{"name": "x", "derive": "colum", "column": "action"}]}, "colum"),
        ({"intents": [{"name": "x"}]}, "derive"),
        ({"intents": [{"name": "x", "derive": "column", "column": "tags"}]}, "as categorical"),
        ({"intents": [{"name": "x", "derive": "column", "column": "missing"}]}, "needs 'missing'"),
        ({"intents": [{"name": "x", "derive": "category", "feature": "form"}]}, "as multi_label"),
        ({"intents": [{"name": "x", "derive": "category_novelty", "feature": "tags"}]}, "among item_features"),
        ({"intents": [{"name": "x", "derive": "age_bucket", "release": "r", "labels": ["a", "b"]}]}, "one label more"),
        ({"intents": [{"name": "x", "derive": "age_bucket", "release": "r", "edges": ["2d", "1d"]}]}, "increasing"),
        ({"intents": SCHEMA["intents"][:1] * 2}, "intent 'what' is declared twice"),
        ({"event_features": SCHEMA["event_features"] * 2}, "feature 'action' is declared twice"),
        ({"item_features": SCHEMA["event_features"][:1]}, "feature 'action' is declared twice"),
        ({"duration_weight": {"column": "seconds", "clip_quantile": 2}}, "clip_quantile"),
        ({"explicit_interests": "taste"}, "explicit_interests 'taste' must be one of item_features"),
        ({"name": "", "max_history": 0, "typo": 1}, "(2 more problems follow)"),
    ],
)
def test_mistakes_in_one_sentence(changes: dict[str, Any], words: str) -> None:
    assert words in _message(_changed(**changes))


def test_required_name_and_wrong_kind_of_values() -> None:
    assert "is required but missing" in _message({})
    assert "the whole file" in _message(["name"])


@pytest.mark.parametrize("name", sorted(RESERVED))
def test_reserved_names(name: str) -> None:
    """A feature or intent of that name would silently replace a column of the records, inputs or answers."""
    assert "is reserved" in _message(_changed(event_features=[{"name": name, "kind": "numeric"}], intents=[]))
    assert "is reserved" in _message(_changed(intents=[{"name": name, "derive": "repeat"}]))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read"),
        (b"name: [1", "not valid YAML at line"),
        (b"name: x\n\tbad: 1", "not valid YAML at line 2"),
        (b"- a\n- b", "no 'key: value' mapping"),
        (b"", "no 'key: value' mapping"),
        (b"name: \xff\xfe", "is not UTF-8"),
        (b"name: a\x00", "not valid YAML"),
        (b"name: x\nitem_id: a\nitem_id: b", "line 3 gives the key 'item_id' again; keep one of them."),
        (b"name: x\nintents:\n  - {name: a, name: b, derive: repeat}", "line 3 gives the key 'name' again"),
        (b"name: x\nmax_history: many", "field 'max_history'"),
    ],
)
def test_files_that_are_no_schema(content: bytes | None, words: str, tmp_path: Path) -> None:
    file = tmp_path / "schema.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SchemaError) as caught:
        Schema.from_yaml(file)
    assert str(caught.value).startswith(str(file))
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Schema.parse(SCHEMA).name = "other"
