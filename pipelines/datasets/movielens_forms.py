"""The four forms in which MovieLens is distributed, each read into raw columns."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipelines.datasets.folder import DataFolder
from pipelines.datasets.movielens_years import mid_year, release_times, title_years
from pipelines.datasets.textfiles import parse_table
from pipelines.validate import ValidationReport

# fmt: off
GENRES_100K = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary",
    "Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller",
    "War", "Western",
)
# fmt: on
RATING_COLUMNS = ("user_id", "item_id", "rating", "timestamp")
MAX_RELEASE_GAP = 2
YEAR_CAVEAT = "Films of which only the release year is known count as released on 1 July of it."


@dataclass(frozen=True)
class RawMovieLens:
    """Columns as found in the files, indexed by line number.

    Attributes:
        ratings: ``user_id, item_id, rating, timestamp`` as texts.
        movies: ``item_id, title, genres, year`` as texts, ``released`` in unix seconds.
        ratings_file, movies_file: names for messages.
        files: every file that was read.
        sources: sentences about where the data came from.
        tags: ``user_id, interest, timestamp`` as texts, if the form has tags.
    """

    ratings: pd.DataFrame
    movies: pd.DataFrame
    ratings_file: str
    movies_file: str
    files: tuple[str, ...]
    sources: tuple[str, ...]
    tags: pd.DataFrame | None = None


def read_100k(folder: DataFolder, report: ValidationReport) -> RawMovieLens:
    """``u.data`` (tab separated) and ``u.item`` (latin-1, 19 genre flags, dates such as 01-Jan-1995)."""
    ratings = parse_table(
        folder.read("u.data"),
        "u.data",
        report,
        RATING_COLUMNS,
        separator="\t",
        names=RATING_COLUMNS,
        quoted=False,
    )
    names = ["item_id", "title", "date", "video", "url", *GENRES_100K]
    movies = parse_table(
        folder.read("u.item"),
        "u.item",
        report,
        names,
        separator="|",
        names=names,
        quoted=False,
        encoding="latin-1",
    )
    dates = pd.to_datetime(movies["date"], format="%d-%b-%Y", errors="coerce", utc=True)
    years = title_years(movies["title"])
    years = years.where(years != "", dates.dt.strftime("%Y").fillna("").astype("str"))
    flags = (movies[list(GENRES_100K)] == "1").to_numpy()
    genres = ["|".join(np.array(GENRES_100K)[row]) for row in flags]
    released, _ = release_times(dates, years)
    movies = movies[["item_id", "title"]].assign(genres=genres, year=years, released=released)
    source = "MovieLens-100K by GroupLens (u.data, u.item): research use only, no redistribution."
    return RawMovieLens(ratings, movies, "u.data", "u.item", ("u.data", "u.item"), (source, YEAR_CAVEAT))


def read_recbole(folder: DataFolder, report: ValidationReport) -> RawMovieLens:
    """RecBole's atomic files ``ml-100k.inter`` and ``ml-100k.item`` (typed header, release year only)."""
    inter, item = "ml-100k.inter", "ml-100k.item"
    columns = ["user_id:token", "item_id:token", "rating:float", "timestamp:float"]
    ratings = parse_table(folder.read(inter), inter, report, columns, separator="\t", quoted=False)
    columns = ["item_id:token", "movie_title:token_seq", "release_year:token", "class:token_seq"]
    movies = parse_table(folder.read(item), item, report, columns, separator="\t", quoted=False)
    ratings.columns = pd.Index(RATING_COLUMNS)
    movies.columns = pd.Index(["item_id", "title", "year", "genres"])
    movies["year"] = movies["year"].where(movies["year"].str.fullmatch(r"\d{4}"), "")
    movies["genres"] = movies["genres"].str.replace(" ", "|", regex=False)
    movies["released"] = mid_year(movies["year"])
    source = "MovieLens-100K by GroupLens in RecBole's atomic files: research use only, no redistribution."
    return RawMovieLens(ratings, movies, inter, item, (inter, item), (source, YEAR_CAVEAT))


