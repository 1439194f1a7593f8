"""From two exported folders to a page; the model is a SavedModel that recommends what the user did last."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from pipelines.abtest.exported_policy import ExportedPolicy
from pipelines.abtest.pictures import daily_figure, effects_figure
from pipelines.abtest.report import described
from pipelines.abtest.service import Question, Service
from pipelines.abtest.visit import Event
from pipelines.abtest.words import percent_change, verdicts
from pipelines.config import RunConfig
from pipelines.datasets.simulation.config import SimulationConfig
from pipelines.main import main
from pipelines.validate import DataError
from tests.picture_checks import check_texts

LENGTH = 5
SERVICE = Service(SimulationConfig(users=60, titles=80, days=40), past=10)  # the catalogue of size 'tiny'


class Echo(tf.Module):
    """Recommends the history, the newest first, then titles by number; the score is the request time."""

    def __init__(self, extra: str | None = None) -> None:
        super().__init__()
        texts = ("item_id", "action_type", "source_interest", *([extra] if extra else []))
        specs = {name: tf.TensorSpec([None, LENGTH], tf.string, name) for name in texts}
        specs["timestamp"] = tf.TensorSpec([None, LENGTH], tf.int64, "timestamp")
        specs["duration"] = tf.TensorSpec([None, LENGTH], tf.float32, "duration")
        specs["request_time"] = tf.TensorSpec([None], tf.int64, "request_time")
        specs["exclude_item_id"] = tf.TensorSpec([None, None], tf.string, "exclude_item_id")
        self.function = tf.function(self.item).get_concrete_function(**specs)

    def item(self, **raw: tf.Tensor) -> dict[str, tf.Tensor]:
        """The signature."""
        usual = tf.tile(tf.constant([[f"t{i}" for i in range(20)]]), [tf.shape(raw["item_id"])[0], 1])
        return {"item_id": tf.concat([raw["item_id"][:, ::-1], usual], axis=1)}


def write_export(folder: Path, service: Service = SERVICE, extra: str | None = None) -> Path:
    """What an export folder holds, as far as an A/B test reads it."""
    model = Echo(extra)
    tf.saved_model.save(model, str(folder), signatures={"item": model.function})
    items = [{"id": title.item_id, "title": title.name} for title in service.catalogue.titles]
    (folder / "catalogue.json").write_text(json.dumps({"items": items}), encoding="utf-8")
    info = {"config": RunConfig().model_dump(mode="json"), "retrieval": None, "fingerprint": "f" * 64, "commit": "c"}
    (folder / "intentrec.json").write_text(json.dumps(info), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A version folder."""
    return write_export(tmp_path_factory.mktemp("export") / "1")


def test_histories_reach_the_model_newest_last(export: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.abtest.exported_policy.BATCH", 2)
    events = [Event(f"t{40 + i}", 100 + i, "browse", "", 1.0) for i in range(7)]
    policy = ExportedPolicy(export, SERVICE, size=6)
    pages = policy([Question(events, 200, ["Drama"]), Question(events[:1], 200, []), Question([], 200, [])])
    assert [page.items for page in pages] == [
        ["t46", "t45", "t44", "t43", "t42", "t0"],
        ["t40", "t0", "t1", "t2", "t3", "t4"],
        ["t0", "t1", "t2", "t3", "t4", "t5"],
    ]
    arrays = policy._arrays([Question(events[:1], 200, ["Drama"])])
    assert arrays["timestamp"].tolist() == [[0, 0, 0, 0, 100]]
    assert arrays["interest"][0].tolist() == [b"Drama", b"", b""]
    assert np.isnan(arrays["duration"][0, 0])
    assert arrays["duration"][0, 4] == 1


def test_models_of_other_services_are_refused(export: Path, tmp_path: Path) -> None:
    other = Service(SimulationConfig(users=1, titles=80, days=40, seed=3), past=0)
    with pytest.raises(DataError, match="was not trained on this simulated service"):
        ExportedPolicy(export, other)
    with pytest.raises(DataError, match="retrieve"):
        ExportedPolicy(export, SERVICE, "retrieve")
    with pytest.raises(DataError, match="no saved_model"):
        ExportedPolicy(tmp_path / "2", SERVICE)
    with pytest.raises(DataError, match="asks for mood"):
        ExportedPolicy(write_export(tmp_path / "3", extra="mood"), SERVICE)


def test_the_command_writes_a_page_that_says_it_is_a_simulation(
    export: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = ["abtest", str(export), str(export), "--size", "tiny", "--users", "40", "--days", "5", "--past", "5"]
    assert main([*words, "--paired", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "This is a simulation" in said
    assert "No metric differs" in said
    page = (out / "README.md").read_text(encoding="utf-8")
    assert page.index("This is a simulation") < page.index("## Metrics")
    record: dict[str, Any] = json.loads((out / "abtest.json").read_text(encoding="utf-8"))
    assert record["simulation"] is True
    assert all(one["difference"] == 0 for one in record["metrics"].values())
    assert {"effects.png", "daily.png"} <= {path.name for path in out.iterdir()}
    assert main([*words, "--no-interleave", "--out", str(out)]) == 0
    again = json.loads((out / "abtest.json").read_text(encoding="utf-8"))
    assert again["interleaving"] is None
    texts = check_texts(effects_figure(again))
    assert "hours watched a user and day" in texts
    check_texts(daily_figure(again))
    (out / "abtest.json").unlink()
    capsys.readouterr()
    assert main([*words, "--out", str(out)]) == 2
    assert "no A/B test wrote" in capsys.readouterr().err


def test_a_folder_without_an_export_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["abtest", str(tmp_path), str(tmp_path), "--users", "2", "--days", "1"]) == 2
    assert "is no exported version" in capsys.readouterr().err


def test_words_say_who_is_ahead() -> None:
    quiet = {"adjusted_p": 0.3, "difference": 0.1, "relative": 0.1}
    ahead = {"adjusted_p": 1e-6, "difference": 0.02, "relative": 0.031}
    shared = {"share": 0.6, "interval": [0.55, 0.65], "p": 0.01}
    lines = verdicts({"metrics": {"watch": quiet, "click": ahead}, "interleaving": shared})
    assert lines[0] == "B is higher in clicks a page: +0.0200, +3.1% (p <.0001 after Holm)."
    assert "60.0% of the users" in lines[1]
    behind = {**ahead, "difference": -0.02, "relative": -0.031}
    assert verdicts({"metrics": {"click": behind}})[0].startswith("B is lower in clicks a page: -0.0200, -3.1%")
    assert verdicts({"metrics": {"watch": quiet}})[0].startswith("No metric differs")
    assert percent_change(-0.0001) == percent_change(0.0001) == "0.0%"


def test_a_page_of_candidates_is_named_by_what_finds_them(tmp_path: Path) -> None:
    folder = write_export(tmp_path / "1")
    info = json.loads((folder / "intentrec.json").read_text(encoding="utf-8"))
    info["retrieval"] = {"implicit": {"interests": "dcm"}}
    (folder / "intentrec.json").write_text(json.dumps(info), encoding="utf-8")
    assert described(folder, "retrieve")["title"] == "DCM"
    assert described(folder, "item")["title"] == RunConfig().title
