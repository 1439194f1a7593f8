"""The report on the cold start, from runs made of nothing."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pipelines.reproduce.cold
from pipelines.cold_start import AMONG_KNOWN, CONTENT, KNOWN, MODEL, NEW, ColdStart, Slice
from pipelines.reproduce.cold import ID_DROPOUT, WITH, WITHOUT, cold_report
from pipelines.reproduce.protocols import Setting
from pipelines.reproduce.runs import Places
from pipelines.validate import DataError


def quiet(line: str) -> None:
    pass


def made(known: list[int], new: list[int], among: list[int]) -> ColdStart:
    """Ranks of two known and of two new targets."""
    slices = {
        KNOWN: Slice(np.arange(2), {MODEL: np.array(known)}),
        AMONG_KNOWN: Slice(np.arange(2), {MODEL: np.array([1, 1])}),
        NEW: Slice(np.arange(2, 4), {MODEL: np.array(new)}),
    }
    alone = Slice(np.arange(2, 4), {MODEL: np.array(among), CONTENT: np.array([11, 1])}, np.array([20, 20]))
    return ColdStart(20, slices, {NEW: alone} if among else {})


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was looked at: no training, ranks by row and seed."""
    asked: list[Any] = []

    def look(run: Any, seed: int, places: Places, say: Callable[[str], None]) -> ColdStart:
        asked.append((run.setting.name, run.system.changes.get("id_dropout", 0), seed))
        if not run.setting.all_items:
            return made([1, 3], [99, 99], [])
        return made([1, 1], [3, 99], [1, 1 + seed * 10])

    monkeypatch.setattr(pipelines.reproduce.cold, "_looked_at", look)
    return asked


def test_the_report(looks: list[Any], setting: Setting, places: Places, tmp_path: Path) -> None:
    text = cold_report(setting, [0, 1], places, tmp_path, [WITHOUT, WITH], quiet)
    name = setting.name
    assert looks == [(name, 0, 0), (name, 0, 1), *((f"{name}-all-items", ID_DROPOUT, seed) for seed in (0, 1))]
    record = json.loads((tmp_path / "cold-start" / f"{name}.json").read_text(encoding="utf-8"))
    assert (tmp_path / "cold-start" / f"{name}.md").read_text(encoding="utf-8") == text
    mean = record["rows"][WITH]["mean"]
    assert mean["whole_catalogue"][KNOWN][MODEL]["NDCG@10"] == 1
    assert mean["whole_catalogue"][NEW][MODEL]["HR@10"] == 0.5
    assert mean["among_new_items"][NEW][MODEL]["HR@10"] == 0.75  # seed 1 misses one of two
    assert mean["among_new_items"][NEW]["random"]["HR@10"] == 0.5
    # NDCG@10 of rank 3 is a half: (1 + 1) / 2 against (1 + .5) / 2; HR@10 .75 against .5 of the content's popularity
    tests = record["tests"]
    assert tests[f"{WITH}: {KNOWN}, NDCG@10, against {WITHOUT}"]["difference"] == 0.25
    assert tests[f"{WITH}: {AMONG_KNOWN}, NDCG@10, against {WITHOUT}"]["difference"] == 0
    assert tests[f"{WITH}: {NEW} among new items, HR@10, against {CONTENT}"]["difference"] == 0.25
    assert "among the 20 new items" in text
    assert "| V3, all items, id dropout | 0.7500 |" in text


def test_an_unknown_row(looks: list[Any], setting: Setting, places: Places, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--only some items: is no row of this report; its rows are known items alone;"):
        cold_report(setting, [0], places, tmp_path, ["some items"], quiet)
    assert looks == []


def test_nothing_new(setting: Setting, places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    look = made([1, 1], [1, 1], [])
    del look.slices[NEW]
    monkeypatch.setattr(pipelines.reproduce.cold, "_looked_at", lambda *_: look)
    with pytest.raises(DataError, match="the test part has no event of a new item"):
        cold_report(setting, [0], places, tmp_path, None, quiet)


def test_all_items_are_another_setting(setting: Setting) -> None:
    every = dataclasses.replace(setting, all_items=True)
    assert every.name == f"{setting.name}-all-items"
    assert every.preparation().min_item_count == 0
    assert setting.preparation().min_item_count is None
