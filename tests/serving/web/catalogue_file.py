"""A catalogue file for the model of `tests/serving/conftest.py`: plays mean continuing, skips mean exploring."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HOSTILE = '<img src="x" onerror="document.title = \'hacked\'">'
MOMENT = 500
CONTENT: dict[str, Any] = {
    "format": 1,
    "name": "small",
    "moment": MOMENT,
    "columns": [
        {"name": "action_type", "kind": "categorical", "values": ["play", "skip"], "usual": "play"},
        {"name": "genres", "kind": "multi_label", "values": ["x", "y", "z"]},
        {"name": "duration", "kind": "numeric", "usual": 60},
    ],
    "rows": [
        {"intent": "action_type", "label": "play", "show": "resume", "title": "Continue", "within": 1000},
        {"intent": "action_type", "label": "skip", "show": "new", "title": "Discover"},
        {"intent": "genre", "show": "label", "feature": "genres"},
    ],
    "topics": ["drama", "comedy"],
    "items": [
        {"id": "1", "title": "Amélie", "labels": {"genres": ["x"]}},
        {"id": "2", "title": HOSTILE, "labels": {"genres": ["y"]}},
        {"id": "3", "title": "Heat", "labels": {"genres": ["x", "y"]}},
        {"id": "4", "title": "Alien", "labels": {"genres": ["z"]}},
        {"id": "5", "title": "Brazil", "labels": {"genres": ["x"]}},
        {"id": "6", "title": "Fargo", "labels": {"genres": []}},
    ],
    "users": [
        {
            "id": "carla",
            "history": [
                {"item_id": "5", "timestamp": 100, "action_type": "play", "genres": ["x"]},
                {"item_id": "2", "timestamp": 200, "action_type": "play", "genres": ["x"]},
            ],
        },
        {
            "id": "emil",
            "history": [
                {"item_id": "5", "timestamp": 100, "action_type": "skip", "genres": ["y"]},
                {"item_id": "6", "timestamp": 200, "action_type": "skip", "genres": ["y"]},
            ],
        },
    ],
}


def write_catalogue(folder: Path, **changes: Any) -> Path:
    """The file, with keys replaced."""
    path = folder / "catalogue.json"
    path.write_text(json.dumps({**CONTENT, **changes}), encoding="utf-8")
    return path
