"""Write the vector of every user as of a moment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow
import tensorflow as tf

from pipelines.datasets.timestamps import to_seconds
from pipelines.embed.histories import histories_at
from pipelines.embed.representations import representations
from pipelines.embed.vector_file import VectorFile, write_vectors
from pipelines.embed.vector_space import VectorSpace
from pipelines.environment import provenance
from pipelines.look.words import moment as date_of
from pipelines.prepared import PreparedData
from pipelines.progress import track
from pipelines.run_folder import RunFolder
from pipelines.split import TRAIN
from pipelines.validate import DataError


def embed(
    run: RunFolder,
    out: Path,
    at: str | None = None,
    vector: str = "intent",
    append: bool = False,
    batch: int = 256,
) -> VectorFile:
    """Write the vectors of all users with an event at or before a moment, a batch at a time.

    Args:
        run: a run that predicts items, of V2 or V3 for the intent vector.
        out: the Parquet file; see :class:`VectorSpace` for its columns.
        at: ISO 8601 date or time (UTC unless it says otherwise) or unix seconds; None takes the newest event's.
        vector: ``intent`` or ``state``.
        append: keep the file's vectors of other moments.
        batch: users at once.

    Raises:
        DataError: no such run or vector, no user has an event by then, or ``out`` may not be written to.
    """
    model, prepared, config = run.load_next_item_model()
    moment = _moment(prepared, at)
    vectors_of = representations(model, [vector])
    known = prepared.events[["user_id", "timestamp"]]
    users = int(known.loc[known["timestamp"] <= moment, "user_id"].nunique())
    if not users:
        first = int(known["timestamp"].min())
        raise DataError(
            f"--at {at}: no user of {prepared.folder} has an event by then; name a moment from "
            f"{date_of(first, first, True)} on."
        )
    dimension = _dimension(model.output, vector)
    space = VectorSpace(prepared.schema.name, prepared.fingerprint, config.title, run.version(), vector, dimension)

    def pieces() -> Iterator[pyarrow.RecordBatch]:
        for given in track(histories_at(prepared, moment, batch), "embedding users", -(-users // batch)):
            found = vectors_of(given["inputs"], tf.constant(moment, tf.int64))[vector].numpy()
            names = [name.decode() for name in given["user_id"].numpy()]
            yield space.rows(names, found, moment, given["events"].numpy())

    training = prepared.events.loc[prepared.events["split"] == TRAIN, "timestamp"]
    made = {"trained_until": int(training.max()), **provenance()}
    return write_vectors(out, space, moment, pieces(), made, append)


def _moment(prepared: PreparedData, at: str | None) -> int:
    if at is None:
        return int(prepared.events["timestamp"].max())
    moment = to_seconds(at)
    if moment is None:
        raise DataError(f"--at {at}: is no moment; write for example 2024-03-01, 2024-03-01T18:00:00Z or unix seconds.")
    return moment


def _dimension(outputs: dict[str, tf.Tensor], vector: str) -> int:
    return int(outputs["embedding" if vector == "intent" else "state"].shape[-1])
