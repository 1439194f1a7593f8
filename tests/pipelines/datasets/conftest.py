"""Fixtures of the adapters' tests: small schemas."""

from __future__ import annotations

import pytest

from intentrec_tf.schema import Schema


@pytest.fixture
def plain_schema() -> Schema:
    """A schema with a logged action, a number, and a catalogue with labels, a number and a release."""
    return Schema.parse(
        {
            "name": "plain",
            "user_id": "who",
            "item_id": "what",
            "timestamp": "when",
            "event_features": [
                {"name": "action", "kind": "categorical"},
                {"name": "seconds", "kind": "numeric"},
            ],
            "item_features": [{"name": "tags", "kind": "multi_label"}],
            "intents": [
                {"name": "action", "derive": "column", "column": "action"},
                {"name": "age", "derive": "age_bucket", "release": "released"},
            ],
            "duration_weight": {"column": "seconds"},
            "explicit_interests": "tags",
            "exclude_seen": False,
        }
    )
