"""The simulated service: the same seed gives the same log, and its causes can be recovered from history."""

from __future__ import annotations

import random

import numpy as np
import pandas as pd
import pytest

from pipelines.datasets.base import RawData
from pipelines.datasets.contract import check_contract
from pipelines.datasets.registry import packaged_schema
from pipelines.datasets.simulate import SESSION_GAP, simulate
from pipelines.datasets.simulation import catalogue as catalogue_module
from pipelines.datasets.simulation.catalogue import Catalogue
from pipelines.datasets.simulation.config import DAY, START, SimulationConfig
from pipelines.datasets.simulation.person import INTENTS
from pipelines.validate import DataError


@pytest.fixture(scope="module")
def small() -> RawData:
    """500 users x 300 titles."""
    data = simulate(SimulationConfig(users=500, titles=300, days=90, seed=3), packaged_schema("simulated"))
    return check_contract(data)


@pytest.fixture(scope="module")
def log(small: RawData) -> pd.DataFrame:
    """Events beside their causes, by user and time, with what is known before each event."""
    assert small.truth is not None
    frame = pd.concat([small.events, small.truth], axis=1)
    frame = frame.sort_values(["user_id", "timestamp"], kind="stable", ignore_index=True)
    by_user = frame.groupby("user_id")
    frame["last"] = by_user["action_type"].shift(1).fillna("")
    frame["last_but_one"] = by_user["action_type"].shift(2).fillna("")
    frame["opens"] = frame["session_id"] != frame["session_id"].shift(1)
    frame["seen"] = frame.duplicated(["user_id", "item_id"])
    frame["late"] = frame["timestamp"] >= START + 70 * DAY
    return frame


def accuracy(log: pd.DataFrame, known: list[str]) -> float:
    """Accuracy on the last 20 days of predicting the action most frequent before them given ``known``."""
    train, test = log[~log["late"]], log[log["late"]]
    if not known:
        return float((test["action_type"] == train["action_type"].mode()[0]).mean())
    best = train.groupby(known)["action_type"].agg(lambda values: values.mode()[0]).rename("guess").reset_index()
    guess = test[known].merge(best, how="left", on=known)["guess"]
    return float((guess.to_numpy() == test["action_type"].to_numpy()).mean())


def test_next_action_is_predictable(log: pd.DataFrame) -> None:
    majority = accuracy(log, [])
    markov = accuracy(log, ["last"])
    oracle = accuracy(log, ["session_intent", "opens", "last"])
    assert log["action_type"].value_counts(normalize=True).iloc[0] <= 0.5
    assert markov >= majority + 0.2
    assert oracle >= majority + 0.2
    assert oracle >= markov + 0.05  # knowing the intent is worth more than the last action
    assert accuracy(log, ["last", "last_but_one"]) > markov  # and a longer history helps


def test_session_intent_persists(log: pd.DataFrame) -> None:
    sessions = log[log["opens"]]
    before = sessions.groupby("user_id")["session_intent"].shift(1)
    same = (sessions["session_intent"] == before)[before.notna()].mean()
    by_chance = (sessions["session_intent"].value_counts(normalize=True) ** 2).sum()
    assert same > by_chance + 0.15


def test_session_intent_depends_on_the_time_of_day(log: pd.DataFrame) -> None:
    sessions = log[log["opens"]]
    hour = (sessions["timestamp"] % DAY) // 3600
    leaving = sessions["session_intent"] == "browse_and_leave"
    assert leaving[hour.between(6, 9)].mean() > leaving[hour.between(18, 21)].mean() + 0.15


def test_items_are_predictable_well_above_popularity(log: pd.DataFrame) -> None:
    popular = set(log[~log["late"]]["item_id"].value_counts().index[:10])
    hits, chances, total = 0, 0, 0
    for _, events in log.groupby("user_id"):
        recent: list[str] = []
        for item, late in zip(events["item_id"], events["late"], strict=True):
            if late and recent:
                total += 1
                hits += item in recent[-10:]
                chances += item in popular
            if item in recent:
                recent.remove(item)
            recent.append(item)
    assert total > 5_000
    assert hits / total > chances / total + 0.3


def test_new_plays_follow_the_short_term_taste(log: pd.DataFrame, small: RawData) -> None:
    genres = dict(zip(small.items["item_id"], small.items["genres"].str.split("|"), strict=True))
    plays = log[log["action_type"] == "play_new"]
    pairs = zip(plays["short_term_genre"], plays["item_id"], strict=True)
    assert np.mean([taste in genres[item] for taste, item in pairs]) > 0.6
    tastes = log.groupby("user_id")["short_term_genre"].nunique()
    assert tastes.mean() > 1.5  # and that taste drifts


