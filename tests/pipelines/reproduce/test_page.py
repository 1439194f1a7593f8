"""The page is made of the records alone, and says all they say."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.reproduce.page import rows_of, settings_of, write_page
from pipelines.validate import DataError

Make = Callable[..., dict[str, Any]]
Write = Callable[[Path, dict[str, Any]], Path]
ML = {"dataset": "movielens-1m", "data_caveats": ["read from ml-1m", "GroupLens."]}


@pytest.fixture
def results(tmp_path: Path, make_record: Make, write_record: Write) -> Path:
    """Foursquare with V1 and V2 on two seeds and V0 on one, and MovieLens under two protocols."""
    for seed in (0, 1):
        write_record(tmp_path, make_record("V2", [1] * 30, seed=seed, hits={"action_type": [1] * 30}))
        write_record(tmp_path, make_record("V1", [1, 3] * 15, seed=seed, hits={"action_type": [1, 0] * 15}))
    write_record(tmp_path, make_record("V0", [3] * 30))
    p3 = {"id": "P3", "filter_seen": True, "history": 200}
    write_record(tmp_path, make_record("V0", [1, 2], setting="movielens-1m-P3", protocol=p3, **ML))
    p2 = {"id": "P2", "filter_seen": True, "history": 200}
    name = "movielens-1m-P2-no-request-time"
    write_record(tmp_path, make_record("V0", [1, 2], setting=name, protocol=p2, request_time=False, **ML))
    (tmp_path / "benchmark.json").write_text("{}", encoding="utf-8")
    return tmp_path


def part(page: str, setting: str) -> str:
    return page.split(f"\n## {setting}\n")[1].split("\n## ")[0]


def test_every_record_is_a_line(results: Path):
    page = write_page(results).read_text(encoding="utf-8")
    lines = re.findall(
        r"^\| (V\d) \| (\d) \| `default` \| 3 of 4 \| 12 \| 0\.2500 \| [01]\.\d{4} \| [01]\.\d{4} \| 2026-01-02 \| "
        r"`0123456789ab` \|$",
        page,
        re.M,
    )
    expected = [("V0", "0"), ("V1", "0"), ("V1", "1"), ("V2", "0"), ("V2", "1"), ("V0", "0"), ("V0", "0")]
    assert lines == expected
    assert "- [`benchmark.json`](benchmark.json)" in page


def test_foursquare_comes_first(results: Path):
    names = ["foursquare-nyc-T", "movielens-1m-P2-no-request-time", "movielens-1m-P3"]
    assert settings_of(results) == names
    page = write_page(results).read_text(encoding="utf-8")
    assert re.findall(r"^## (.*)$", page, re.M) == [*names, "Other files"]


def test_candidates_alone_have_claims_of_their_own_and_derived_interests_a_command(
    results: Path, make_record: Make, write_record: Write
):
    name = "movielens-1m-P3-derived-genres"
    for system in ("Topic of the item", "One vector", "DCM"):
        record = make_record("V0", [1, 2], setting=name, **ML)
        record["system"], record["protocol"]["id"] = system, "P3"
        record["metrics"] |= {"HR@100": 0.5, "HR@500": 0.7, "HR@1000": 0.8}
        record["config"]["retrieval"] = {"interests": "dcm"}
        write_record(results, record)
    found = part(write_page(results).read_text(encoding="utf-8"), name)
    assert "The hierarchy helps" not in found
    assert "| DCM finds more than one vector | **undecided** | HR@100 0.5000 against 0.5000 (+0.00%, p 1.000)" in found
    assert "| DCM finds more than MIND | **not run** |" in found
    assert "| DCM | 1 |" in found
    assert "| Topic of the item | 0 |" in found  # a table takes two rows; the list of runs has it
    command = "intentrec reproduce retrieval --dataset movielens-1m --protocol P3 --seeds 0 --derive-interests genres"
    assert f"Again, from nothing: `{command}`" in found


def test_what_a_setting_says(results: Path):
    page = write_page(results).read_text(encoding="utf-8")
    first = part(page, "foursquare-nyc-T")
    assert "Protocol T: global time: train, then validation, then test; nothing of the future is known; " in first
    assert "seen items may be recommended; 30 targets; histories of 200; data fingerprint `ffffffffffff`." in first
    assert "Check-ins of nobody." in first
    assert "| The hierarchy helps the item (V2 over V1) | **confirmed** |" in first
    assert "DCM" not in first
    assert "| Of single intents, the action type helps the item most | **not run** |" in first
    assert "+33.33% (p < .001) [+4.53%]" in first
    assert "**table2**" in first
    assert "**table1**" in first  # though of its rows only V0 was run
    assert "**table3**" not in first
    assert "published under this protocol" not in first
    second = part(page, "movielens-1m-P3")
    published = "| FuXi-alpha | yes | 0.3164 | 0.1813 |\n| HSTU-large (other order of ties) | yes | 0.3294 | 0.1893 |"
    assert published in second  # weakest first
    assert "seen items are left out" in second
    assert "GroupLens." in second
    assert "read from" not in second


def test_the_command_makes_the_setting_again(results: Path, make_record: Make, write_record: Write):
    page = write_page(results).read_text(encoding="utf-8")
    command = r"Again, from nothing: `(.*)` with"
    assert re.findall(command, page) == [
        "intentrec reproduce table1 --dataset foursquare-nyc --protocol T --seeds 0,1",
        "intentrec reproduce table1 --dataset movielens-1m --protocol P2 --seeds 0",
        "intentrec reproduce table1 --dataset movielens-1m --protocol P3 --seeds 0",
    ]
    write_record(results, make_record("V0", [1], setting="foursquare-nyc-T-no-request-time", request_time=False))
    assert "--protocol T --seeds 0 --no-request-time`" in write_page(results).read_text(encoding="utf-8")


def test_byte_for_byte_the_same_from_the_same_records(results: Path, tmp_path_factory: pytest.TempPathFactory):
    before = write_page(results).read_bytes()
    assert write_page(results).read_bytes() == before
    other = tmp_path_factory.mktemp("other")
    for path in sorted(results.rglob("*.json"), reverse=True):  # another order of creation
        copy = other / path.relative_to(results)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    page = write_page(other)
    assert page.read_bytes() == before
    assert str(results) not in page.read_text(encoding="utf-8")


def test_pictures_and_reports_are_shown_where_they_exist(results: Path):
    for name in ("pictures/foursquare-nyc-T-table2.png", "pictures/foursquare-nyc-T-figure6.png"):
        (results / name).parent.mkdir(exist_ok=True)
        (results / name).write_bytes(b"")
    (results / "shift").mkdir()
    (results / "shift" / "foursquare-nyc-T.md").write_text("**Change of interest**: none.\n", encoding="utf-8")
    page = write_page(results).read_text(encoding="utf-8")
    first = part(page, "foursquare-nyc-T")
    assert "![table2 of foursquare-nyc-T](pictures/foursquare-nyc-T-table2.png)" in first
    assert "(pictures/foursquare-nyc-T-figure6.png)" in first
    assert "**Change of interest**: none." in first
    assert page.count("![") == 2
    assert page.count("Change of interest") == 1


def test_no_run_is_one_sentence(tmp_path: Path):
    with pytest.raises(DataError, match=r"runs: holds no run; start with 'intentrec reproduce table1'\.$"):
        write_page(tmp_path)


def test_runs_of_different_data_are_one_sentence(results: Path, make_record: Make, write_record: Write):
    """Within a row, and from row to row: a gain of one over the other would mean nothing."""
    path = write_record(results, make_record("V0", [3] * 30, seed=1, fingerprint="e" * 64))
    with pytest.raises(DataError, match="foursquare-nyc-T: V0: its runs are of different data"):
        rows_of(path.parent)
    path.unlink()
    path = write_record(results, make_record("V3, 1 week", [3] * 30, fingerprint="e" * 64))
    with pytest.raises(DataError, match="the runs of V2 and V3, 1 week are of different data"):
        write_page(results)


def test_a_damaged_record_is_one_sentence(results: Path):
    (results / "runs" / "foursquare-nyc-T" / "v9-seed0.json").write_text("{", encoding="utf-8")
    with pytest.raises(DataError, match=r"v9-seed0\.json: is no record of a run"):
        write_page(results)
