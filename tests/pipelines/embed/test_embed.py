"""User vectors in files: what a server would answer, of one space, whole or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from pipelines.embed import embed as module
from pipelines.embed.embed import embed
from pipelines.embed.vector_file import VectorFile
from pipelines.main import main
from pipelines.prepared import PreparedData
from pipelines.run_folder import RunFolder
from pipelines.validate import DataError

NEW = 1_701_500_000  # some have acted by then, others not


def raw_history(prepared: PreparedData, user: str, moment: int) -> dict[str, tf.Tensor]:
    """What a client would send of a user's events up to a moment."""
    length = prepared.spec.schema.max_history
    rows = prepared.events[(prepared.events["user_id"] == user) & (prepared.events["timestamp"] <= moment)].tail(length)

    def padded(values: pd.Series, empty: object) -> list[list[object]]:
        return [[*values.tolist(), *[empty] * (length - len(values))]]

    return {
        "item_id": tf.constant(padded(rows["item_id"], "")),
        "timestamp": tf.constant(padded(rows["timestamp"], 0), tf.int64),
        "action": tf.constant(padded(rows["action"].fillna(""), "")),
        "places": tf.constant(padded(rows["places"].fillna(""), "")),
        "seconds": tf.constant(padded(rows["seconds"], 0.0), tf.float32),
        "request_time": tf.constant([moment], tf.int64),
    }


def test_vectors_are_those_that_the_exported_signature_answers(
    trained: RunFolder, prepared: PreparedData, exported: Path, tmp_path: Path
) -> None:
    signature = tf.saved_model.load(str(exported)).signatures["embed"]
    known = prepared.events[prepared.events["timestamp"] <= NEW]
    assert 0 < known["user_id"].nunique() < prepared.events["user_id"].nunique()
    counts = known.groupby("user_id").size().clip(upper=prepared.spec.schema.max_history)
    for vector, output in (("intent", "intent_embedding"), ("state", "item_state")):
        table = pd.read_parquet(embed(trained, tmp_path / vector, str(NEW), vector, batch=7).path)
        assert sorted(table["user_id"]) == sorted(known["user_id"].unique())
        assert table["as_of"].unique().tolist() == [pd.Timestamp(NEW, unit="s", tz="UTC")]
        assert table["events"].tolist() == counts[table["user_id"]].tolist()
        for row in table.itertuples():
            expected = signature(**raw_history(prepared, row.user_id, NEW))[output].numpy()[0]
            np.testing.assert_allclose(row.vector, expected, rtol=1e-4, atol=1e-5)


def test_a_file_says_what_it_holds(trained: RunFolder, prepared: PreparedData, tmp_path: Path) -> None:
    file = VectorFile.open(embed(trained, tmp_path / "users.parquet").path)
    assert file.moments == [prepared.events["timestamp"].max()]
    assert file.rows == prepared.events["user_id"].nunique()
    assert (file.space.fingerprint, file.space.model_version) == (prepared.fingerprint, trained.version())
    assert file.space.dimension == 4
    assert {"date", "commit", "trained_until"} <= set(file.made)


def test_a_failure_on_the_way_leaves_nothing(
    trained: RunFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = module.histories_at

    def broken(*arguments: object) -> object:
        yield next(iter(real(*arguments)))  # type: ignore[arg-type]
        raise DataError("the disk went away")

    monkeypatch.setattr(module, "histories_at", broken)
    with pytest.raises(DataError, match="went away"):
        embed(trained, tmp_path / "users.parquet", str(NEW), batch=3)
    assert list(tmp_path.iterdir()) == []


def test_commands(trained: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, place = str(trained.folder), str(tmp_path / "users.parquet")
    assert main(["embed", "--run", run, "--out", place, "--at", "2023-12-01"]) == 0
    out = capsys.readouterr().out
    assert "vectors of 4 numbers, batch " in out
    assert "learnt from events after that moment" in out
    assert main(["embed", "--run", run, "--out", place, "--append"]) == 0
    assert "learnt from" not in capsys.readouterr().out
    other = str(tmp_path / "states.parquet")
    assert main(["embed", "--run", run, "--out", other, "--vector", "state"]) == 0
    capsys.readouterr()
    assert main(["embed-check", place, place]) == 0
    assert "2 moments" in capsys.readouterr().out
    assert main(["embed-check", place, other]) == 2
    assert "must not be mixed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--at", "soon"], "--at soon: is no moment"),
        (["--at", "1999-01-01"], "no user of"),
    ],
)
def test_bad_moments_are_one_sentence(
    trained: RunFolder, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    out = tmp_path / "users.parquet"
    assert main(["embed", "--run", str(trained.folder), "--out", str(out), *words]) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert len(error.strip().splitlines()) == 1
    assert not out.exists()
