"""Foursquare check-ins in New York, with the part of town each place lies in."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd

from intentrec_tf.schema import Feature, Schema
from pipelines.datasets.base import RawData
from pipelines.datasets.tables import load_tables
from pipelines.validate import DataError

AREA, CELL = "area", 0.02  # degrees: 2.2 km north to south, 1.7 km west to east
COORDINATES = ("latitude", "longitude")
SOURCE = "Foursquare check-ins in New York: minutes from an unstated origin, so hours and weekdays shift."


def load_foursquare(folder: Path, schema: Schema, max_reject_share: float = 0.2) -> RawData:
    """Read ``checkins.csv`` and ``places.csv``; ``area``, if the schema names it, is made of latitude and longitude.

    Args:
        folder: holds the two files.
        schema: names the columns.
        max_reject_share: largest share of a file's rows that may be rejected.

    Raises:
        DataError: a file is missing or unusable.
    """
    if folder.is_file():
        raise DataError(f"{folder}: is no folder; unpack it and name the folder with checkins.csv and places.csv.")
    features = tuple(f for f in schema.item_features if f.name != AREA)
    made = len(features) < len(schema.item_features)
    read = schema.item_columns()
    extra = tuple(Feature(name=name, kind="numeric") for name in COORDINATES if made and name not in read)
    intents = tuple(intent for intent in schema.intents if getattr(intent, "feature", None) != AREA)
    plain = schema.model_copy(update={"item_features": (*features, *extra), "intents": intents})
    places = folder / "places.csv"
    raw = load_tables(
        folder / "checkins.csv", plain, items=places, max_reject_share=max_reject_share, sources=(SOURCE,)
    )
    items = raw.items
    if made:
        known = [pd.to_numeric(items[name], errors="coerce") for name in COORDINATES]
        items = items.assign(**{AREA: areas(*known)}).drop(columns=[feature.name for feature in extra])
    return dataclasses.replace(raw, items=items, schema=schema)


def areas(latitude: pd.Series, longitude: pd.Series) -> pd.Series:
    """``"40.72,-74.00"``: the south-west corner of the cell a place lies in; empty where a coordinate is unknown."""
    south, west = (np.floor(np.round(c.to_numpy(float) / CELL, 6)) * CELL + 0.0 for c in (latitude, longitude))
    known = ~(np.isnan(south) | np.isnan(west))
    names = [f"{a:.2f},{b:.2f}" if k else "" for a, b, k in zip(south, west, known, strict=True)]
    return pd.Series(names, index=latitude.index, dtype=object)
