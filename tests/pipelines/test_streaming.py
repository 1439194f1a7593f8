"""A log in many files gives what the log in memory gives."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from intentrec_tf.schema import Schema
from pipelines import file_partitions, streaming
from pipelines.datasets import tables
from pipelines.datasets.tables import load_tables
from pipelines.encode import learn
from pipelines.input_fn import user_sequences
from pipelines.partitions import in_order
from pipelines.prepare import PrepareConfig, prepare
from pipelines.prepared import PreparedData
from pipelines.sources import Source, whole_source
from pipelines.split import SplitConfig, learn_split
from pipelines.validate import DataError
from pipelines.writing import write_partitions
from tests.support import examples

INTENTS = [
    {"name": "action", "derive": "column", "column": "action"},
    {"name": "genre", "derive": "category", "feature": "genres"},
    {"name": "repeat", "derive": "repeat", "resume_gap": "1d"},
    {"name": "novelty", "derive": "category_novelty", "feature": "genres"},
    {"name": "phase", "derive": "session_phase", "gap": "1h"},
    {"name": "popular", "derive": "rank_bucket", "column": "popularity"},
    {"name": "length", "derive": "rank_bucket", "column": "seconds"},
]
SPLITS = (SplitConfig(), SplitConfig(kind="leave_one_out", validation_users=0.4, seed=3))


def quiet(line: str) -> None:
    pass


@pytest.fixture
def pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small pieces and partitions."""
    monkeypatch.setattr(streaming, "EVENTS_PER_PARTITION", 60)
    monkeypatch.setattr(tables, "table_chunks", functools.partial(tables.table_chunks, size=700))
    monkeypatch.setattr(tables, "parquet_chunks", functools.partial(tables.parquet_chunks, rows=37))


@pytest.fixture
def shop_with_faults(make_shop: Callable[..., PrepareConfig], tmp_path: Path) -> PrepareConfig:
    """The shop with every kind of intent, repeated rows, unknown items and a bad line here and there."""
    config = make_shop(tmp_path / "in", {"intents": INTENTS})
    path = tmp_path / "in" / "events.csv"
    header, *rows = path.read_text(encoding="utf-8").splitlines()
    rows[5] = rows[200]
    rows[20] = rows[20].replace(",i", ",no", 1)
    rows[60] += ",more"
    rows[100] = rows[100].replace("home", '"home"')
    rows += [rows[0], rows[30]]
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return config


def write(source: Source, split: SplitConfig, out: Path) -> dict[str, Any]:
    out.mkdir()
    parts = learn_split(source.partitions, split)
    spec, statistics = write_partitions(
        source.partitions, learn(source.partitions, source.items, source.schema, parts), parts, out
    )
    assert spec.item_prior.sum() > 0
    return statistics


@pytest.mark.usefixtures("pieces")
@pytest.mark.parametrize(
    ("split", "min_interactions"), [(SPLITS[0], 1), (SPLITS[1], 20)], ids=["time", "leave_one_out"]
)
def test_many_files_equal_the_log_in_memory(
    shop_with_faults: PrepareConfig, tmp_path: Path, split: SplitConfig, min_interactions: int
):
    config = shop_with_faults
    schema = Schema.from_yaml(str(config.schema_file))
    assert config.events is not None
    raw = load_tables(config.events, schema, items=config.items)
    expected = write(whole_source(raw, min_interactions), split, tmp_path / "memory")
    source = streaming.streamed_source(
        config.events, schema, tmp_path / "work", items=config.items, min_interactions=min_interactions
    )
    assert len(list(source.partitions.each(lambda number, events: number, "counting"))) > 5
    found = write(source, split, tmp_path / "files")
    assert found == {**expected, "repeat_share": pytest.approx(expected["repeat_share"])}
    assert examples(tmp_path / "files") == examples(tmp_path / "memory")
    assert source.report.to_dict() == raw.report.to_dict()
    pd.testing.assert_frame_equal(source.report.rejects, raw.report.rejects)
    assert len(source.report.rejects) == 5
    assert source.dropped == len(raw.events) - expected["events"]
    assert (source.dropped > 0) is (min_interactions > 1)
    frames = [pd.read_parquet(tmp_path / name / "events.parquet") for name in ("files", "memory")]
    keys = ["user_id", "timestamp", "item_id", "seconds"]
    pd.testing.assert_frame_equal(*(frame.sort_values(keys, ignore_index=True) for frame in frames))


