"""Tokens and rows."""

from __future__ import annotations

import numpy as np
import pytest

from intentrec_tf.vocabulary import FIRST, OOV, PADDING, Vocabulary


def test_lookup_and_back() -> None:
    vocabulary = Vocabulary(["b", "a", "é|1"])
    assert vocabulary.size == 5
    rows = vocabulary.lookup(["a", "", "zzz", "b", "é|1", "A"])
    assert rows.dtype == np.int64
    assert rows.tolist() == [3, PADDING, OOV, FIRST, 4, OOV]
    assert [vocabulary.token(int(row)) for row in rows] == ["a", "", "", "b", "é|1", ""]


def test_empty() -> None:
    vocabulary = Vocabulary([])
    assert vocabulary.size == FIRST
    assert vocabulary.lookup(["x", ""]).tolist() == [OOV, PADDING]
    assert vocabulary.lookup([]).shape == (0,)


@pytest.mark.parametrize("tokens", [["a", "a"], ["a", ""]])
def test_tokens_are_distinct_and_not_empty(tokens: list[str]) -> None:
    with pytest.raises(ValueError, match="distinct and not empty"):
        Vocabulary(tokens)


def test_equality_and_digest_depend_on_order() -> None:
    one, same, other = Vocabulary(["a", "b"]), Vocabulary(iter(["a", "b"])), Vocabulary(["b", "a"])
    assert one == same
    assert hash(one) == hash(same)
    assert one.digest() == same.digest()
    assert one != other
    assert one.digest() != other.digest()
    assert one != ["a", "b"]
    assert repr(one) == "Vocabulary(2 tokens)"
