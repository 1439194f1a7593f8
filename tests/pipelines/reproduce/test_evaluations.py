"""Single evaluations on the page say what their records say."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from pipelines.reproduce.evaluations import SECTIONS, evaluation_parts, is_evaluation
from pipelines.validate import DataError


def copied(repository: Path, kind: str, out: Path) -> list[dict]:
    """The repository's own records of a kind, copied into an empty folder."""
    paths = sorted((repository / "results").glob(f"{kind}-*.json"))
    assert paths
    for path in paths:
        shutil.copy(path, out)
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths]


def numbers(line: str) -> list[str]:
    return re.findall(r"-?\d+\.\d{3,4}", line)


def test_no_record_no_section(tmp_path: Path):
    assert evaluation_parts(tmp_path) == []
    (tmp_path / "benchmark-serve.json").write_text("{}", encoding="utf-8")
    assert evaluation_parts(tmp_path) == []
    assert not is_evaluation("benchmark-serve.json")


@pytest.mark.parametrize(("kind", "title"), SECTIONS)
def test_a_section_and_its_sources(kind: str, title: str, tmp_path: Path, repository: Path):
    records = copied(repository, kind, tmp_path)
    text = "\n".join(evaluation_parts(tmp_path))
    assert re.findall(r"^## (.*)$", text, re.M) == [title]
    for path in tmp_path.glob("*.json"):
        assert f"- [`{path.name}`]({path.name})" in text
        assert is_evaluation(path.name)
    assert all(f"`{record['command']}`" in text for record in records)


def test_calibration_is_of_the_test_part(tmp_path: Path, repository: Path):
    records = copied(repository, "calibration", tmp_path)
    lines = "\n".join(evaluation_parts(tmp_path)).splitlines()
    fell = 0
    for record in records:
        for head, one in record["heads"].items():
            test = one["test"]
            [line] = [line for line in lines if line.startswith(f"| {record['dataset']} | {head} |")]
            expected = [test["before"]["ece"], test["after"]["ece"]]
            assert [float(number) for number in numbers(line)][1:3] == pytest.approx(expected, abs=5.1e-5)
            fell += test["after"]["ece"] < test["before"]["ece"]
    assert f"It fell in {fell} of {sum(len(record['heads']) for record in records)} heads." in "\n".join(lines)


def test_two_stages_against_the_whole(tmp_path: Path, repository: Path):
    [record] = copied(repository, "two-stage", tmp_path)
    text = "\n".join(evaluation_parts(tmp_path))
    found = re.findall(r"^\| (\d+) \| .* \| (\d\.\d{4}) \| (\d+\.\d)% \|$", text, re.M)
    assert [count for count, _, _ in found] == list(record["candidates"])
    for count, ndcg, share in found:
        true = record["candidates"][count]["ndcg@10"]
        assert float(ndcg) == pytest.approx(true, abs=5.1e-5)
        assert float(share) == pytest.approx(100 * true / record["full_ndcg@10"], abs=0.051)


def test_a_slice_in_which_nobody_came_back(tmp_path: Path, repository: Path):
    for record, path in zip(copied(repository, "embed", tmp_path), sorted(tmp_path.glob("*.json")), strict=True):
        record["users"]["cold who came back"] = 0
        path.write_text(json.dumps(record), encoding="utf-8")
        assert f"{record['dataset']}, cold start" in (text := "\n".join(evaluation_parts(tmp_path)))
        assert "nobody came back" in text


def test_tests_say_that_they_are_simulated(tmp_path: Path, repository: Path):
    records = copied(repository, "abtest", tmp_path)
    text = "\n".join(evaluation_parts(tmp_path))
    assert text.count("This is a simulation") == 1
    for record in records:
        watch = record["metrics"]["watch"]
        assert f"| {watch['a']:.4f} | {watch['b']:.4f} | {watch['relative']:+.1%} |" in text


@pytest.mark.parametrize("content", ["{", "{}", "[]", '{"heads": 3, "dataset": "x", "command": "c"}'])
@pytest.mark.parametrize("kind", [kind for kind, _ in SECTIONS])
def test_a_damaged_record_is_told(kind: str, content: str, tmp_path: Path):
    (tmp_path / f"{kind}-x.json").write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=rf"{kind}-x\.json.*make it again"):
        evaluation_parts(tmp_path)
