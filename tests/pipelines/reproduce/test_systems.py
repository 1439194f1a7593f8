"""Which rows a table has."""

from __future__ import annotations

from typing import Any

import pytest

from intentrec_tf.models import ModelConfig
from intentrec_tf.retrieval import RetrievalConfig
from intentrec_tf.schema import Schema
from pipelines.datasets.registry import packaged_schema
from pipelines.reproduce.cli import HELP
from pipelines.reproduce.systems import (
    AUXILIARY,
    BASELINES,
    DAY,
    HOUR,
    MONTH,
    OPEN_TRANSACT,
    TABLES,
    V2_AUXILIARY,
    WEEK,
    own_v3,
    short_term,
    systems_of,
)
from pipelines.validate import DataError

CONFIGS: dict[str, Any] = {"model": ModelConfig, "retrieval": RetrievalConfig}
REPEAT = {"name": "again", "derive": "repeat", "resume_gap": "1d"}


def names(table: str, schema: Schema) -> list[str]:
    return [system.name for system in systems_of(table, schema)]


@pytest.fixture
def one() -> Schema:
    """A single intent."""
    return Schema.parse({"name": "one", "intents": [REPEAT]})


def test_rows_with_several_intents():
    schema = packaged_schema("simulated")
    assert names("table1", schema) == [*BASELINES, OPEN_TRANSACT, "V0", "V3, 1 week", AUXILIARY]
    assert names("table2", schema) == ["V0", "V1", "V2", "V3, 1 week", "V3, 1 month", V2_AUXILIARY, AUXILIARY]
    single = [f"V3, only {intent}" for intent in schema.intent_names]
    assert names("table3", schema) == ["V0", *single, "V3, 1 week"]
    assert names("windows", schema) == ["V2", "V3, 1 hour", "V3, 1 day", "V3, 1 week", "V3, 1 month"]
    weights = [f"V3, lambda {weight}" for weight in (0.03, 0.1, 0.3, 1, 3)]
    assert names("weights", schema) == weights
    assert len(names("times", schema)) == 4


def test_one_intent_alone_is_the_whole_model(one: Schema):
    assert names("table3", one) == ["V0", "V3, 1 week"]


@pytest.mark.parametrize("table", TABLES)
def test_every_row_is_a_configuration_and_named_once(table: str, one: Schema):
    for schema in (packaged_schema("foursquare-nyc"), one):
        systems = systems_of(table, schema)
        for system in systems:
            config = CONFIGS[system.part](**system.changes)
            assert system.variant == ("retrieval" if system.part == "retrieval" else config.variant)
        for key in ("name", "slug"):
            found = [getattr(system, key) for system in systems]
            assert len(set(found)) == len(found)
        assert len({str(CONFIGS[system.part](**system.changes)) for system in systems}) == len(systems)


def test_one_row_differs_by_one_thing():
    schema = packaged_schema("simulated")
    own = own_v3(schema)
    assert own.changes == {"variant": "V3", "short_term_window": WEEK}
    single = next(system for system in systems_of("table3", schema) if system.name == "V3, only genre")
    assert single.changes == {**own.changes, "intents": ["genre"]}
    heavy = next(system for system in systems_of("weights", schema) if system.name == "V3, lambda 3")
    assert heavy.changes == {**own.changes, "intent_weight": 3.0}


def test_candidates():
    schema = packaged_schema("simulated")
    systems = systems_of("retrieval", schema)
    assert [system.changes["interests"] for system in systems[:5]] == ["single", "mind", "comirec", "tokens", "dcm"]
    ours = {"members": True, "member_attention": True, "contrast": "mixture"}
    assert systems[5].changes == {"interests": "dcm", "whole_user": True, **ours}
    without = {"members": False, "member_attention": False, "contrast": "all"}
    assert [system.changes for system in systems[6:]] == [
        {"interests": "dcm", **ours, "contrast": "all"},
        {"interests": "single", **without, "members": True},
        {"interests": "dcm", **without, "members": True},
        {"interests": "single", **without},
        {"interests": "dcm", **without},
        {"interests": "single", **without, "blocks": 0},
        {"interests": "dcm", **without, "blocks": 0},
    ]
    assert [system.name for system in systems[6:8]] == ["Without mixture: DCM", "Without member attention: One vector"]
    assert "DCM, inner products instead of cosines" in names("interests", schema)
    assert {system.changes["interests"] for system in systems_of("interests", schema)} == {"dcm"}


def test_topics_are_compared_over_the_same_questions():
    """Both ask for the logged source; only training differs.  Where nothing is logged there is nothing to compare."""
    item, logged = systems_of("topics", packaged_schema("simulated"))
    assert item.changes == {**logged.changes, "bootstrap": True}
    assert logged.changes["source_column"] == "source_interest"
    (alone,) = systems_of("topics", packaged_schema("movielens-latest-small"))
    assert alone.changes["source_column"] is None
    assert systems_of("topics", packaged_schema("foursquare-nyc")) == []


def test_windows_of_a_data_set_of_its_own(one: Schema):
    schema = one.model_copy(update={"short_term_window": 2 * WEEK})
    assert own_v3(schema).name == "V3, 2w"
    assert names("table2", schema)[3:] == ["V3, 1 week", "V3, 2w", "V3, 1 month", V2_AUXILIARY, AUXILIARY]
    without = one.model_copy(update={"short_term_window": None})
    assert own_v3(without) == short_term(WEEK)
    spans = [system.changes["short_term_window"] for system in systems_of("windows", without)[1:]]
    assert spans == [HOUR, DAY, WEEK, MONTH]


def test_slugs_are_file_names():
    assert short_term(WEEK).slug == "v3-1-week"
    assert systems_of("weights", packaged_schema("simulated"))[0].slug == "v3-lambda-0.03"


def test_unusable_requests_are_one_sentence(one: Schema):
    with pytest.raises(DataError, match=r"^unknown table 'table9'; choose one of table1, table2, .*topics\.$"):
        systems_of("table9", one)
    with pytest.raises(DataError, match=r"^schema 'none' declares no intents, so there is nothing to reproduce\.$"):
        systems_of("table1", Schema.parse({"name": "none"}))


def test_every_table_is_a_command():
    assert set(HELP) == set(TABLES)
