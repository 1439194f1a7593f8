"""Schemas and raw data: whatever the bytes, an answer or one sentence."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from intentrec_tf.schema import Schema, SchemaError
from pipelines.config import RunConfig
from pipelines.datasets import registry
from pipelines.validate import DataError
from tests.fuzz.mutations import changed, damaged, damaged_json, one_sentence
from tests.pipelines.conftest import SCHEMA, TINY, shop_rows

EVENTS, ITEMS = ("\n".join(lines[:40]) + "\n" for lines in shop_rows(users=4))
INTERESTS = "who,interest,when\nu1,red,1700000000\nu2,new,1700000001\n"
WIDE = {
    **SCHEMA,
    "explicit_interests": "genres",
    "intents": [
        *SCHEMA["intents"],
        {"name": "age", "derive": "age_bucket", "release": "price"},
        {"name": "rank", "derive": "rank_bucket", "column": "popularity"},
        {"name": "novel", "derive": "category_novelty", "feature": "genres"},
    ],
}


@given(changed(WIDE))
@example({**WIDE, "\n": 1})
def test_schema_values(values: Any) -> None:
    try:
        schema = Schema.parse(values)
    except SchemaError as error:
        one_sentence(error)
    else:
        assert Schema.parse(schema.to_dict()) == schema


@given(damaged(yaml.safe_dump(WIDE).encode()))
@example(b"[" * 3_000)
@example(b"name: 2001-99-99")
def test_schema_files(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed.yaml"
    path.write_bytes(data)
    try:
        Schema.from_yaml(path)
    except SchemaError as error:
        one_sentence(error)
    try:
        RunConfig.read(path)
    except DataError as error:
        one_sentence(error)


@given(damaged(yaml.safe_dump(TINY).encode()), changed(TINY))
def test_configurations(tmp_path_factory: pytest.TempPathFactory, data: bytes, changes: Any) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed.yaml"
    path.write_bytes(data)
    for more in ({}, changes if isinstance(changes, dict) else {}):
        try:
            RunConfig.read(path, more)
        except DataError as error:
            one_sentence(error)


def packed(data: bytes, form: str) -> bytes:
    """As the form of a file has it."""
    return gzip.compress(data, mtime=0) if form == "csv.gz" else data


PARQUET = io.BytesIO()
pd.read_csv(io.StringIO(EVENTS), dtype="str").astype({"when": "int64", "seconds": "float"}).to_parquet(PARQUET)
FILES = [
    *(("events", form, EVENTS.encode()) for form in ("csv", "csv.gz")),
    ("items", "csv", ITEMS.encode()),
    ("interests", "csv", INTERESTS.encode()),
]


@st.composite
def tables(draw: st.DrawFn) -> dict[str, tuple[str, bytes]]:
    """The shop's three files, one damaged before or after it is packed."""
    files = {"events": ("csv", EVENTS.encode()), "items": ("csv", ITEMS.encode())}
    files["interests"] = ("csv", INTERESTS.encode())
    name = draw(st.sampled_from(sorted(files)))
    form = draw(st.sampled_from(("csv", "csv", "csv.gz", "parquet")))
    if form == "parquet":
        name, data = "events", draw(damaged(PARQUET.getvalue()))
    elif draw(st.booleans()):
        data = packed(draw(damaged(files[name][1])), form)
    else:
        data = draw(damaged(packed(files[name][1], form)))
    return {**files, name: (form, data)}


@given(tables(), st.sampled_from(("s", "ms", "datetime", "min")))
def test_tables(tmp_path_factory: pytest.TempPathFactory, files: dict[str, tuple[str, bytes]], unit: str) -> None:
    folder = tmp_path_factory.getbasetemp()
    paths = {name: folder / f"fuzzed-{name}.{form}" for name, (form, _) in files.items()}
    for name, (_, data) in files.items():
        paths[name].write_bytes(data)
    schema = Schema.parse({**WIDE, "timestamp_unit": unit})
    try:
        found = registry.load("tables", schema=schema, max_reject_share=1.0, **paths)  # type: ignore[arg-type]
    except DataError as error:
        one_sentence(error)
    else:
        read, lost = found.report.rows_read[str(paths["events"])], found.report.rejected.get(str(paths["events"]), 0)
        assert len(found.events) == read - lost


USERS = "\n".join(f"{user}\t{item}\t{3 + item % 2}\t{881250949 + user}" for user in range(1, 5) for item in range(1, 4))
MOVIES = "\n".join(f"{n}|Film {n} (1995)|01-Jan-1995||http://x|" + "|".join("01" + "0" * 17) for n in range(1, 4))
GENRES = "\n".join(f"g{n}|{n}" for n in range(19))
PUBLIC: dict[str, dict[str, bytes]] = {
    "movielens-100k": {"u.data": USERS.encode(), "u.item": MOVIES.encode("latin-1"), "u.genre": GENRES.encode()},
    "movielens-1m": {
        "ratings.dat": b"1::1::5::978300760\n1::2::3::978300761\n2::1::4::978300762\n",
        "movies.dat": b"1::Toy Story (1995)::Animation|Comedy\n2::Heat (1995)::Action\n",
    },
    "movielens-20m": {
        "ratings.csv": b"userId,movieId,rating,timestamp\n1,1,4.0,964982703\n1,2,4.5,964981247\n",
        "movies.csv": b'movieId,title,genres\n1,"Toy, Story (1995)",Animation|Comedy\n2,Heat (1995),Action\n',
    },
    "s3rec-beauty": {
        "Beauty.txt": b"1 1 2 3\n2 2 1\n",
        "Beauty_time.txt": b"1 1400000000 1400000001 1400000002\n2 1400000000 1400000009\n",
        "Beauty_item2attributes.json": json.dumps({"1": [1, 2], "2": [2], "3": [1]}).encode(),
    },
}


@st.composite
def archives(draw: st.DrawFn) -> tuple[str, bytes]:
    """The zip of a public data set, a file in it damaged or the zip itself, with a member that would leave it."""
    name = draw(st.sampled_from(sorted(PUBLIC)))
    files = dict(PUBLIC[name])
    wanted = draw(st.sampled_from(sorted(files)))
    if wanted.endswith(".json"):
        files[wanted] = draw(damaged_json(json.loads(files[wanted])))
    else:
        files[wanted] = draw(damaged(files[wanted]))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("../outside.txt", "x")
        for member, data in files.items():
            archive.writestr(f"set/{member}", data)
    data = packed.getvalue()
    return name, draw(damaged(data)) if draw(st.integers(0, 3)) == 0 else data


@given(archives())
def test_public_data_sets(tmp_path_factory: pytest.TempPathFactory, archive: tuple[str, bytes]) -> None:
    name, data = archive
    path = tmp_path_factory.getbasetemp() / "fuzzed.zip"
    path.write_bytes(data)
    try:
        registry.load(name, raw=path, max_reject_share=1.0)
    except DataError as error:
        one_sentence(error)
    assert not Path(path.parent, "outside.txt").exists()
    assert not Path(path.parent.parent, "outside.txt").exists()


def undamaged(files: dict[str, bytes]) -> bytes:
    """The zip of a public data set as it should be."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for member, data in files.items():
            archive.writestr(f"set/{member}", data)
    return packed.getvalue()


@pytest.mark.parametrize("name", PUBLIC)
def test_the_undamaged_are_read(name: str, tmp_path: Path) -> None:
    """Else the damage would never be reached."""
    (tmp_path / "set.zip").write_bytes(undamaged(PUBLIC[name]))
    assert len(registry.load(name, raw=tmp_path / "set.zip").events) > 1
