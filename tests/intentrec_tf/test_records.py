"""One user's record: written by preparation, parsed by training."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from intentrec_tf.data_spec import DataSpec
from intentrec_tf.records import intent_column, parse_user, record_columns, serialize_user
from tests.support import build_spec, random_user


def _columns(spec: DataSpec, events: int) -> dict[str, np.ndarray]:
    user = random_user(spec, events, seed=5)
    columns = {name: user[name] for name in ("item_id", "timestamp", "action", "tags", "seconds")}
    columns |= {"weight": user["target/weight"], "split": np.arange(events) % 3}
    names = [name for name in spec.schema.intent_names if name != "mood"]
    return {**columns, **{intent_column(name): user[f"target/{name}"] for name in names}}


@pytest.mark.parametrize("events", [0, 1, 7])
@pytest.mark.parametrize("width", [1, 2])
def test_round_trip(spec: DataSpec, events: int, width: int) -> None:
    spec = dataclasses.replace(spec, event_widths={"tags": width})
    columns = _columns(spec, events)
    columns["tags"] = columns["tags"][:, :width]
    parsed = parse_user(spec, tf.constant(serialize_user(spec, "Zoë", columns)))
    assert parsed.pop("user_id").numpy().decode() == "Zoë"
    assert set(parsed) == set(columns) == set(record_columns(spec))
    for name, values in columns.items():
        np.testing.assert_array_equal(parsed[name], values, err_msg=name)
        assert parsed[name].shape == values.shape
    assert parsed["timestamp"].dtype == tf.int64
    assert {parsed[name].dtype for name in ("seconds", "weight")} == {tf.float32}
    rest = set(parsed) - {"timestamp", "seconds", "weight"}
    assert {parsed[name].dtype for name in rest} == {tf.int32}


def test_category_intents_are_not_stored(spec: DataSpec) -> None:
    assert "intent/mood" not in record_columns(spec)
    assert "intent/what" in record_columns(spec)


def test_a_schema_without_features_or_intents() -> None:
    spec = build_spec(event_features=[], item_features=[], intents=[], duration_weight=None)
    assert set(record_columns(spec)) == {"item_id", "timestamp", "split", "weight"}
