"""Whose vectors they are, and the columns of their files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pyarrow

from pipelines.validate import DataError


@dataclass(frozen=True)
class VectorSpace:
    """Says whose vectors they are; vectors may be compared, joined or averaged only within one.

    Attributes:
        dataset: name of the schema.
        fingerprint: of the prepared data.
        model: title of the run's configuration.
        model_version: of the weights, 16 hexadecimal digits.
        vector: ``intent`` or ``state``.
        dimension: of a vector.
    """

    dataset: str
    fingerprint: str
    model: str
    model_version: str
    vector: str
    dimension: int

    @property
    def batch_id(self) -> str:
        """Equal for equal spaces and no others; 16 hexadecimal digits."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]

    def schema(self) -> pyarrow.Schema:
        """Columns of a file: ``user_id``, ``vector`` float32 [dimension], ``as_of`` (UTC), ``events``, ``batch_id``."""
        columns = {
            "user_id": pyarrow.string(),
            "vector": pyarrow.list_(pyarrow.field("element", pyarrow.float32()), self.dimension),
            "as_of": pyarrow.timestamp("ms", tz="UTC"),
            "events": pyarrow.int32(),
            "batch_id": pyarrow.string(),
        }
        return pyarrow.schema([pyarrow.field(name, kind, nullable=False) for name, kind in columns.items()])

    def rows(self, users: Sequence[str], vectors: np.ndarray, moment: int, events: np.ndarray) -> pyarrow.RecordBatch:
        """A piece of a file.

        Args:
            users: ids.
            vectors: float32 [users, dimension].
            moment: unix seconds.
            events: int32 [users], how many events each vector was made from.

        Raises:
            DataError: a vector is not finite.
        """
        if not np.isfinite(vectors).all():
            raise DataError("a user vector is not finite; train the model again.")
        schema = self.schema()
        flat = pyarrow.array(np.ascontiguousarray(vectors, np.float32).ravel())
        columns = [
            pyarrow.array(users, pyarrow.string()),
            pyarrow.FixedSizeListArray.from_arrays(flat, type=schema.field("vector").type),
            pyarrow.array(np.full(len(users), 1_000 * moment, np.int64)).cast(schema.field("as_of").type),
            pyarrow.array(np.asarray(events, np.int32)),
            pyarrow.array([self.batch_id] * len(users), pyarrow.string()),
        ]
        return pyarrow.record_batch(columns, schema=schema)
