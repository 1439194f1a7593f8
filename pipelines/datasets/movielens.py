"""MovieLens in any of its forms: 100K, RecBole's 100K, 1M, and the CSV files of latest/20M/25M/32M."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from intentrec_tf.schema import Schema
from pipelines.datasets.base import RawData
from pipelines.datasets.checks import clean_events, clean_interests, clean_items
from pipelines.datasets.folder import DataFolder
from pipelines.datasets.movielens_forms import RawMovieLens, read_1m, read_100k, read_csv, read_recbole
from pipelines.validate import DataError, ValidationReport

FORMS = {
    "100k": (("u.data", "u.item"), read_100k),
    "recbole": (("ml-100k.inter", "ml-100k.item"), read_recbole),
    "1m": (("ratings.dat", "movies.dat"), read_1m),
    "csv": (("ratings.csv", "movies.csv"), read_csv),
}
RATING_RANGE = (0.5, 5.0)
_NO_GENRE = {"(no genres listed)", "unknown"}


def detect_form(folder: DataFolder) -> str:
    """Which of :data:`FORMS` a folder holds.

    Raises:
        DataError: none of them.
    """
    for form, (names, _) in FORMS.items():
        if folder.has(*names):
            return form
    expected = "; ".join(" and ".join(names) for names, _ in FORMS.values())
    raise DataError(f"{folder.path}: holds no form of MovieLens; expected one of: {expected}.")


def load_movielens(
    raw: str | Path, schema: Schema, *, forms: tuple[str, ...] = tuple(FORMS), max_reject_share: float = 0.2
) -> RawData:
    """Read a folder or zip file of MovieLens.

    Args:
        raw: folder or zip file.
        schema: may use events' ``rating`` (labels such as ``"4"``, ``"3.5"``) and items' ``title``,
            ``genres``, ``year`` and ``released``.
        forms: the forms allowed here.
        max_reject_share: largest share of a file's rows that may be rejected.

    Raises:
        DataError: the folder holds none of ``forms``, or its files are unusable.
    """
    folder = DataFolder(raw)
    form = detect_form(folder)
    if form not in forms:
        wanted = "; ".join(" and ".join(FORMS[name][0]) for name in forms)
        raise DataError(f"{folder.path}: holds {' and '.join(FORMS[form][0])}, but '{schema.name}' needs {wanted}.")
    report = ValidationReport(max_reject_share)
    found = FORMS[form][1](folder, report)
    _require(schema.event_columns(), found.ratings, found.ratings_file, schema)
    _require(schema.item_columns(), found.movies, found.movies_file, schema)
    movies = found.movies.assign(genres=_drop_labels(found.movies["genres"]))
    items = clean_items(movies, found.movies_file, schema, report)
    limits = {"rating": RATING_RANGE} if _rating_is_label(schema) else {}
    events = clean_events(found.ratings, found.ratings_file, schema, report, items, limits)
    interests, notes = _interests(found, schema, report, items)
    return RawData(events, items, schema, report, interests, None, found.sources + notes, folder.files(*found.files))


def _rating_is_label(schema: Schema) -> bool:
    return any(feature.name == "rating" and feature.kind == "categorical" for feature in schema.event_features)


def _require(columns: tuple[str, ...], frame: pd.DataFrame, file: str, schema: Schema) -> None:
    missing = [name for name in columns if name not in frame]
    if missing:
        raise DataError(
            f"schema '{schema.name}': the column '{missing[0]}' is not in {file} "
            f"(MovieLens has: {', '.join(frame.columns)}); correct the schema."
        )


def _drop_labels(genres: pd.Series) -> pd.Series:
    """Genres without the labels that mean 'none'."""
    tidy = {value: "|".join(g for g in value.split("|") if g not in _NO_GENRE) for value in genres.unique()}
    return genres.map(tidy).astype("str")


def _interests(
    found: RawMovieLens, schema: Schema, report: ValidationReport, items: pd.DataFrame
) -> tuple[pd.DataFrame | None, tuple[str, ...]]:
    """A user's own tags that name a genre (in any case), where the schema wants interests in genres."""
    if found.tags is None or schema.explicit_interests is None:
        return None, ()
    if schema.explicit_interests != "genres":
        raise DataError(
            f"schema '{schema.name}': tags name genres only; set explicit_interests: genres or leave it out."
        )
    genres = {genre.lower(): genre for labels in items["genres"] for genre in labels.split("|") if genre}
    named = found.tags["interest"].str.strip().str.lower().map(genres)
    tags = found.tags.assign(interest=named)[named.notna()]
    note = f"{len(tags):,} of {len(found.tags):,} tags name a genre and count as that user's explicit interest."
    if tags.empty:
        return None, (note,)
    by_time = pd.to_numeric(tags["timestamp"], errors="coerce").sort_values(kind="stable").index
    first = tags.loc[by_time].drop_duplicates(["user_id", "interest"]).sort_index()
    return clean_interests(first, "tags.csv", schema, report, items), (note,)
