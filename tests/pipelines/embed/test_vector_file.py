"""Files of user vectors: what they hold, and that vectors of different models never meet."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.parquet
import pytest

from pipelines.embed.vector_file import KEY, VectorFile, read_vectors, write_vectors
from pipelines.embed.vector_space import VectorSpace
from pipelines.validate import DataError

SPACE = VectorSpace("shop", "f" * 64, "V2", "0123456789abcdef", "intent", 3)
VECTORS = np.arange(6, dtype=np.float32).reshape(2, 3)


def write(path: Path, moment: int = 86_400, space: VectorSpace = SPACE, append: bool = False) -> VectorFile:
    """A file (or more) of two users, in two pieces."""
    pieces = [space.rows([user], VECTORS[i : i + 1], moment, np.array([i])) for i, user in enumerate("ab")]
    return write_vectors(path, space, moment, pieces, {"date": "today"}, append)


def test_columns_and_metadata(tmp_path: Path) -> None:
    file = write(tmp_path / "users.parquet")
    schema = pyarrow.parquet.read_schema(file.path)
    assert schema.field("vector").type.list_size == 3
    assert schema.field("vector").type.value_type == pyarrow.float32()
    frame = pd.read_parquet(file.path)
    assert list(frame) == ["user_id", "vector", "as_of", "events", "batch_id"]
    assert frame["user_id"].tolist() == ["a", "b"]
    assert np.stack(frame["vector"]).tolist() == VECTORS.tolist()
    assert frame["as_of"].tolist() == [pd.Timestamp("1970-01-02", tz="UTC")] * 2
    assert frame["events"].tolist() == [0, 1]
    assert set(frame["batch_id"]) == {SPACE.batch_id}
    assert VectorFile.open(file.path) == file
    assert json.loads(schema.metadata[KEY])["batch_id"] == SPACE.batch_id


@pytest.mark.parametrize("name", ["dataset", "fingerprint", "model", "model_version", "vector", "dimension"])
def test_whatever_differs_makes_another_batch(tmp_path: Path, name: str) -> None:
    other = dataclasses.replace(SPACE, **{name: 3 if name == "dimension" else "other"})
    if name == "dimension":
        other = dataclasses.replace(SPACE, dimension=1)
    assert other.batch_id != SPACE.batch_id
    ours, theirs = write(tmp_path / "ours.parquet"), tmp_path / "theirs.parquet"
    rows = other.rows(["a"], np.ones((1, other.dimension), np.float32), 5, np.ones(1))
    write_vectors(theirs, other, 5, [rows], {})
    with pytest.raises(DataError, match=name.replace("_", " ") + " [^ ]+ instead of"):
        read_vectors([ours.path, theirs])
    before = theirs.read_bytes()
    with pytest.raises(DataError, match="vectors of different batches"):
        write(theirs, append=True)
    assert theirs.read_bytes() == before


def test_moments_of_one_space_may_be_joined(tmp_path: Path) -> None:
    place = tmp_path / "users.parquet"
    write(place, 10)
    file = write(place, 20, append=True)
    assert (file.moments, file.rows) == ([10, 20], 4)
    other = write(tmp_path / "more.parquet", 30)
    table = read_vectors([place, other.path])
    assert table.column("as_of").cast(pyarrow.int64()).to_pylist() == [10_000] * 2 + [20_000] * 2 + [30_000] * 2
    with pytest.raises(DataError, match="of that moment already"):
        write(place, 10, append=True)
    assert write(place, 10).moments == [10]
    assert read_vectors([place]).num_rows == 2


def test_rows_of_another_batch_in_a_file_are_found(tmp_path: Path) -> None:
    place = write(tmp_path / "users.parquet").path
    table = pyarrow.parquet.read_table(place)
    foreign = table.set_column(4, table.schema.field("batch_id"), pyarrow.array(["x", "x"]))
    pyarrow.parquet.write_table(foreign.replace_schema_metadata(table.schema.metadata), place)
    with pytest.raises(DataError, match="rows of another batch"):
        read_vectors([place])


@pytest.mark.parametrize("damage", ["text", "cut", "foreign", "lied", "folder"])
def test_what_is_no_file_of_vectors_is_refused_and_stays(tmp_path: Path, damage: str) -> None:
    place = tmp_path / "users.parquet"
    write(place)
    if damage == "text":
        place.write_text("important", encoding="utf-8")
    elif damage == "cut":
        place.write_bytes(place.read_bytes()[:-20])
    elif damage == "foreign":
        pd.DataFrame({"user_id": ["u"]}).to_parquet(place)
    elif damage == "folder":
        place.unlink()
        place.mkdir()
    else:
        table = pyarrow.parquet.read_table(place)
        known = json.loads(table.schema.metadata[KEY])
        known["space"]["model_version"] = "f" * 16
        pyarrow.parquet.write_table(table.replace_schema_metadata({KEY: json.dumps(known)}), place)
    before = None if damage == "folder" else place.read_bytes()
    for call in (lambda: read_vectors([place]), lambda: write(place), lambda: write(place, 5, append=True)):
        with pytest.raises(DataError, match="no file of user vectors"):
            call()
    assert before is None or place.read_bytes() == before


def test_a_file_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is not there"):
        read_vectors([tmp_path / "none.parquet"])


def test_a_failure_on_the_way_leaves_the_old(tmp_path: Path) -> None:
    place = write(tmp_path / "users.parquet").path
    before = place.read_bytes()

    def broken() -> Iterator[pyarrow.RecordBatch]:
        yield SPACE.rows(["a"], VECTORS[:1], 5, np.ones(1))
        yield SPACE.rows(["b"], np.full((1, 3), np.nan, np.float32), 5, np.ones(1))

    with pytest.raises(DataError, match="not finite"):
        write_vectors(place, SPACE, 5, broken(), {})
    assert place.read_bytes() == before
    assert list(tmp_path.iterdir()) == [place]