@pytest.mark.usefixtures("pieces")
def test_prepare_streams_tables_and_training_reads_them(shop_with_faults: PrepareConfig, tmp_path: Path):
    made = prepare(shop_with_faults, tmp_path / "many", quiet)
    files = [Path(file).name for file in made.record_files]
    assert files == [f"part-{i:05d}-of-{len(files):05d}.tfrecord" for i in range(len(files))]
    assert len(files) > 4
    assert not (made.folder / "temporary").exists()
    users = made.events["user_id"].drop_duplicates().tolist()
    assert [user["user_id"].numpy().decode() for user in user_sequences(made)] == users
    streaming.EVENTS_PER_PARTITION = 10**6  # the fixture puts it back
    whole = prepare(shop_with_faults, tmp_path / "one", quiet)
    assert whole.fingerprint == made.fingerprint
    assert examples(whole.folder) == examples(made.folder)


@pytest.mark.usefixtures("pieces")
def test_a_folder_of_parquet_files_as_spark_writes_it(shop: PrepareConfig, tmp_path: Path):
    """Subfolders are columns; a further file is a further input."""
    assert shop.events
    frame = pd.read_csv(shop.events)
    folder = tmp_path / "log"
    order = []
    for (action,), part in frame.groupby(["action"]):
        order.append(part)
        (folder / f"action={action}").mkdir(parents=True)
        for i, piece in enumerate(np.array_split(np.arange(len(part)), 3)):
            place = folder / f"action={action}" / f"part-{i:05d}.snappy.parquet"
            part.iloc[piece].drop(columns="action").to_parquet(place, index=False)
    (folder / "_SUCCESS").touch()
    (folder / ".part-00000.crc").write_text("checksum", encoding="utf-8")
    config = shop.model_copy(update={"events": str(folder)})
    made = prepare(config, tmp_path / "folder", quiet)
    pd.concat(order).to_csv(tmp_path / "log.csv", index=False)
    text = prepare(shop.model_copy(update={"events": str(tmp_path / "log.csv")}), tmp_path / "csv", quiet)
    assert examples(made.folder) == examples(text.folder)
    assert len(made.manifest["inputs"]) == 8  # six parts, items, schema
    lines: list[str] = []
    prepare(config, tmp_path / "folder", lines.append)
    assert "nothing to do" in lines[0]
    extra = frame[:1].assign(who="u0", when=frame["when"].max()).drop(columns="action")
    extra.to_parquet(folder / "action=play" / "part-00009.parquet", index=False)
    again = prepare(config, tmp_path / "folder", quiet)
    assert again.manifest["statistics"]["events"] == made.manifest["statistics"]["events"] + 1
    shutil.rmtree(folder)
    folder.mkdir()
    with pytest.raises(DataError, match="holds no Parquet file"):
        prepare(config, tmp_path / "other", quiet)


@pytest.mark.usefixtures("pieces")
def test_ids_like_floats_are_joined_only_if_the_whole_file_has_no_others(tmp_path: Path):
    rows = [f"{i % 40}.0,{i % 7},{1_700_000_000 + i}" for i in range(400)]
    (tmp_path / "schema.yaml").write_text(yaml.safe_dump({"name": "x"}), encoding="utf-8")
    config = PrepareConfig(dataset="tables", events=str(tmp_path / "e.csv"), schema_file=str(tmp_path / "schema.yaml"))
    ids = []
    for last in ("39.0", "guest"):
        lines = ["user_id,item_id,timestamp", *rows, f"{last},1,1700001000"]
        (tmp_path / "e.csv").write_text("\n".join(lines), encoding="utf-8")
        made = prepare(config, tmp_path / "out", quiet)
        ids.append(set(made.events["user_id"]))
    assert ids == [{str(i) for i in range(40)}, {f"{i}.0" for i in range(40)} | {"guest"}]
    assert made.items["item_id"].tolist() == [str(i) for i in range(7)]


def test_distribute_keeps_keys_together_and_rows_in_order(tmp_path: Path):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"key": rng.integers(0, 50, 1_000).astype(str), "row": np.arange(1_000)})
    frames = [frame[i : i + 130] for i in range(0, 1_000, 130)]
    read = file_partitions.distribute(frames, file_partitions.by_hash("key", 8), 8, tmp_path / "files")
    found = [part for number in range(8) if (part := read(number)) is not None]
    assert len(found) > 4
    assert all(part["row"].is_monotonic_increasing for part in found)
    keys = [set(part["key"]) for part in found]
    assert sum(map(len, keys)) == len(set.union(*keys)) == 50
    pd.testing.assert_frame_equal(pd.concat(found).sort_values("row", ignore_index=True), frame)
    assert list((tmp_path / "files").iterdir()) == []


def test_in_order():
    events = pd.DataFrame({"user_id": ["b", "a", "b", "a"], "timestamp": [5, 1, 5, 0], "_row": [3, 4, 2, 9]})
    ordered = in_order(events)
    assert ordered["_row"].tolist() == [2, 3, 9, 4]  # b came first, in row 2; ties in time go by row


def test_the_same_columns_after_all(prepared: PreparedData):
    """What partitions need beside the events is not left in them."""
    assert not any(name.startswith("_") for name in prepared.events)
