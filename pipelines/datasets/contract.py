"""The promise that every adapter keeps, checked by pandera on the finished frames."""

from __future__ import annotations

import pandera.errors
import pandera.pandas as pa

from intentrec_tf.schema import AgeBucketIntent, Schema
from pipelines.datasets.base import RawData
from pipelines.validate import DataError


def _event_contract(schema: Schema) -> pa.DataFrameSchema:
    kinds = {feature.name: feature.kind for feature in schema.event_features}
    columns = {"user_id": pa.Column("str", pa.Check.str_length(min_value=1))}
    columns["item_id"] = pa.Column("str", pa.Check.str_length(min_value=1))
    columns["timestamp"] = pa.Column("int64", pa.Check.gt(0))
    for name in schema.event_columns():
        numeric = kinds.get(name, "numeric") == "numeric"
        columns[name] = pa.Column("float64" if numeric else "str", nullable=numeric)
    return pa.DataFrameSchema(columns, strict=True, ordered=True)


def _item_contract(schema: Schema) -> pa.DataFrameSchema:
    kinds = {feature.name: feature.kind for feature in schema.item_features}
    releases = {intent.release for intent in schema.intents if isinstance(intent, AgeBucketIntent)}
    columns = {"item_id": pa.Column("str", pa.Check.str_length(min_value=1), unique=True)}
    for name in schema.item_columns():
        numeric = name in releases or kinds.get(name) == "numeric"
        columns[name] = pa.Column("float64" if numeric else "str", nullable=numeric)
    return pa.DataFrameSchema(columns, strict=True, ordered=True)


def check_contract(data: RawData) -> RawData:
    """Return ``data`` unchanged if its frames follow :class:`RawData`.

    Raises:
        DataError: an adapter broke the promise; the sentence names the frame, the column and the rule.
    """
    for name, frame, contract in (
        ("events", data.events, _event_contract(data.schema)),
        ("items", data.items, _item_contract(data.schema)),
    ):
        try:
            contract.validate(frame)
        except pandera.errors.SchemaError as error:
            rule = error.check if error.check is not None else error.reason_code
            where = getattr(error.schema, "name", None)
            raise DataError(
                f"{name} of '{data.schema.name}' break the adapter contract at column '{where}' ({rule}); "
                "correct the adapter or the schema."
            ) from None
    unknown = ~data.events["item_id"].isin(data.items["item_id"])
    if unknown.any():
        item = data.events["item_id"][unknown].iloc[0]
        raise DataError(
            f"events of '{data.schema.name}' name item '{item}', which the items lack; correct the adapter."
        )
    if data.truth is not None and len(data.truth) != len(data.events):
        raise DataError(f"truth of '{data.schema.name}' has {len(data.truth)} rows for {len(data.events)} events.")
    return data
