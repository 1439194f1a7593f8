"""Candidates side by side: what is run, kept, counted and drawn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.container import BarContainer

from pipelines.datasets.registry import packaged_schema
from pipelines.evaluate import evaluate
from pipelines.reproduce import coverage as module
from pipelines.reproduce.compact import pack_numbers, unpack_numbers
from pipelines.reproduce.coverage import combinations_of, coverage_report
from pipelines.reproduce.coverage_picture import coverage_figure
from pipelines.reproduce.page import write_page
from pipelines.reproduce.protocols import Setting
from pipelines.reproduce.runs import Places, trained
from pipelines.validate import DataError
from tests.picture_checks import check_texts


def quiet(line: str) -> None:
    pass


def test_topics_are_combined_where_users_declare_them() -> None:
    names = [one.name for one in combinations_of(packaged_schema("simulated"))]
    assert names == ["One vector", "DCM", "One vector and topics", "DCM and topics"]
    explicit = combinations_of(packaged_schema("simulated"))[-1].explicit
    assert explicit is not None
    assert explicit.name == "Logged source interest"
    assert [one.name for one in combinations_of(packaged_schema("foursquare-nyc"))] == ["One vector", "DCM"]


def test_report(setting: Setting, places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = tmp_path / "results"
    monkeypatch.setattr(module, "COUNTS", (3, 10))
    text = coverage_report(setting, [0], places, results, quiet)
    folder = results / "coverage"
    assert (folder / f"{setting.name}.md").read_text(encoding="utf-8") == text
    assert (results / "pictures" / f"{setting.name}-coverage.png").stat().st_size > 10_000
    record = json.loads((folder / setting.name / "dcm-seed0.json").read_text(encoding="utf-8"))
    assert {"setting", "fingerprint", "command", "commit", "date", "config", "versions"} <= set(record)

    # recall is the hit rate of the ordinary evaluation where the single vector's list is its ranking
    system = combinations_of(packaged_schema("foursquare-nyc"))[0].implicit
    model, prepared, _ = trained(setting, system, 0, places, quiet).load_model()
    expected = evaluate(model, prepared).metrics["intentrec"]["HR@10"]
    single = json.loads((folder / setting.name / "one-vector-seed0.json").read_text(encoding="utf-8"))
    assert single["candidates"]["10"]["recall"]["all"] == pytest.approx(expected, abs=1e-6)
    ranks = unpack_numbers(single["ranks"]["3"])
    assert np.mean(ranks > 0) == pytest.approx(single["candidates"]["3"]["recall"]["all"])
    assert len(ranks) == len(unpack_numbers(single["tail"])) == unpack_numbers(single["targets_per_user"]).sum()

    # what is there is not made again; a damaged record says so
    monkeypatch.setattr(module, "tally_candidates", lambda *_, **__: pytest.fail("made again"))
    assert coverage_report(setting, [0], places, results, quiet) == text
    (folder / setting.name / "dcm-seed0.json").write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match="is no record of candidates; delete it and run again"):
        coverage_report(setting, [0], places, results, quiet)


def _records(seeds: int) -> dict[str, list[dict[str, Any]]]:
    def record(system: str, seed: int) -> dict[str, Any]:
        hits = np.array([1, 0, 2, 0, 4, 0]) if system == "One vector" else np.array([1, 3, 2, 0, 1, 2])
        kinds = ("all", "tail", "new users", "casual users", "core users")
        one = {"recall": dict.fromkeys(kinds, 0.4 + seed / 100), "coverage": 0.5, "category_entropy": 2.0}
        one["diversity"] = None if system == "DCM" else 0.75
        if "topics" in system:
            one["overlap"] = 0.25
        apart = None if "One" in system else 0.625
        short = {**one, "explicit_share": 0.6 if "topics" in system else 0.0}
        long = {**one, "explicit_share": 0.4 if "topics" in system else 0.0}
        return {
            "system": system,
            "seed": seed,
            "candidates": {"100": short, "500": long},
            "targets_in": {**dict.fromkeys(kinds, 3), "new users": 0},
            "interests": {"per_user": 4.25, "effective_number": 3.5, "never_used": 0.0, "distance": apart},
            "ranks": {"100": pack_numbers(hits * (hits < 2) * 60), "500": pack_numbers(hits * 60)},
            "tail": pack_numbers(np.array([0, 1, 0, 1, 0, 1])),
            "targets_per_user": pack_numbers(np.array([2, 2, 2])),
        }

    names = ("One vector", "DCM", "One vector and topics", "DCM and topics")
    return {name: [record(name, seed) for seed in range(seeds)] for name in names}


def test_tables() -> None:
    table = module._table(_records(2))
    assert "| DCM | 2 | 100 | 0.4050 ± 0.0071 | 0.4050 ± 0.0071 |  |" in table  # no new user
    for line in table.splitlines():
        if "and topics | 2 | " in line:
            apart = " / 0.62" if "DCM" in line else ""  # one vector is not apart from anything
            share = "0.6000" if " | 100 | " in line else "0.4000"
            assert line.endswith(f"| {share} ± 0.0000 | 0.2500 ± 0.0000 | 4.2 / 3.5 / 0%{apart} |")
    tests = module._tests(_records(1))
    # of 100: places 60 (3 of 6 targets against 1), and no tail item of one vector to compare with
    row = next(line for line in tests.splitlines() if line.startswith("| DCM |"))
    assert "+100.00% (p " in row
    assert tests.splitlines()[0].count("tail recall of") == 2


def test_lengths_are_those_of_the_records() -> None:
    """A catalogue of fewer items than the longest list has shorter ones."""
    records = _records(1)
    for group in records.values():
        group[0]["candidates"] = {"80": group[0]["candidates"]["100"]}
        group[0]["ranks"] = {"80": group[0]["ranks"]["100"]}
    lines = module._tests(records).splitlines()
    assert lines[0] == "| against one vector | recall of 80 | tail recall of 80 |"
    assert {line.count("|") for line in lines} == {4}


def test_picture() -> None:
    figure = coverage_figure(_records(3), Setting.of("simulated"))
    texts = check_texts(figure)
    assert {"0.410", "0.500", "2.000", "100 candidates", "500 candidates"} <= set(texts)
    assert [axis.get_title() for axis in figure.axes][1] == "recall of the tail"
    bars = [bar for axis in figure.axes for bar in axis.containers]
    assert all(bar.errorbar is not None for bar in bars if isinstance(bar, BarContainer))
    bare = _records(1)
    for group in bare.values():
        group[0]["candidates"]["100"].pop("category_entropy", None)
    one = coverage_figure(bare, Setting.of("simulated"))
    assert len(one.axes) == 3
    assert all(bar.errorbar is None for axis in one.axes for bar in axis.containers)
    assert "whiskers" not in "".join(check_texts(one))


def test_the_page_shows_it(make_record: Any, write_record: Any, tmp_path: Path) -> None:
    write_record(tmp_path, make_record("V0", [1, 2]))
    (tmp_path / "coverage").mkdir()
    (tmp_path / "coverage" / "foursquare-nyc-T.md").write_text("**Coverage** of candidates.\n", encoding="utf-8")
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "foursquare-nyc-T-coverage.png").write_bytes(b"")
    page = write_page(tmp_path).read_text(encoding="utf-8")
    picture = "![coverage of foursquare-nyc-T](pictures/foursquare-nyc-T-coverage.png)"
    assert f"**Coverage** of candidates.\n\n{picture}" in page
