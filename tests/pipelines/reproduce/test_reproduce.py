"""All runs of a table: only the missing ones are made, and it goes on where it stopped."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipelines.reproduce.protocols import Setting
from pipelines.reproduce.reproduce import reproduce_table
from pipelines.reproduce.runs import Places
from pipelines.reproduce.systems import System
from pipelines.validate import DataError

SLUGS = ["v0", "v1", "v2", "v3-1-week", "v3-1-month", "v2-with-auxiliary-heads", "v3-with-auxiliary-heads"]


def quiet(line: str) -> None:
    pass


def test_seed_by_seed_and_only_what_is_missing(setting: Setting, places: Places, laboratory: Any):
    lines: list[str] = []
    reproduce_table("table2", setting, [0], places, say=lines.append)
    assert laboratory.trained == [f"{slug}-seed0" for slug in SLUGS]
    assert "run 5 of 7: V3, 1 month, seed 0, foursquare-nyc-T" in lines
    assert any(line.startswith("run 1 of 7: V0, seed 0, foursquare-nyc-T: HR@10 0.") for line in lines)
    text = reproduce_table("table2", setting, [0, 1], places, say=quiet)
    assert laboratory.trained[len(SLUGS) :] == [f"{slug}-seed1" for slug in SLUGS]
    assert "| V0 | 2 |" in text
    assert "Against V1, in percent" in text
    assert reproduce_table("table2", setting, [0, 1], places, say=quiet) == text
    assert len(laboratory.trained) == 2 * len(SLUGS)


def test_tables_share_their_rows(setting: Setting, places: Places, laboratory: Any):
    reproduce_table("table2", setting, [0], places, say=quiet)
    del laboratory.trained[:]
    reproduce_table("windows", setting, [0], places, say=quiet)
    assert laboratory.trained == ["v3-1-hour-seed0", "v3-1-day-seed0"]


def test_an_interrupted_table_goes_on(setting: Setting, places: Places, laboratory: Any):
    laboratory.interrupt_at = "v2-seed0"
    with pytest.raises(KeyboardInterrupt):
        reproduce_table("table2", setting, [0], places, say=quiet)
    assert laboratory.trained == ["v0-seed0", "v1-seed0"]
    laboratory.interrupt_at = None
    reproduce_table("table2", setting, [0], places, say=quiet)
    assert laboratory.trained == [f"{slug}-seed0" for slug in SLUGS]


def test_several_at_a_time(setting: Setting, places: Places, laboratory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what is missing is handed over, and the table is that of one after another."""
    handed: list[str] = []

    def here(jobs: Any, at_a_time: int, done: Any) -> None:
        assert at_a_time == 3
        for place, (name, job) in reversed(list(enumerate(jobs))):
            handed.append(name)
            done(place, job(quiet))

    monkeypatch.setattr("pipelines.reproduce.reproduce.run_side_by_side", here)
    reproduce_table("table2", setting, [0], places, ["V1"], say=quiet)
    lines: list[str] = []
    text = reproduce_table("table2", setting, [0], places, ["V0", "V1", "V2"], say=lines.append, jobs=3)
    assert handed == ["V2, seed 0", "V0, seed 0"]
    assert lines[1].startswith("V2, seed 0: made, 1 of 2, about ")
    assert reproduce_table("table2", setting, [0], places, ["V0", "V1", "V2"], say=quiet) == text
    assert laboratory.trained == ["v1-seed0", "v2-seed0", "v0-seed0"]


def test_chosen_rows(setting: Setting, places: Places, laboratory: Any):
    text = reproduce_table("table2", setting, [3], places, ["V3, 1 week", "V1"], say=quiet)
    assert laboratory.trained == ["v1-seed3", "v3-1-week-seed3"]
    assert "| V3, 1 week |" in text
    assert "| V2 |" not in text
    with pytest.raises(DataError, match=r"--only V9: is no row of this table; its rows are V0; V1; V2; V3, 1 week; V3"):
        reproduce_table("table2", setting, [0], places, ["V1", "V9"], say=quiet)


def test_an_unknown_table_trains_nothing(setting: Setting, places: Places, laboratory: Any):
    with pytest.raises(DataError, match="unknown table 'table9'"):
        reproduce_table("table9", setting, [0], places, say=quiet)
    assert laboratory.trained == []


def test_a_damaged_record_is_one_sentence(setting: Setting, places: Places, laboratory: Any):
    reproduce_table("table2", setting, [0], places, ["V0"], say=quiet)
    path = next(places.results.glob("*/v0-seed0.json"))
    path.write_text(json.dumps({"system": "V0"}), encoding="utf-8")
    with pytest.raises(DataError, match=r"v0-seed0\.json: is no record of a run; delete it and run again"):
        reproduce_table("table2", setting, [0], places, ["V0"], say=quiet)


def test_candidates_are_judged_by_what_a_hundred_of_them_hold(setting: Setting, places: Places, laboratory: Any):
    lines: list[str] = []
    text = reproduce_table("retrieval", setting, [0], places, ["One vector", "DCM"], say=lines.append)
    assert laboratory.trained == ["one-vector-seed0", "dcm-seed0"]
    assert any(", HR@100 " in line for line in lines)
    assert "| system | seeds | request time | HR@10 | HR@100 | HR@500 | HR@1000 |" in text
    assert "| system | item HR@100 |" in text
    assert "Against One vector, in percent" in text
    record = json.loads(places.record(setting, System("DCM", {"interests": "dcm"}), 0).read_text(encoding="utf-8"))
    assert (record["model"], record["config_file"]) == ("retrieval, dcm", "pipelines/configs/retrieval.yaml")
    assert record["config"]["retrieval"]["count"] == 3
    del laboratory.trained[:]
    reproduce_table("interests", setting, [0], places, ["DCM"], say=quiet)
    assert laboratory.trained == []


def test_no_topics_without_declared_interests(setting: Setting, places: Places, laboratory: Any):
    with pytest.raises(DataError, match=r"no explicit_interests, so there are no topics; .*--derive-interests"):
        reproduce_table("topics", setting, [0], places, say=quiet)
