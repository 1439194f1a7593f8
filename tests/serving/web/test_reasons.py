"""Why a title is shown."""

from __future__ import annotations

from typing import Any

import pytest

from serving.client import Candidate, Candidates, IntentPrediction, ScoredLabel
from serving.web.catalogue import Catalogue
from serving.web.reasons import Reasons, ago
from tests.serving.web.catalogue_file import CONTENT

CATALOGUE = Catalogue.parse("the test", CONTENT)
WANTS_X = IntentPrediction(
    {"genre": (ScoredLabel("x", 0.6), ScoredLabel("y", 0.3), ScoredLabel("z", 0.1))}, {}, None, 1
)


def reasons(history: list[dict[str, Any]], candidates: Candidates | None = None) -> Reasons:
    return Reasons(CATALOGUE, history, 10_000, WANTS_X, candidates)


def test_reasons_in_the_order_of_their_weight() -> None:
    history = [{"item_id": "3", "timestamp": 100}, {"item_id": "1", "timestamp": 2800}]
    found = Candidates((Candidate("5", 0.5, "0"), Candidate("2", 0.5, "drama")), (1.0,), 1)
    told = reasons(history, found)
    assert told.of("1") == ["last met 2 hours ago", "x is wanted, 60%", "x like Heat"]
    assert told.of("5") == ["x is wanted, 60%", "x like Amélie", "from interest 0"]
    assert told.of("2") == ["y like Heat", "declared topic drama"]
    assert told.of("4") == ["likely for this history"]


def test_there_is_always_a_reason() -> None:
    assert reasons([]).of("4") == ["popular with everyone"]
    assert Reasons(CATALOGUE, [], 0, None, None).of("unknown") == ["popular with everyone"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-5, "just now"), (0, "just now"), (60, "1 minute ago"), (7200, "2 hours ago"), (86_400 * 800, "2 years ago")],
)
def test_spans_of_time(seconds: int, words: str) -> None:
    assert ago(seconds) == words
