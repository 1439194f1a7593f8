"""What a protocol prepares, and how a setting is called."""

from __future__ import annotations

import pytest

from pipelines.datasets.registry import packaged_schema
from pipelines.reproduce.protocols import PROTOCOLS, Setting, schema_of
from pipelines.validate import DataError


def test_p2_is_items_of_five_events_without_the_request_time():
    setting = Setting.of("movielens-1m", "P2")
    config = setting.preparation()
    assert (config.min_interactions, config.request_time) == (5, False)
    assert (config.split.kind, config.split.validation_users) == ("leave_one_out", 1.0)
    assert setting.name == "movielens-1m-P2-no-request-time"


def test_other_protocols_keep_every_item_and_the_schemas_request_time():
    for name in sorted(set(PROTOCOLS) - {"P2"}):
        config = Setting.of("movielens-1m", name).preparation()
        assert (config.min_interactions, config.request_time) == (1, None)
    assert Setting.of("x", "P3").preparation().split.validation_users == 0.1
    assert Setting.of("x", "S3").preparation().split.kind == "leave_one_out"
    assert Setting.of("x", "T").preparation().split.kind == "time"


@pytest.mark.parametrize(
    ("dataset", "protocol"),
    [("movielens-1m", "P3"), ("s3rec-yelp", "S3"), ("s3rec-beauty", "S3"), ("foursquare-nyc", "T")],
)
def test_the_usual_protocol(dataset: str, protocol: str):
    assert Setting.of(dataset).protocol == protocol


def test_names_tell_settings_apart():
    made = [
        Setting.of("movielens-1m"),
        Setting.of("movielens-1m", "P2"),
        Setting.of("movielens-1m", "P2", request_time=True),
        Setting.of("movielens-1m", request_time=False),
    ]
    assert [setting.name for setting in made] == [
        "movielens-1m-P3",
        "movielens-1m-P2-no-request-time",
        "movielens-1m-P2",
        "movielens-1m-P3-no-request-time",
    ]
    assert made[3].preparation().request_time is False


def test_simulation_has_a_size_and_a_seed_and_others_have_none():
    config = Setting.of("simulated").preparation()
    assert (config.size, config.seed) == ("medium", 1)
    assert Setting.of("foursquare-nyc").preparation().size is None


def test_interests_derived_from_ratings_are_another_setting():
    setting = Setting.of("movielens-1m", interests="genres")
    assert setting.name == "movielens-1m-P3-derived-genres"
    rule = setting.preparation().derive_interests
    assert rule is not None
    assert rule.feature == "genres"
    assert Setting.of("movielens-1m").preparation().derive_interests is None
    assert schema_of(setting.name, "movielens-1m").explicit_interests == "genres"
    assert schema_of("movielens-1m-P3", "movielens-1m") == packaged_schema("movielens-1m")


def test_an_unknown_protocol_is_one_sentence():
    with pytest.raises(DataError, match=r"^unknown protocol 'P9'; choose one of T, P2, P3, S3\.$"):
        Setting.of("movielens-1m", "P9")


def test_the_literatures_protocols_leave_seen_items_out():
    for dataset, protocol in (("s3rec-yelp", "S3"), ("movielens-1m", "P2"), ("movielens-1m", "P3")):
        assert Setting.of(dataset, protocol).preparation().exclude_seen is True
    assert Setting.of("foursquare-nyc").preparation().exclude_seen is None
