"""A run is made once, stated fully, and never mistaken for another one."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from pipelines.config import RunConfig
from pipelines.datasets.registry import load
from pipelines.prepare import prepare
from pipelines.reproduce.compact import gains, unpack_numbers
from pipelines.reproduce.protocols import Setting
from pipelines.reproduce.runs import Places, configuration, read_record, run_once, trained
from pipelines.reproduce.systems import System
from pipelines.split import TEST
from pipelines.validate import DataError

V0 = System("V0", {"variant": "V0"})


def quiet(line: str) -> None:
    pass


@pytest.mark.parametrize(
    ("present", "chosen"),
    [
        (["movielens-1m-p3-v3", "movielens-1m-v3", "movielens-1m-p3", "movielens-1m"], "movielens-1m-p3-v3"),
        (["movielens-1m-v3", "movielens-1m-p3", "movielens-1m"], "movielens-1m-v3"),
        (["movielens-1m-p3", "movielens-1m"], "movielens-1m-p3"),
        (["movielens-1m", "movielens-1m-p2", "movielens-1m-v0", "movielens-1m-p2-v3"], "movielens-1m"),
        (["foursquare-nyc"], "default"),
    ],
)
def test_the_most_specific_configuration_counts(configs: Path, present: list[str], chosen: str):
    for i, name in enumerate(present):
        (configs / f"{name}.yaml").write_text(f"training: {{epochs: {20 + i}}}", encoding="utf-8")
    system = System("V3, lambda 3", {"variant": "V3", "intent_weight": 3.0, "short_term_window": 3600})
    name, config = configuration(Setting.of("movielens-1m"), system, 7)
    assert name == chosen
    assert (config.training.seed, config.model.variant) == (7, "V3")
    assert (config.model.intent_weight, config.model.short_term_window) == (3.0, 3600)
    if chosen != "default":
        assert config.training.epochs == 20


def test_what_a_row_changes_goes_before_the_file(configs: Path):
    values = {"model": {"variant": "V0", "dim": 32, "intent_weight": 0.9}, "training": {"seed": 5}}
    (configs / "movielens-1m.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    config = configuration(Setting.of("movielens-1m"), System("x", {"variant": "V3", "intent_weight": 0.1}), 2)[1]
    assert (config.model.variant, config.model.dim, config.model.intent_weight) == ("V3", 32, 0.1)
    assert config.training.seed == 2


def test_the_record_states_everything(real: Any):
    record = real.record
    asked = {"dataset", "fingerprint", "protocol", "request_time", "model", "config", "seed", "metrics", "intents"}
    assert asked | {"seconds", "command", "commit", "date", "machine", "libraries", "parameters"} <= set(record)
    assert {"HR@10", "NDCG@10"} <= set(record["metrics"])
    assert set(record["intents"]) == {"action_type", "area", "session", "popularity"}
    assert (record["dataset"], record["model"], record["seed"]) == ("foursquare-nyc", "Transformer", 0)
    assert (record["system"], record["setting"], record["part"]) == ("Transformer", "foursquare-nyc-T", "test")
    assert record["protocol"]["id"] == "T"
    assert record["protocol"]["split"]["kind"] == "time"
    assert record["config_file"] == "pipelines/configs/default.yaml"
    assert record["validation"]["epoch"] in (1, 2)
    assert record["epochs"] == 2
    assert record["seconds"] >= record["seconds_training"] > 0
    path = real.places.record(real.setting, real.system, 0)
    assert json.loads(path.read_text(encoding="utf-8")) == record
    assert path.relative_to(real.places.results) == Path("foursquare-nyc-T/transformer-seed0.json")


def test_the_record_names_no_place_of_this_machine(real: Any):
    text = real.places.record(real.setting, real.system, 0).read_text(encoding="utf-8")
    for place in (Path.cwd(), Path.home(), real.places.work, real.places.results, real.setting.raw, "/tmp", "/work"):
        assert str(place) not in text, place


def test_what_is_kept_per_target_gives_the_metrics_again(real: Any):
    record = real.record
    prepared = prepare(real.setting.preparation(), real.places.data(real.setting), quiet)
    events = prepared.events
    asked = events[(events["split"] == TEST) & (events.groupby("user_id").cumcount() > 0)]
    ranks = unpack_numbers(record["ranks"])
    assert len(ranks) == record["targets"] == len(asked) > 20
    for name in ("HR@1", "HR@10", "NDCG@10"):
        assert gains(ranks, name).mean() == pytest.approx(record["metrics"][name], abs=1e-6)
    per_user = unpack_numbers(record["targets_per_user"])
    assert per_user.tolist() == asked.groupby("user_id", sort=False).size().tolist()
    for name, packed in record["intent_hits"].items():
        hits = unpack_numbers(packed)
        assert len(hits) == len(ranks)
        assert hits[hits >= 0].mean() == pytest.approx(record["intents"][name]["accuracy"])


def test_a_second_call_reads_and_does_not_train(real: Any, configs: Path, monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object, **__: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr("pipelines.train.train", fail)
    monkeypatch.setattr("pipelines.evaluate.evaluate", fail)
    assert run_once(real.setting, real.system, 0, real.places, quiet) == real.record


def test_another_configuration_is_refused_until_again(setting: Setting, places: Places, laboratory: Any, configs: Path):
    first = run_once(setting, V0, 0, places, quiet)
    text = (configs / "default.yaml").read_text(encoding="utf-8")
    (configs / "default.yaml").write_text(text.replace("dim: 8", "dim: 16", 1), encoding="utf-8")
    with pytest.raises(
        DataError, match=r"v0-seed0\.json: was made with other .*\(model\.dim\); .*--again.*default\.yaml"
    ):
        run_once(setting, V0, 0, places, quiet)
    assert laboratory.trained == ["v0-seed0"]
    second = run_once(setting, V0, 0, places, quiet, again=True)
    assert laboratory.trained == ["v0-seed0", "v0-seed0"]
    assert (first["config"]["model"]["dim"], second["config"]["model"]["dim"]) == (8, 16)
    assert run_once(setting, V0, 0, places, quiet, again=True) == second
    assert len(laboratory.trained) == 2


def test_other_data_are_refused_until_again(setting: Setting, places: Places, laboratory: Any, tmp_path: Path):
    run_once(setting, V0, 0, places, quiet)
    raw = tmp_path / "raw"
    shutil.copytree(setting.raw or "", raw)
    with (raw / "checkins.csv").open("a", encoding="utf-8") as file:
        file.write("1,1,40000\n")
    newer = dataclasses.replace(setting, raw=str(raw))
    with pytest.raises(DataError, match=r"was made with other data or settings \(data\)"):
        run_once(newer, V0, 0, places, quiet)
    assert run_once(newer, V0, 0, places, quiet, again=True)["fingerprint"] != ""
    assert len(laboratory.trained) == 2


def test_again_goes_on_with_its_own_unfinished_training(setting: Setting, places: Places, laboratory: Any):
    laboratory.interrupt_at = "v0-seed0"
    with pytest.raises(KeyboardInterrupt):
        run_once(setting, V0, 0, places, quiet, again=True)
    backup = places.run(setting, V0, 0).folder / "backup"
    backup.touch()
    laboratory.interrupt_at = None
    run_once(setting, V0, 0, places, quiet, again=True)
    assert backup.exists()


def test_a_key_that_came_later_counts_with_its_default(setting: Setting, places: Places, laboratory: Any):
    run_once(setting, V0, 0, places, quiet)
    path = places.record(setting, V0, 0)
    record = json.loads(path.read_text(encoding="utf-8"))
    default = RunConfig().model_dump(mode="json")
    assert record["config"]["model"]["gated"] == default["model"]["gated"]
    del record["config"]["model"]["gated"]
    path.write_text(json.dumps(record), encoding="utf-8")
    assert run_once(setting, V0, 0, places, quiet) == record
    del record["config"]["training"]  # whose epochs are not the default's
    path.write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(DataError, match=r"training\.epochs"):
        run_once(setting, V0, 0, places, quiet)


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", '{"system": "V0"}', "\x00\xff"])
def test_a_damaged_record_is_one_sentence(tmp_path: Path, text: str):
    path = tmp_path / "v0-seed0.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(DataError, match=r"v0-seed0\.json: is no record of a run; delete it and run again\.$"):
        read_record(path)


def test_weights_that_are_not_at_hand_are_trained(setting: Setting, places: Places, laboratory: Any):
    folder = trained(setting, V0, 3, places, quiet)
    assert folder.folder == places.work / setting.name / "v0-seed3"
    assert laboratory.trained == ["v0-seed3"]
    assert not places.results.exists()


def test_the_check_ins_are_those_of_the_adapter(checkins: Path):
    """The fixture is no empty shell: areas, several events a person."""
    raw = load("foursquare-nyc", raw=checkins)
    assert sorted(raw.items["area"].unique()) == ["40.70,-74.02", "40.72,-74.02"]
    assert np.median(raw.events.groupby("user_id").size()) >= 6
