"""Interests from ratings: which, known from when, and said to be derived."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from pipelines.config import RunConfig
from pipelines.declared import declared_topics
from pipelines.derived_interests import InterestRule, derive_interests
from pipelines.input_fn import user_sequences
from pipelines.look.look import measure
from pipelines.look.page import page
from pipelines.main import main
from pipelines.prepare import PrepareConfig, prepare
from pipelines.prepared import PreparedData
from pipelines.run_folder import RunFolder
from pipelines.train import train
from pipelines.two_stage_report import two_stage_record

ITEMS = pd.DataFrame({"item_id": list("abcd"), "genres": ["war", "war|love", "love", ""]})
RULE = InterestRule(feature="genres", share=0.5, least=2, prior=1)


def events(*users: list[tuple[str, str]]) -> pd.DataFrame:
    """A user per list of item and rating; the n-th event is at second 100 n."""
    rows = [
        (f"u{u}", item, 100 * (n + 1), rating) for u, own in enumerate(users) for n, (item, rating) in enumerate(own)
    ]
    return pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp", "rating"])


def test_the_best_labels_of_the_first_part_are_known_after_it() -> None:
    log = events([("a", "5"), ("b", "4"), ("c", "1"), ("c", "5"), ("c", "5"), ("c", "5")])
    found = derive_interests(log, ITEMS, RULE)
    # First part: a 5, b 4, c 1; mean 10/3.  war: (5 + 4 + 10/3) / 3 = 4.1; love: (4 + 1 + 10/3) / 3 = 2.8, below the
    # mean.  That love is rated 5 from now on is not known yet.
    assert found.to_dict("list") == {"user_id": ["u0"], "interest": ["war"], "timestamp": [301]}


def test_shrinking_makes_many_good_ratings_go_before_one() -> None:
    items = pd.DataFrame({"item_id": list("abc"), "genres": ["war", "love", "art"]})
    log = events([("b", "5"), ("a", "5"), ("a", "5"), ("a", "5"), ("c", "1"), ("c", "1"), *[("c", "3")] * 6])
    assert derive_interests(log, items, RULE)["interest"].tolist() == ["war", "love"]
    one = RULE.model_copy(update={"most": 1})
    assert derive_interests(log, items, one)["interest"].tolist() == ["war"]


@pytest.mark.parametrize(
    "own",
    [
        [("a", "5"), ("c", "1")],  # nothing after the first part
        [("a", "3"), ("c", "3"), ("a", "5"), ("c", "5")],  # no label above the mean
        [("a", ""), ("c", "x"), ("a", "5"), ("c", "1")],  # no rating there
        [("d", "5"), ("d", "1"), ("a", "5"), ("a", "5")],  # no label there
    ],
)
def test_nothing_to_tell_is_no_interest(own: list[tuple[str, str]]) -> None:
    other = [("a", "5"), ("c", "1"), ("a", "5"), ("c", "5")]
    assert derive_interests(events(own, other), ITEMS, RULE)["user_id"].tolist() == ["u1"]


def test_what_comes_after_the_first_part_changes_nothing() -> None:
    own = [("a", "5"), ("c", "1"), ("b", "2"), ("c", "5"), ("a", "1")]
    first = derive_interests(events(own), ITEMS, RULE)
    changed = derive_interests(events([*own[:3], ("a", "5"), ("c", "1")]), ITEMS, RULE)
    pd.testing.assert_frame_equal(first, changed)


def quiet(_: str) -> None:
    pass


@pytest.fixture(scope="module")
def rated(make_shop: Callable[..., PrepareConfig], tmp_path_factory: pytest.TempPathFactory) -> PrepareConfig:
    """The shop, whose events have numbers to rate by: 'seconds'."""
    return make_shop(tmp_path_factory.mktemp("shop"), users=30)


@pytest.fixture(scope="module")
def derived(rated: PrepareConfig, tmp_path_factory: pytest.TempPathFactory) -> PreparedData:
    """The shop with interests from its seconds."""
    rule = InterestRule(feature="genres", rating="seconds", least=3)
    config = rated.model_copy(update={"derive_interests": rule})
    return prepare(config, tmp_path_factory.mktemp("data") / "derived", quiet)


def test_no_question_sees_an_interest_that_its_answer_helped_to_make(derived: PreparedData) -> None:
    topics, log = declared_topics(derived), derived.events.reset_index(drop=True)
    rule = derived.manifest["request"]["derive_interests"]
    some = set(derived.interests["user_id"])
    for user, own in log.groupby("user_id", sort=False):
        part = max(rule["least"], -(-len(own) // 5))
        asked = topics[own.index].any(1)
        assert not asked[:part].any()
        assert asked[-1] == (user in some and own["timestamp"].iloc[-1] > own["timestamp"].iloc[part - 1])
    assert some


def test_that_they_are_derived_is_said_everywhere(derived: PreparedData) -> None:
    told = next(line for line in derived.manifest["sources"] if "nobody declared them" in line)
    assert f"{derived.interests['user_id'].nunique()} of 30 users have some" in told
    assert derived.manifest["schema"]["explicit_interests"] == "genres"
    numbers = measure(derived)
    assert numbers["declared"]["derived"]
    assert "Nobody declared these interests" in page(numbers)
    assert told in page(numbers)


def test_only_who_asks_for_them_gets_another_fingerprint(
    rated: PrepareConfig, derived: PreparedData, tmp_path: Path
) -> None:
    lines: list[str] = []
    without = prepare(rated, tmp_path / "out", quiet)
    assert "derive_interests" not in without.manifest["request"]
    assert without.fingerprint != derived.fingerprint
    prepare(derived_config(rated, most=2), tmp_path / "two", quiet)
    again = prepare(derived_config(rated, most=2), tmp_path / "two", lines.append)
    assert "nothing to do" in lines[0]
    assert again.fingerprint not in (without.fingerprint, derived.fingerprint)
    for file in ("events.parquet", "items.parquet"):
        pd.testing.assert_frame_equal(pd.read_parquet(without.folder / file), pd.read_parquet(derived.folder / file))
    for one, other in zip(user_sequences(without), user_sequences(derived), strict=True):
        tf.nest.map_structure(np.testing.assert_array_equal, one, other)


def derived_config(rated: PrepareConfig, **changes: int) -> PrepareConfig:
    rule = InterestRule(feature="genres", rating="seconds", least=3, **changes)
    return rated.model_copy(update={"derive_interests": rule})


def test_conditional_retrieval_learns_and_answers_by_them(
    derived: PreparedData, make_config: Callable[..., RunConfig], tmp_path: Path
) -> None:
    small = {"dim": 8, "hidden_dim": 8, "feature_dim": 4, "count": 2, "history": 8, "horizon": 4}
    for name in ("dcm", "conditional"):
        values = make_config(epochs=1).model_dump() | {"retrieval": {**small, "interests": name}}
        train(derived, RunConfig.model_validate(values), RunFolder(tmp_path / name), quiet)
    record = two_stage_record(tmp_path / "dcm", tmp_path / "conditional", None, [5], "test")
    assert record["candidates"]["5"]["explicit_share"] > 0
    assert any("nobody declared them" in line for line in record["data_caveats"])


@pytest.mark.parametrize(
    ("feature", "words"),
    [
        ("genres", "have no column 'rating' with numbers"),
        ("genre", "--derive-interests genre: schema 'shop' has no such item feature with labels; it has genres, kind"),
        ("price", "no such item feature with labels"),
    ],
)
def test_mistakes_are_one_sentence(
    make_shop: Callable[..., PrepareConfig],
    feature: str,
    words: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shop = make_shop(tmp_path / "in")
    command = ["prepare", "tables", "--events", str(shop.events), "--items", str(shop.items)]
    command += ["--schema", str(shop.schema_file), "--derive-interests", feature, "--out", str(tmp_path / "out")]
    assert main(command) == 2
    error = capsys.readouterr().err
    assert words in error
    assert len(error.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_declared_interests_are_not_mixed_with_derived_ones(
    make_shop: Callable[..., PrepareConfig], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prepare", "simulated", "--size", "tiny", "--derive-interests", "genres", "--out", str(tmp_path)]) == 2
    assert "declared" in capsys.readouterr().err
