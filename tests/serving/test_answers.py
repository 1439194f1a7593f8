"""Answers that do not keep the signature contract are named, not misread."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from serving.client.answers import read_embeddings, read_intents, read_recommendations
from serving.client.errors import ServerError


def _intent(**changes: Any) -> dict[str, Any]:
    outputs: dict[str, Any] = {
        "b/label": np.array([[b"x", b"\xff"]], object),
        "b/score": np.array([[0.9, 0.1]], np.float32),
        "a/label": np.array([[b"y"]], object),
        "a/score": np.array([[1.0]], np.float32),
        "attention": np.array([[0.25, 0.75]], np.float32),
        "embedding": np.array([[1.0, 2.0]], np.float32),
    }
    outputs.update(changes)
    return {name: value for name, value in outputs.items() if value is not None}


def test_attention_is_in_alphabetical_order_of_intents() -> None:
    (answer,) = read_intents(_intent(), 3)
    assert list(answer.intents) == ["a", "b"]
    assert answer.attention == {"a": 0.25, "b": 0.75}
    assert answer.intents["b"][1].label.encode("utf-8", "surrogateescape") == b"\xff"


@pytest.mark.parametrize(
    ("outputs", "words"),
    [
        (_intent(**{"a/label": None, "b/label": None}), "names no '<intent>/label'"),
        (_intent(attention=None), "no 'attention' of two dimensions"),
        (_intent(embedding=np.zeros(2, np.float32)), "no 'embedding' of two dimensions"),
        (
            _intent(attention=np.zeros((1, 3), np.float32)),
            r"3 attention weights for the intents \['a', 'b'\]",
        ),
        (_intent(**{"a/score": np.zeros((1, 2), np.float32)}), "do not pair up"),
        (_intent(**{"a/score": np.array([[b"1"]], object)}), "do not pair up"),
    ],
)
def test_intent_outputs_that_break_the_contract(outputs: dict[str, Any], words: str) -> None:
    with pytest.raises(ServerError, match=words) as caught:
        read_intents(outputs, 3)
    assert "ersion 3" in str(caught.value)


def test_a_model_without_intent_vector_has_neither_attention_nor_embedding() -> None:
    (answer,) = read_intents(_intent(attention=None, embedding=None), 3)
    assert answer.attention == {}
    assert answer.embedding is None
    assert answer.as_dict()["embedding"] is None
    assert answer.intents["a"][0].label == "y"
    (user,) = read_embeddings({"item_state": np.ones((1, 2), np.float32)}, 3)
    assert user.intent_embedding is None
    assert user.item_state.tolist() == [1.0, 1.0]


def test_empty_ids_are_dropped_before_k_counts() -> None:
    outputs = {
        "item_id": np.array([[b"", b"a", b"", b"b", b"c"]], object),
        "score": np.array([[9.0, 3.0, 9.0, 2.0, 1.0]], np.float32),
    }
    (answer,) = read_recommendations(outputs, 1, k=2)
    assert [(item.item_id, item.score) for item in answer.items] == [("a", 3.0), ("b", 2.0)]


def test_item_and_embed_outputs_that_break_the_contract() -> None:
    with pytest.raises(ServerError, match="no 'score'"):
        read_recommendations({"item_id": np.array([[b"a"]], object)}, 1, k=1)
    with pytest.raises(ServerError, match="no 'item_state'"):
        read_embeddings({"intent_embedding": np.zeros((1, 2), np.float32)}, 1)
