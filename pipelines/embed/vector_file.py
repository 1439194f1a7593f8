"""Files of user vectors: what is in them, which space they are of, which may be read together."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from pipelines.embed.vector_space import VectorSpace
from pipelines.validate import DataError
from serving.atomic import atomic_file

KEY = b"intentrec"
FORMAT = 1


@dataclass(frozen=True)
class VectorFile:
    """A file of user vectors as its metadata describe it.

    Attributes:
        path: of the file.
        space: of every vector in it.
        moments: unix seconds, each as-of moment in it.
        rows: users times moments.
        made: what the writer stated besides (date, commit, libraries).
    """

    path: Path
    space: VectorSpace
    moments: list[int]
    rows: int
    made: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def open(cls, path: Path) -> VectorFile:
        """Read the metadata alone.

        Raises:
            DataError: it is no file of vectors.
        """
        try:
            metadata = pyarrow.parquet.read_metadata(path)
            known = json.loads(metadata.metadata[KEY])
            space = VectorSpace(**known["space"])
            if known["format"] != FORMAT or known["batch_id"] != space.batch_id:
                raise ValueError
            if not metadata.schema.to_arrow_schema().remove_metadata().equals(space.schema()):
                raise ValueError
            return cls(path, space, [int(one) for one in known["moments"]], metadata.num_rows, known["made"])
        except FileNotFoundError:
            raise DataError(f"{path}: is not there; write it with 'intentrec embed --out {path}'.") from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, pyarrow.ArrowException):
            raise DataError(f"{path}: is no file of user vectors (or damaged); write it again.") from None

    def batches(self) -> Iterator[pyarrow.RecordBatch]:
        """All rows, piece by piece.

        Raises:
            DataError: a row is of another space than the file, or the file is damaged.
        """
        try:
            with pyarrow.parquet.ParquetFile(self.path) as file:
                for batch in file.iter_batches():
                    if any(one != self.space.batch_id for one in batch.column("batch_id").unique().to_pylist()):
                        raise DataError(f"{self.path}: holds rows of another batch; write it again.")
                    yield batch.replace_schema_metadata(None)
        except (OSError, pyarrow.ArrowException):
            raise DataError(f"{self.path}: is damaged; write it again.") from None


def check_same(space: VectorSpace, file: VectorFile) -> None:
    """Say if a file's vectors are of another space.

    Raises:
        DataError: they are; names what differs.
    """
    mine, theirs = asdict(space), asdict(file.space)
    different = [f"{name.replace('_', ' ')} {theirs[name]} instead of {mine[name]}" for name in mine]
    different = [words for words, name in zip(different, mine, strict=True) if mine[name] != theirs[name]]
    if different:
        raise DataError(
            f"{file.path}: is of batch {file.space.batch_id}, not {space.batch_id} ({', '.join(different)}); "
            "vectors of different batches must not be mixed, so embed all users with one model."
        )


def write_vectors(
    path: Path,
    space: VectorSpace,
    moment: int,
    pieces: Iterable[pyarrow.RecordBatch],
    made: dict[str, Any],
    append: bool = False,
) -> VectorFile:
    """Write a file, whole or not at all, a piece at a time.

    Args:
        path: replaced if it is a file of vectors.
        space, moment: of the pieces.
        pieces: of :meth:`VectorSpace.rows`.
        made: what else the metadata shall state, JSON ready.
        append: keep the file's rows of other moments, which must be of the same space.

    Raises:
        DataError: ``path`` is something else, or of another space or has the moment already.
    """
    old = VectorFile.open(path) if path.exists() else None
    kept = old if append else None
    if kept:
        check_same(space, kept)
        if moment in kept.moments:
            raise DataError(
                f"{path}: has vectors of that moment already; leave --append out or name another with --at."
            )
    moments = [*(kept.moments if kept else []), moment]
    known = {"format": FORMAT, "batch_id": space.batch_id, "space": asdict(space), "moments": moments, "made": made}
    schema = space.schema().with_metadata({KEY: json.dumps(known)})
    rows = 0
    with atomic_file(path) as work, pyarrow.parquet.ParquetWriter(work, schema) as writer:
        for source in (kept.batches() if kept else (), pieces):
            for piece in source:
                writer.write_batch(piece)
                rows += piece.num_rows
    return VectorFile(path, space, moments, rows, made)


def read_vectors(paths: Sequence[Path]) -> pyarrow.Table:
    """All rows of some files of one space.

    Args:
        paths: at least one.

    Raises:
        DataError: one is no file of vectors, or of another space than the first.
    """
    files = [VectorFile.open(path) for path in paths]
    for file in files[1:]:
        check_same(files[0].space, file)
    return pyarrow.Table.from_batches([piece for file in files for piece in file.batches()], files[0].space.schema())
