"""The pictures of the tables: right numbers, the paper's beside them, readable."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pipelines.datasets.registry import packaged_schema
from pipelines.drawing import OURS, PAPER
from pipelines.reproduce.compact import gains, pack_numbers
from pipelines.reproduce.pictures import Gain, Score, draw_tables, gain_figure, score_figure
from pipelines.reproduce.runs import FIELDS
from pipelines.reproduce.systems import System, systems_of
from tests.picture_checks import check_texts, colour, colours, drawn_texts

TARGETS = 80


def write_run(results: Path, setting: str, system: System, hits: int, seed: int = 0) -> None:
    """A record of a run that finds the first ``hits`` of 80 targets at rank 1; four targets a user."""
    ranks = (np.arange(TARGETS) < hits).astype(int)
    record = {
        **dict.fromkeys(FIELDS),
        "system": system.name,
        "seed": seed,
        "dataset": "simulated",
        "fingerprint": "f",
        "targets": TARGETS,
        "config": {},
        "metrics": {"NDCG@10": float(gains(ranks, "NDCG@10").mean())},
        "intents": {},
        "ranks": pack_numbers(ranks),
        "targets_per_user": pack_numbers(np.full(TARGETS // 4, 4)),
    }
    path = results / "runs" / setting / f"{system.slug}-seed{seed}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record))


def systems(table: str) -> dict[str, System]:
    return {system.name: system for system in systems_of(table, packaged_schema("simulated"))}


def test_every_table_with_its_base_becomes_a_picture(tmp_path: Path) -> None:
    rows = systems("table2")
    for hits, name in enumerate(("V0", "V1", "V2", "V3, 1 week")):
        write_run(tmp_path, "simulated-T", rows[name], 20 + 10 * hits)
    write_run(tmp_path, "simulated-T", systems("table1")["SASRec"], 30)  # table 1 lacks its base, TransAct
    draw_tables(tmp_path)
    found = {path.name for path in (tmp_path / "pictures").iterdir()}
    assert found == {f"simulated-T-{table}.png" for table in ("table2", "table3", "windows")}
    shown = colours(tmp_path / "pictures" / "simulated-T-table2.png")
    assert {colour(OURS), colour(PAPER), colour("white")} < shown
    shown = colours(tmp_path / "pictures" / "simulated-T-windows.png")
    assert colour(OURS) in shown
    assert colour(PAPER) not in shown


def test_a_lone_row_or_no_run_is_no_picture(tmp_path: Path) -> None:
    draw_tables(tmp_path)
    write_run(tmp_path, "simulated-T", systems("table2")["V1"], 9)
    draw_tables(tmp_path)
    assert not (tmp_path / "pictures").exists()


def test_the_gains_are_those_of_the_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = systems("table2")
    for name, hits in {"V0": 39, "V1": 40, "V2": 80}.items():
        write_run(tmp_path, "simulated-T", rows[name], hits)
    seen = {}
    monkeypatch.setattr(
        "pipelines.reproduce.pictures.save", lambda figure, path: seen.update({path.stem: check_texts(figure)})
    )
    draw_tables(tmp_path)
    texts = seen["simulated-T-table2"]
    assert "simulated (T), table 2: item NDCG@10 against V1, in percent" in texts
    assert {"-2.50%", "-0.06%", "+100.00% *", "+4.53%"} <= set(texts)  # V0 and V2, ours and the paper's
    assert "V1" not in texts


def test_whiskers_show_the_seeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = systems("windows")
    for seed, hits in enumerate((20, 40)):
        write_run(tmp_path, "simulated-T", rows["V2"], hits, seed)
    write_run(tmp_path, "simulated-T", rows["V3, 1 day"], 50)
    seen = {}
    monkeypatch.setattr(
        "pipelines.reproduce.pictures.save", lambda figure, path: seen.update({path.stem: check_texts(figure)})
    )
    draw_tables(tmp_path)
    assert {"0.3750 ± 0.1768, 2 seeds", "0.6250"} <= set(seen["simulated-T-windows"])
    assert "simulated (T), short-term window H: item NDCG@10" in seen["simulated-T-windows"]


AWKWARD = {
    "usual": [Gain("SASRec", -20.3, 0.001, -18.0), Gain("V0", 0.02, 0.6, -0.06), Gain("V3, 1 week", 8.28, 0.04, 8.1)],
    "all worse": [Gain("a", -99.5, 0.0001, None), Gain("b", -1.0, 0.9, -0.01)],
    "all the same": [Gain("a", 0.0, 1.0, None), Gain("b", 0.0, 1.0, 0.0)],
    "base at zero": [Gain("a", float("nan"), 1.0, 5.0)],
    "far apart": [Gain("a", 2_345.67, 0.0001, -25.2), Gain("b", -0.01, 0.0001, 0.41)],
    "long names": [Gain(f"V3, only {'très_long_名前_$x' * n}", 3.0 * n, 0.001, 1.0) for n in range(1, 12)],
}


@pytest.mark.parametrize("gains_shown", AWKWARD.values(), ids=AWKWARD)
def test_gains_are_readable(gains_shown: list[Gain]) -> None:
    texts = check_texts(gain_figure(gains_shown, "a title that is far too long for the picture, " * 5, "NDCG@10"))
    assert len([text for text in texts if text.endswith("%") or text.endswith("% *")]) >= len(gains_shown)
    starred = [text for text in texts if text.endswith("% *")]
    assert len(starred) == sum(gain.p_value < 0.05 for gain in gains_shown)


def test_the_paper_is_named_only_where_it_has_numbers() -> None:
    for paper, named in ((None, False), (1.0, True)):
        texts = [text for text, _ in drawn_texts(gain_figure([Gain("a", 3.0, 0.2, paper)], "title", "NDCG@10"))]
        assert any("the paper" in text for text in texts) == named


@pytest.mark.parametrize(
    "scores",
    [
        [Score("V2", 0.123, None, 1), Score("V3, 1 week", 0.13, 0.004, 12)],
        [Score("nothing", 0.0, None, 1), Score("at all", 0.0, 0.0, 3)],
        [Score("wide", 0.1, 0.3, 2), Score("né_" * 60, 0.4, 0.0, 2)],
    ],
)
def test_scores_are_readable(scores: list[Score]) -> None:
    texts = check_texts(score_figure(scores, "title", "HR@100"))
    assert any("HR@100" in text for text in texts)
    assert all(any(text.startswith(f"{score.mean:.4f}") for text in texts) for score in scores)
