"""Every form of MovieLens on a few lines, and the real files where they are."""

from __future__ import annotations

import gzip
import zipfile
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from intentrec_tf.schema import Schema
from pipelines.datasets.base import RawData
from pipelines.datasets.contract import check_contract
from pipelines.datasets.movielens import load_movielens
from pipelines.datasets.movielens_years import mid_year, release_times, title_years
from pipelines.datasets.registry import packaged_schema
from pipelines.validate import DataError


def seconds(year: int, month: int, day: int) -> float:
    return datetime(year, month, day, tzinfo=timezone.utc).timestamp()


def load(folder: Path, name: str = "movielens-100k", **options) -> RawData:
    return check_contract(load_movielens(folder, packaged_schema(name), **options))


def flags(*numbers: int) -> str:
    return "|".join("1" if number in numbers else "0" for number in range(19))


@pytest.fixture
def folder_100k(tmp_path: Path) -> Path:
    (tmp_path / "u.data").write_text("1\t10\t3\t881250949\n1\t11\t5\t881250949\n2\t10\t1\t891717742\n")
    items = [
        f"10|Misérables, Les (1995)|01-Jan-1995||http://x|{flags(8, 12)}",
        f"11|Late Copy (1991)|08-Mar-1996||http://x|{flags(1)}",
        f"12|unknown||||{flags(0)}",
    ]
    (tmp_path / "u.item").write_bytes("\n".join(items).encode("latin-1"))
    return tmp_path


def test_100k(folder_100k: Path) -> None:
    data = load(folder_100k)
    assert data.events.to_dict("list") == {
        "user_id": ["1", "1", "2"],
        "item_id": ["10", "11", "10"],
        "timestamp": [881250949, 881250949, 891717742],
        "rating": ["3", "5", "1"],
    }
    assert data.items["title"].tolist()[0] == "Misérables, Les (1995)"
    assert data.items["genres"].tolist() == ["Drama|Musical", "Action", ""]
    assert data.items["year"].tolist() == ["1995", "1991", ""]
    # 1 January stands for "some day of the year" -> 1 July; other dates are exact
    assert data.items["released"].tolist()[:2] == [seconds(1995, 7, 1), seconds(1996, 3, 8)]
    assert np.isnan(data.items["released"].iloc[2])
    assert data.interests is None
    assert "research use only" in data.sources[0]


def test_zip_gives_the_same_as_the_folder(folder_100k: Path, tmp_path_factory) -> None:
    path = tmp_path_factory.mktemp("zip") / "ml-100k.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("u.data", "u.item"):
            archive.write(folder_100k / name, f"ml-100k/{name}")
    data = load(path)
    pd.testing.assert_frame_equal(data.items, load(folder_100k).items)
    assert data.files == (path,)