def test_actions_mean_what_they_say(log: pd.DataFrame, small: RawData) -> None:
    kinds = dict(zip(small.items["item_id"], small.items["type"], strict=True))
    played = log[log["action_type"].isin(["play_new", "continue", "rewatch"])].copy()
    played["before"] = played.duplicated(["user_id", "item_id"])
    assert not played.loc[played["action_type"] == "play_new", "before"].any()
    assert played.loc[played["action_type"] != "play_new", "before"].all()
    assert {kinds[item] for item in played.loc[played["action_type"] == "continue", "item_id"]} == {"show"}
    assert 0.5 < log["seen"].mean() < 0.9
    durations = log.groupby("action_type")["duration"].median()
    assert durations[["browse", "search"]].max() < 60 < 600 < durations[["continue", "play_new", "rewatch"]].min()


def test_nothing_is_seen_before_its_release(small: RawData) -> None:
    released = small.events["item_id"].map(small.items.set_index("item_id")["released"])
    age = small.events["timestamp"] - released
    assert (age >= 0).all()
    assert (age < 7 * DAY).mean() > 0.01
    assert (small.items["released"] > START).any()


def test_sessions_do_not_overlap(log: pd.DataFrame) -> None:
    end = log["timestamp"] + log["duration"]
    pause = log["timestamp"] - end.shift(1)
    inside = log["user_id"] == log["user_id"].shift(1)
    assert (pause[inside & log["opens"]] >= SESSION_GAP - 1).all()
    assert (pause[inside & ~log["opens"]] < 60).all()
    assert (log["timestamp"].diff()[inside] > 0).all()


def test_interests_are_followed_and_surface_titles(small: RawData) -> None:
    assert small.interests is not None
    followed = set(zip(small.interests["user_id"], small.interests["interest"], strict=True))
    surfaced = small.events[small.events["source_interest"] != ""]
    assert len(surfaced) > 500
    assert set(zip(surfaced["user_id"], surfaced["source_interest"], strict=True)) <= followed
    genres = surfaced["item_id"].map(small.items.set_index("item_id")["genres"])
    assert all(topic in labels.split("|") for topic, labels in zip(surfaced["source_interest"], genres, strict=True))


def test_truth_is_row_by_row_and_never_in_the_log(small: RawData) -> None:
    assert small.truth is not None
    assert len(small.truth) == len(small.events)
    assert set(small.truth["session_intent"]) == set(INTENTS)
    assert not set(small.truth.columns) & set(small.events.columns)
    owner = small.truth["session_id"].str.split("-").str[0]
    assert (owner == small.events["user_id"]).all()
    assert small.events["timestamp"].is_monotonic_increasing
    assert small.report.counts == {}


def test_same_seed_same_data_other_seed_other_data() -> None:
    schema = packaged_schema("simulated")
    first, again, other = (simulate(SimulationConfig.of_size("tiny", seed), schema) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first.events, again.events)
    pd.testing.assert_frame_equal(first.items, again.items)
    assert first.truth is not None
    assert again.truth is not None
    pd.testing.assert_frame_equal(first.truth, again.truth)
    assert not first.events.head(100).equals(other.events.head(100))


def test_titles_have_readable_names(small: RawData) -> None:
    titles = small.items["title"]
    assert titles.is_unique
    assert titles.str.fullmatch(r"(The )?[A-Z][A-Za-z ]+( \d+)?").all()
    many = simulate(SimulationConfig(users=3, titles=3_000, days=30), packaged_schema("simulated"))
    assert many.items["title"].is_unique


@pytest.mark.parametrize(("field", "value"), [("users", 0), ("titles", 5), ("days", 5_000)])
def test_impossible_sizes(field: str, value: int) -> None:
    with pytest.raises(DataError, match=f"{field} is {value}; choose"):
        SimulationConfig(**{field: value})


def test_unknown_size_word() -> None:
    with pytest.raises(DataError, match="unknown size 'huge'; choose one of tiny, small"):
        SimulationConfig.of_size("huge")


def test_new_titles_of_a_large_catalogue_are_as_new_and_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    """With very many of them they are drawn, not listed."""
    monkeypatch.setattr(catalogue_module, "_MANY", 3)
    catalogue, now = Catalogue(SimulationConfig(titles=3_000)), START + 60 * DAY
    avoid = set(range(0, 3_000, 2))
    found = {catalogue.new("Drama", now, avoid, random.Random(seed)) for seed in range(200)} - {None}
    assert len(found) > 10
    for index in found:
        title = catalogue.titles[index]
        assert index not in avoid
        assert "Drama" in title.genres
        assert now - 14 * DAY <= title.released <= now
