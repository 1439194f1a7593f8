"""Two stages through the client: candidates, then their ranking."""

from __future__ import annotations

import json
from typing import Any

import pytest

from serving.client import Candidate, IntentRecClient, InvalidInputError, ScoredItem

HISTORY = [
    {"item_id": "2", "timestamp": 300, "action_type": "play"},
    {"item_id": "1", "timestamp": 100, "action_type": "play"},
]


def test_retrieve(client: IntentRecClient) -> None:
    found = client.retrieve(HISTORY, interests=["drama", "comedy"], exclude=["2", "5"])
    expected = [("1", "0"), ("3", "0"), ("4", "drama"), ("6", "drama")]
    assert found.items == tuple(Candidate(item, 0.5, source) for item, source in expected)
    assert found.mass == (2.0, 0.0)
    assert found.model_version == 7
    assert json.loads(json.dumps(found.as_dict()))["items"][2] == {"item_id": "4", "score": 0.5, "source": "drama"}
    assert client.retrieve([]).mass == (0.0, 0.0)


def test_rank(client: IntentRecClient) -> None:
    ranked = client.rank(HISTORY, ["4", "x", "12", "1"], request_time=1000)
    assert ranked == (ScoredItem("12", 12.0), ScoredItem("4", 4.0), ScoredItem("1", 1.0), ScoredItem("x", 0.0))
    assert client.rank(HISTORY, []) == ()
    assert client.rank(HISTORY, [b"4"], request_time=1000) == (ScoredItem("4", 4.0),)  # type: ignore[list-item]


def test_two_stages(client: IntentRecClient) -> None:
    found = client.recommend(HISTORY, k=2, exclude=["6"], request_time=1000, two_stage=True, interests=["drama"])
    assert found.items == (ScoredItem("5", 5.0), ScoredItem("4", 4.0))
    assert found.model_version == 7
    assert len(client.recommend(HISTORY, k=99, two_stage=True).items) == 6
    assert client.recommend(HISTORY, two_stage=True, exclude=[str(n) for n in range(9)]).items == ()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"interests": ["drama"]}, "interests is given without two_stage"),
        ({"two_stage": True, "interests": "drama"}, "interests is 'drama', so pass a list of texts"),
        ({"two_stage": True, "interests": [3]}, "interests is [3], so pass a list of texts"),
        ({"two_stage": True, "k": 0}, "k is 0, so pass a whole number from 1 on"),
        ({"two_stage": True, "request_time": "now"}, "request_time"),
    ],
)
def test_mistakes(client: IntentRecClient, options: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInputError) as error:
        client.recommend(HISTORY, **options)
    assert words in str(error.value)
    assert str(error.value).endswith(".")


def test_candidates_that_are_no_list(client: IntentRecClient) -> None:
    with pytest.raises(InvalidInputError, match="candidates is 'abc', so pass a list of texts"):
        client.rank(HISTORY, "abc")
