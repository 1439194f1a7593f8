"""Configurations of runs."""

from __future__ import annotations

from pipelines.config import RunConfig, changed_settings


def test_changed_settings_take_a_key_that_came_later_for_its_default():
    now = RunConfig().model_dump(mode="json")
    older = {"model": {k: v for k, v in now["model"].items() if k != "auxiliary"}, "training": now["training"]}
    assert changed_settings(older, now) == {}
    wanted = RunConfig.model_validate({"model": {"auxiliary": True}, "training": {"epochs": 7}}).model_dump(mode="json")
    assert changed_settings(older, wanted) == {
        "model.auxiliary": (False, True),
        "training.epochs": (now["training"]["epochs"], 7),
    }
