"""What every index of item vectors does, and the checks that all of them share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from itertools import pairwise
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.candidates.errors import CandidateError, CandidateInputError, shown
from serving.candidates.neighbours import Neighbours

# Products of two such numbers, summed over any dimension, stay far from float32's infinity.
_LARGEST = 1e15

# One query's answer: ids, best first, and their scores, float32 of the same length.
Row = tuple[list[str], NDArray[np.float32]]


class CandidateIndex(AbstractContextManager["CandidateIndex"], ABC):
    """Maps item ids to vectors and finds the items with the largest inner product.

    Answers are ordered by score, and equal scores by item id, so that two indexes with the same content agree
    whatever the order in which they were filled.  Where more items tie for the last place than there is room,
    the exact index takes those with the smaller ids; the others take any, but the same ones each time.

    Several threads may search at once; a change must have the index to itself.

    Args:
        dimension: Length of each vector.

    Attributes:
        model_version: What a saved index says its vectors come from; ``""`` if nobody said.

    Raises:
        CandidateInputError: the dimension is no whole number from 1 on.
    """

    def __init__(self, dimension: int) -> None:
        self.dimension = _whole(dimension, "dimension")
        self.model_version = ""
        self._is_closed = False

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def search(self, queries: Any, k: int) -> Neighbours:
        """The ``k`` items with the largest inner product with each query.

        Args:
            queries: Finite numbers ``[N, dimension]``; N may be 0.
            k: Items for each query; may exceed the number of items.

        Returns:
            ``item_ids`` and ``scores`` ``[N, k]``, best first; ``""`` and ``-inf`` where nothing is left.

        Raises:
            CandidateInputError: shape, dtype or values of the queries, or ``k``, make no sense.
            CandidateError: the index is closed, or one of its subclasses.
        """
        self._check_open()
        wanted = _whole(k, "k")
        vectors = self._matrix(queries, "queries")
        found = Neighbours(
            np.full((len(vectors), wanted), "", dtype=object),
            np.full((len(vectors), wanted), -np.inf, dtype=np.float32),
        )
        if len(vectors):
            for row, (names, scores) in enumerate(self._search(vectors, wanted)):
                found.item_ids[row, : len(names)] = _with_ties_by_id(names, scores)
                found.scores[row, : len(names)] = scores
        return found

    def upsert(self, item_ids: Iterable[str], vectors: Any) -> None:
        """Add items; those that are there already get their new vector.

        Args:
            item_ids: N different, non-empty texts.
            vectors: Finite numbers ``[N, dimension]``.

        Raises:
            CandidateInputError: an id is empty, no text or given twice, or the vectors do not fit.  Nothing
                is changed then.
            CandidateError: the index is closed, or one of its subclasses.
        """
        self._check_open()
        names = _ids(item_ids)
        rows = self._matrix(vectors, "vectors")
        if len(rows) != len(names):
            raise CandidateInputError(f"There are {len(names)} item ids and {len(rows)} vectors, so pass one each.")
        _check_distinct(names)
        if names:
            self._upsert(names, rows)

    def remove(self, item_ids: Iterable[str]) -> int:
        """Remove items; ids that are not there are ignored.

        Args:
            item_ids: Non-empty texts, in any number of copies.

        Returns:
            How many items were removed.

        Raises:
            CandidateInputError: an id is empty or no text.  Nothing is changed then.
            CandidateError: the index is closed, or one of its subclasses.
        """
        self._check_open()
        names = list(dict.fromkeys(_ids(item_ids)))
        return self._remove(names) if names else 0

    def close(self) -> None:
        """Let go of memory, files and connections; later calls raise.  Closing twice is fine."""
        if not self._is_closed:
            self._is_closed = True
            self._close()

    @abstractmethod
    def __len__(self) -> int:
        """How many items there are."""

    @abstractmethod
    def _search(self, queries: NDArray[np.float32], k: int) -> Sequence[Row]:
        """At most ``k`` items for each of the queries ``[N, dimension]``, N > 0, best first."""

    @abstractmethod
    def _upsert(self, item_ids: list[str], vectors: NDArray[np.float32]) -> None:
        """Add or replace checked, distinct items."""

    @abstractmethod
    def _remove(self, item_ids: list[str]) -> int:
        """Remove checked, distinct ids; how many were there."""

    @abstractmethod
    def _close(self) -> None:
        """Let go of what the index holds."""

    def _check_open(self) -> None:
        if self._is_closed:
            raise CandidateError(f"The {type(self).__name__} is closed, so open it again.")

    def _matrix(self, values: Any, what: str) -> NDArray[np.float32]:
        """``values`` as finite float32 ``[N, dimension]``, row by row in memory."""
        try:
            array = np.asarray(values)
        except ValueError:
            raise CandidateInputError(f"The {what} are of different lengths, so pass a table of numbers.") from None
        if array.dtype.kind not in "fiu":
            raise CandidateInputError(f"The {what} are of dtype {array.dtype}, so pass real numbers.")
        if array.ndim != 2 or array.shape[1] != self.dimension:
            raise CandidateInputError(
                f"The {what} have shape {list(array.shape)} where this index needs [N, {self.dimension}], so pass "
                f"vectors of the model the index was made for."
            )
        with np.errstate(over="ignore"):
            vectors = np.ascontiguousarray(array, dtype=np.float32)
        within = np.abs(vectors) <= _LARGEST  # False for NaN, too
        if not within.all():
            row, column = np.argwhere(~within)[0]
            raise CandidateInputError(
                f"The {what} hold {array[row, column]} at row {row}, column {column}, so pass finite numbers of at "
                f"most {_LARGEST:g}."
            )
        return vectors


def _whole(value: Any, name: str) -> int:
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < 1:
        raise CandidateInputError(f"{name} is {shown(value)}, so pass a whole number from 1 on.")
    return int(value)


def _ids(item_ids: Iterable[str]) -> list[str]:
    """Plain texts that can be written as UTF-8."""
    if isinstance(item_ids, (str, bytes)) or not isinstance(item_ids, Iterable):
        raise CandidateInputError(f"item_ids is {shown(item_ids)}, so pass a list of texts.")
    names = list(item_ids)
    for row, name in enumerate(names):
        if not isinstance(name, str) or not name:
            raise CandidateInputError(f"The item id at row {row} is {shown(name)}, so pass a non-empty text.")
    try:
        "".join(names).encode()
    except UnicodeEncodeError as error:
        code = ord(error.object[error.start])
        raise CandidateInputError(f"An item id holds half a character (U+{code:04X}), so pass valid text.") from None
    return [str(name) for name in names]  # numpy.str_ becomes str


def _check_distinct(names: list[str]) -> None:
    if len(set(names)) == len(names):
        return
    seen: dict[str, int] = {}
    for row, name in enumerate(names):
        if name in seen:
            raise CandidateInputError(
                f"Item id {shown(name)} is at rows {seen[name]} and {row}, so pass each item once."
            )
        seen[name] = row


def _with_ties_by_id(names: list[str], scores: NDArray[np.float32]) -> list[str]:
    """``names``, ordered by score, with each run of equal scores put into the order of the ids."""
    starts = np.flatnonzero(np.r_[True, scores[1:] != scores[:-1], True]) if len(names) else np.zeros(0, np.intp)
    ordered = list(names)
    for start, stop in pairwise(starts):
        if stop - start > 1:
            ordered[start:stop] = sorted(ordered[start:stop])
    return ordered