def test_damaged_zip(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(b"PK nonsense")
    with pytest.raises(DataError, match="neither a folder nor a readable zip"):
        load(path)


def test_recbole_atomic_files(tmp_path: Path) -> None:
    (tmp_path / "ml-100k.inter").write_text(
        "user_id:token\titem_id:token\trating:float\ttimestamp:float\n196\t242\t3\t881250949\n1\t267\t4\t881250950\n"
    )
    (tmp_path / "ml-100k.item").write_text(
        "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
        "242\tKolya\t1996\tComedy Film-Noir\n267\tunkonwn\tunkonwn\tunknown\n"
    )
    data = load(tmp_path)
    assert data.events["rating"].tolist() == ["3", "4"]
    assert data.items["genres"].tolist() == ["Comedy|Film-Noir", ""]
    assert data.items["year"].tolist() == ["1996", ""]
    assert data.items["released"].iloc[0] == seconds(1996, 7, 1)


@pytest.fixture
def folder_1m(tmp_path: Path) -> Path:
    (tmp_path / "ratings.dat").write_text("1::7::5::978300760\n1::8::3::978300760\n2::9::4::978300761\n")
    (tmp_path / "movies.dat").write_bytes(
        "7::Amélie (1998)::Comedy|Romance\n8::Old One (1950)::Drama\n9::Third (1999)::War\n".encode("latin-1")
    )
    return tmp_path


def test_1m(folder_1m: Path) -> None:
    data = load(folder_1m, "movielens-1m")
    assert data.events["item_id"].tolist() == ["7", "8", "9"]
    assert data.items["title"].iloc[0] == "Amélie (1998)"
    assert data.items["genres"].tolist() == ["Comedy|Romance", "Drama", "War"]
    assert data.items["released"].tolist() == [seconds(year, 7, 1) for year in (1998, 1950, 1999)]
    assert not any("interpolated" in sentence for sentence in data.sources)


def test_1m_companions(folder_1m: Path) -> None:
    table = "movie_id,title,released\n7,A,1998-11-22\n8,B,2011-03-04\n9,C,\n"
    (folder_1m / "movies_release_dates.csv.gz").write_bytes(gzip.compress(table.encode()))
    (folder_1m / "interpolated_rows.csv.gz").write_bytes(gzip.compress(b"orig_row\n2\n"))
    data = load(folder_1m, "movielens-1m")
    # exact; 61 years off the title's year, so a re-release and not used; unknown, so the title's year
    assert data.items["released"].tolist() == [
        seconds(1998, 11, 22),
        seconds(1950, 7, 1),
        seconds(1999, 7, 1),
    ]
    assert any("1 of 3 timestamps (33.3%) are interpolated" in sentence for sentence in data.sources)
    assert any("1 of 3 release dates" in sentence for sentence in data.sources)
    assert len(data.files) == 4


@pytest.fixture
def folder_csv(tmp_path: Path) -> Path:
    (tmp_path / "ratings.csv").write_text("userId,movieId,rating,timestamp\n1,1,4.0,964982703\n2,2,3.5,964982704\n")
    (tmp_path / "movies.csv").write_text(
        "movieId,title,genres\n"
        '1,"American President, The (1995)",Comedy|Sci-Fi\n'
        "2,Nameless,(no genres listed)\n3,Series (2006\u20132007),Drama\n",
        encoding="utf-8",
    )
    return tmp_path


def test_csv(folder_csv: Path) -> None:
    data = load(folder_csv, "movielens-20m")
    assert data.events["rating"].tolist() == ["4", "3.5"]
    assert data.items["title"].iloc[0] == "American President, The (1995)"
    assert data.items["genres"].tolist() == ["Comedy|Sci-Fi", "", "Drama"]
    assert data.items["year"].tolist() == ["1995", "", "2006"]
    assert data.interests is None


def test_own_tags_that_name_a_genre_are_interests(folder_csv: Path) -> None:
    (folder_csv / "tags.csv").write_text(
        'userId,movieId,tag,timestamp\n1,1,"robots, many",964982800\n'
        "1,1,sci-fi,964982801\n1,2,Sci-Fi,964982700\n"
        "2,1,COMEDY,964982803\n"
    )
    data = load(folder_csv, "movielens-20m")
    assert data.interests is not None
    # one row per user and genre, at the earliest time it was named
    assert data.interests.to_dict("list") == {
        "user_id": ["1", "2"],
        "interest": ["Sci-Fi", "Comedy"],
        "timestamp": [964982700, 964982803],
    }
    assert any("3 of 4 tags name a genre" in sentence for sentence in data.sources)


def test_one_bad_rating_is_one_rejected_row(folder_100k: Path) -> None:
    good = [f"1\t10\t3\t{881250949 + n}" for n in range(20)]
    bad = ["1\t10\tnan\t881250999", "1\t10\t9\t881250999", "1\t99\t3\t881250999"]
    (folder_100k / "u.data").write_text("\n".join(good + bad) + "\n")
    data = load(folder_100k)
    assert len(data.events) == 20
    assert data.report.rejects[["row", "field"]].values.tolist() == [
        [21, "rating"],
        [22, "rating"],
        [23, "item_id"],
    ]
    assert "outside 0.5 to 5" in data.report.rejects["reason"].iloc[1]


def test_wrong_form_for_the_name(folder_1m: Path) -> None:
    with pytest.raises(DataError, match=r"holds ratings.dat and movies.dat, but 'movielens-100k' needs u.data"):
        load(folder_1m, forms=("100k", "recbole"))


def test_folder_without_movielens(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no form of MovieLens; expected one of: u\.data and u\.item"):
        load(tmp_path)
    with pytest.raises(DataError, match="does not exist"):
        load(tmp_path / "nowhere")


def test_schema_that_asks_for_a_column_it_lacks(folder_100k: Path) -> None:
    schema = Schema.parse({"name": "x", "event_features": [{"name": "mood", "kind": "categorical"}]})
    with pytest.raises(DataError, match=r"column 'mood' is not in u\.data"):
        load_movielens(folder_100k, schema)


def test_years() -> None:
    titles = pd.Series(["A (1995)", "B (2006\u20132007)", "C (2012- )", "D", "(2001) E", "F (1999) (2003) "])
    assert title_years(titles).tolist() == ["1995", "2006", "2012", "", "", "2003"]
    assert mid_year(pd.Series(["1970", ""])).tolist()[0] == 181 * 86_400  # 1 July is day 181 of 1970


def test_release_times_prefer_exact_dates() -> None:
    dates = pd.Series(pd.to_datetime(["1996-03-08", "1995-01-01", None], utc=True))
    released, far = release_times(dates, pd.Series(["1991", "1995", "1980"]))
    assert released.tolist() == [seconds(1996, 3, 8), seconds(1995, 7, 1), seconds(1980, 7, 1)]
    assert far == 0
    released, far = release_times(dates, pd.Series(["1991", "1995", "1980"]), max_gap=2)
    assert released[0] == seconds(1991, 7, 1)
    assert far == 1


@pytest.mark.parametrize(
    ("name", "folder", "events", "users", "items"),
    [
        ("movielens-100k", "ml-100k", 100_000, 943, 1_682),
        ("movielens-1m", "ml-1m", 1_000_209, 6_040, 3_883),
        ("movielens-latest-small", "ml-latest-small", 100_836, 610, 9_742),
    ],
)
def test_real_files(shared_data: Path, name: str, folder: str, events: int, users: int, items: int) -> None:
    if not (shared_data / folder).is_dir():
        pytest.skip(f"no {folder} in {shared_data}")
    data = load(shared_data / folder, name)
    assert len(data.events) == events
    assert data.events["user_id"].nunique() == users
    assert len(data.items) == items
    assert data.report.counts == {}
    assert data.items["genres"].str.contains("Film-Noir").any()
    assert not data.items["genres"].str.contains("no genres|unknown").any()
    assert (data.interests is not None) == (name == "movielens-latest-small")


def test_real_1m_order_and_caveats(shared_data: Path) -> None:
    if not (shared_data / "ml-1m").is_dir():
        pytest.skip(f"no ml-1m in {shared_data}")
    data = load(shared_data / "ml-1m", "movielens-1m")
    first = data.events.iloc[0]
    assert (first["user_id"], first["item_id"], first["rating"], first["timestamp"]) == (
        "1",
        "1193",
        "5",
        978300760,
    )
    assert any("87,150 of 1,000,209" in sentence for sentence in data.sources)
    exact = pd.to_datetime(data.items["released"], unit="s")
    assert ((exact.dt.month != 7) | (exact.dt.day != 1)).sum() > 3_500
