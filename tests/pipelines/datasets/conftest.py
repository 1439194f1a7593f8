"""Fixtures of the adapters' tests: the shared data where they are, and small schemas."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from intentrec_tf.schema import Schema


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder with real data sets; the test is skipped where there is none."""
    chosen = os.environ.get("INTENTREC_DATA")
    folder = Path(chosen) if chosen else Path(__file__).resolve().parents[4] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set INTENTREC_DATA to run this test")
    return folder


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
