"""String tokens and their row numbers, with padding and out-of-vocabulary rows in fixed places."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence

import numpy as np

PADDING = 0
OOV = 1
FIRST = 2


class Vocabulary:
    """Tokens numbered from 2; 0 is padding (the empty string) and 1 stands for every unknown token.

    Args:
        tokens: distinct non-empty strings.

    Raises:
        ValueError: a token is empty or occurs twice.
    """

    def __init__(self, tokens: Iterable[str]) -> None:
        self.tokens: tuple[str, ...] = tuple(tokens)
        self._index = {token: row for row, token in enumerate(self.tokens, FIRST)}
        if len(self._index) != len(self.tokens) or "" in self._index:
            raise ValueError("vocabulary tokens must be distinct and not empty")

    @property
    def size(self) -> int:
        """Number of rows an embedding table needs, padding and OOV included."""
        return len(self.tokens) + FIRST

    def lookup(self, values: Sequence[str]) -> np.ndarray:
        """Row numbers of ``values``, int64 of the same length; ``""`` gives 0, unknown strings give 1."""
        rows = (PADDING if value == "" else self._index.get(value, OOV) for value in values)
        return np.fromiter(rows, np.int64, len(values))

    def token(self, row: int) -> str:
        """The token of a row; ``""`` for padding and OOV."""
        return self.tokens[row - FIRST] if row >= FIRST else ""

    def digest(self) -> str:
        """SHA-256 over the tokens in order (as JSON), hexadecimal."""
        return hashlib.sha256(json.dumps(self.tokens).encode()).hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.tokens == other.tokens

    def __hash__(self) -> int:
        return hash(self.tokens)

    def __repr__(self) -> str:
        return f"Vocabulary({len(self.tokens)} tokens)"
