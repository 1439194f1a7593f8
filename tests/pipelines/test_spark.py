"""Spark's workers write the records that the pandas engine writes.  Needs pyspark (the extra ``spark``) and Java."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from pipelines.prepare import PrepareConfig, prepare
from pipelines.split import SplitConfig
from pipelines.validate import DataError
from tests.support import examples

pytest.importorskip("pyspark", reason="pyspark is not installed; pip install 'intentrec_tf[spark]' runs these tests")
if not shutil.which("java"):
    pytest.skip("Spark needs Java, which is not installed", allow_module_level=True)

from pipelines.datasets.registry import packaged_schema
from pipelines.spark import SparkEngine, _Clean

CONF = {
    "spark.master": "local[2]",
    "spark.driver.memory": "1g",
    "spark.sql.shuffle.partitions": "3",
    "spark.driver.extraJavaOptions": "-Dderby.stream.error.file=/dev/null",
}
INTENTS = [
    {"name": "repeat", "derive": "repeat", "resume_gap": "1d"},
    {"name": "popular", "derive": "rank_bucket", "column": "popularity"},
]


def quiet(line: str) -> None:
    pass


def test_text_with_faults(make_shop: Callable[..., PrepareConfig], tmp_path: Path):
    """Rejected rows, left-out items, popularity, validation users and fingerprint are the same."""
    config = make_shop(tmp_path / "in", {"intents": INTENTS})
    path = tmp_path / "in" / "events.csv"
    header, *rows = path.read_text(encoding="utf-8").splitlines()
    rows[20] = rows[20].replace(",i", ",no", 1)
    rows[60] += ",more"
    rows[70] = ""
    rows += [rows[0], rows[30]]
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    split = SplitConfig(kind="leave_one_out", validation_users=0.4)
    config = config.model_copy(update={"min_interactions": 20, "split": split})
    expected = prepare(config, tmp_path / "pandas", quiet)
    found = prepare(config, tmp_path / "spark", quiet, SparkEngine(CONF))
    assert examples(found.folder) == examples(expected.folder)
    assert found.fingerprint == expected.fingerprint
    assert found.manifest["validation"] == expected.manifest["validation"]
    assert found.manifest["statistics"] == expected.manifest["statistics"]
    rejects = [pd.read_csv(made.folder / "rejected.csv") for made in (found, expected)]
    pd.testing.assert_frame_equal(*rejects)
    assert len(rejects[0]) == 4


def test_a_parquet_folder_and_a_database(shop: PrepareConfig, tmp_path: Path):
    engine = SparkEngine(CONF)
    assert shop.events
    frame = pd.read_csv(shop.events).assign(places=lambda rows: rows["places"].fillna(""))
    frame = frame.sort_values(["who", "when"]).drop_duplicates(["who", "when"], ignore_index=True)  # no ties in time
    spark = engine.session()
    spark.createDataFrame(frame.astype({"places": object})).repartition(3).write.parquet(str(tmp_path / "log"))
    folder = shop.model_copy(update={"events": str(tmp_path / "log")})
    expected = prepare(folder, tmp_path / "pandas", quiet)
    found = prepare(folder, tmp_path / "spark", quiet, engine)
    assert examples(found.folder) == examples(expected.folder)
    assert found.fingerprint == expected.fingerprint
    url = f"jdbc:derby:{tmp_path / 'database'};create=true"
    stored = spark.createDataFrame(frame.astype({"places": object}))
    stored.write.format("jdbc").option("url", url).option("dbtable", "log").save()
    source = SparkEngine(CONF, "jdbc", {"url": url})
    made = prepare(shop.model_copy(update={"events": "log"}), tmp_path / "database-out", quiet, source)
    assert examples(made.folder) == examples(expected.folder)
    assert "log" in made.manifest["inputs"]


def test_what_is_wrong_is_one_sentence(shop: PrepareConfig, tmp_path: Path):
    engine = SparkEngine(CONF)
    with pytest.raises(DataError, match="does not run on Spark, only 'tables' do"):
        prepare(PrepareConfig(dataset="simulated"), tmp_path / "a", quiet, engine)
    absent = shop.model_copy(update={"events": str(tmp_path / "absent.parquet")})
    with pytest.raises(DataError, match=r"Spark: .*absent.parquet") as error:
        prepare(absent, tmp_path / "b", quiet, engine)
    assert "\n" not in str(error.value)
    (tmp_path / "quote.csv").write_text('who,what,when,action,seconds,places\n"u1,i1,1700000000,play,1,\n', "utf-8")
    quote = shop.model_copy(update={"events": str(tmp_path / "quote.csv")})
    with pytest.raises(DataError, match="a quote opened here is never closed"):
        prepare(quote, tmp_path / "c", quiet, engine)
    (tmp_path / "short.csv").write_text("who,what\nu1,i1\n", "utf-8")
    short = shop.model_copy(update={"events": str(tmp_path / "short.csv")})
    with pytest.raises(DataError, match="line 1 lacks the columns when, action"):
        prepare(short, tmp_path / "d", quiet, engine)


def test_a_worker_that_does_not_see_the_output_folder(tmp_path: Path):
    clean = _Clean("log.csv", packaged_schema("simulated"), 1, tmp_path / "absent" / "floats", None)
    with pytest.raises(DataError, match=r"absent: one of Spark's workers has no such folder; name an --out on a disk"):
        next(clean(iter([])))