def read_1m(folder: DataFolder, report: ValidationReport) -> RawMovieLens:
    """``ratings.dat`` and ``movies.dat`` (latin-1) separated by ``::``, with two optional companions.

    ``movies_release_dates.csv`` adds exact release dates; ``interpolated_rows.csv`` lists 0-based lines of
    ratings.dat whose second is interpolated, which becomes a caveat.
    """
    ratings = parse_table(
        folder.read("ratings.dat"),
        "ratings.dat",
        report,
        RATING_COLUMNS,
        separator="::",
        names=RATING_COLUMNS,
        quoted=False,
    )
    names = ["item_id", "title", "genres"]
    movies = parse_table(
        folder.read("movies.dat"),
        "movies.dat",
        report,
        names,
        separator="::",
        names=names,
        quoted=False,
        encoding="latin-1",
    )
    movies["year"] = title_years(movies["title"])
    movies["released"] = mid_year(movies["year"])
    files = ["ratings.dat", "movies.dat"]
    sources = [
        "MovieLens-1M by GroupLens (ratings.dat, movies.dat): research use only, no redistribution.",
        YEAR_CAVEAT,
    ]
    extra = "movies_release_dates.csv"
    if folder.has(extra):
        dates = parse_table(folder.read(extra), extra, report, ["movie_id", "released"])
        report.check(extra)
        known = dates[dates["released"] != ""].drop_duplicates("movie_id").set_index("movie_id")["released"]
        exact = pd.to_datetime(movies["item_id"].map(known), errors="coerce", utc=True, format="ISO8601")
        movies["released"], far = release_times(exact, movies["year"], MAX_RELEASE_GAP)
        files.append(extra)
        sources[1] = (
            f"{int(exact.notna().sum()) - far:,} of {len(movies):,} release dates come from {extra}; "
            f"{far} more than {MAX_RELEASE_GAP} years off the title's year were set aside. {YEAR_CAVEAT}"
        )
    extra = "interpolated_rows.csv"
    if folder.has(extra):
        count = len(parse_table(folder.read(extra), extra, report, ["orig_row"]))
        report.check(extra)
        files.append(extra)
        sources.append(
            f"{count:,} of {len(ratings):,} timestamps ({count / len(ratings):.1%}) are interpolated between "
            f"exact neighbours ({extra}): the order is exact, the seconds are not; say so beside results."
        )
    return RawMovieLens(ratings, movies, "ratings.dat", "movies.dat", tuple(files), tuple(sources))


def read_csv(folder: DataFolder, report: ValidationReport) -> RawMovieLens:
    """``ratings.csv``, ``movies.csv`` and optional ``tags.csv`` of latest-small, latest, 20M, 25M and 32M."""
    names = ["userId", "movieId", "rating", "timestamp"]
    ratings = parse_table(folder.read("ratings.csv"), "ratings.csv", report, names)
    ratings.columns = pd.Index(RATING_COLUMNS)
    movies = parse_table(folder.read("movies.csv"), "movies.csv", report, ["movieId", "title", "genres"])
    movies.columns = pd.Index(["item_id", "title", "genres"])
    movies["year"] = title_years(movies["title"])
    movies["released"] = mid_year(movies["year"])
    files = ["ratings.csv", "movies.csv"]
    tags = None
    if folder.has("tags.csv"):
        found = parse_table(folder.read("tags.csv"), "tags.csv", report, ["userId", "tag", "timestamp"])
        tags = found.rename(columns={"userId": "user_id", "tag": "interest"})
        files.append("tags.csv")
    source = "MovieLens by GroupLens (ratings.csv, movies.csv): research use; see the README of the data set."
    return RawMovieLens(ratings, movies, "ratings.csv", "movies.csv", tuple(files), (source, YEAR_CAVEAT), tags)
