"""Drift of the shop: none in more of the same, much in a changed log, and the command as people meet it."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipelines.drift.cli import DRIFTED
from pipelines.drift.drift import NUMBERS, PAGE, PICTURES, check_out, measure, write
from pipelines.drift.log_measures import label_counts, per_day
from pipelines.drift.measures import DRIFT, LEFT_OUT, MOVED, OTHER, STEADY, TOO_FEW, judged, largest_change, mix, rise
from pipelines.drift.measures import numbers as number_measure
from pipelines.drift.new_log import NewLog
from pipelines.drift.pictures import figures
from pipelines.drift.score_measures import ScoreMeasures, _columns, sampled
from pipelines.input_fn import all_events
from pipelines.main import main
from pipelines.prepare import PrepareConfig
from pipelines.prepared import PreparedData
from pipelines.run_folder import RunFolder
from pipelines.validate import DataError
from tests.picture_checks import check_texts

LIMITS = {"rise": 0.05, "psi": 0.25, "ks": 0.2}


def by_name(numbers: dict) -> dict[str, dict]:
    return {one["name"]: one for one in numbers["measures"]}


def test_more_of_the_same_is_no_drift(
    prepared: PreparedData, write_log: Callable[..., Path], same_kind: list[str], tmp_path: Path
) -> None:
    log = NewLog.read(prepared, write_log(tmp_path / "log.csv", same_kind))
    numbers = measure(prepared, log, "log.csv")
    assert not numbers["drift"], [one["name"] for one in numbers["measures"] if one["verdict"] == DRIFT]
    assert numbers["new"]["users_known"] == 0
    assert numbers["new"]["events"] == len(same_kind) == int(log.new.sum())
    assert set(by_name(numbers)) >= {
        *("unknown items", "unknown labels: action", "unknown labels: item genres", "item popularity"),
        *("action", "genre", "repeat", "phase"),
        *("places", "item kind", "seconds", "item price"),
        *("time since previous event", "history length", "events per day"),
    }


def test_a_changed_log_drifts(
    prepared: PreparedData, write_log: Callable[..., Path], other_kind: list[str], tmp_path: Path
) -> None:
    numbers = measure(prepared, NewLog.read(prepared, write_log(tmp_path / "log.csv", other_kind)), "log.csv")
    found = by_name(numbers)
    assert numbers["drift"]
    drifted = {name for name, one in found.items() if one["verdict"] == DRIFT}
    assert drifted >= {"unknown items", "unknown labels: action", "unknown labels: places", "action", "seconds"}
    assert found["unknown items"]["value"] == 0.5
    assert numbers["new"]["events_without_catalogue_entry"] == 150
    assert numbers["new"]["users_known"] == 20
    label, _, after = largest_change(found["phase"]) or ("", 0, 0)
    assert (label, after) in (("start", 1.0), ("continue", 0.0))
    ignored = measure(prepared, NewLog.read(prepared, tmp_path / "log.csv"), "x", ignore=drifted)
    assert not ignored["drift"]
    assert {by_name(ignored)[name]["verdict"] for name in drifted} == {LEFT_OUT}


def test_known_events_are_left_out_and_the_past_is_remembered(
    prepared: PreparedData, shop: PrepareConfig, write_log: Callable[..., Path], tmp_path: Path
) -> None:
    """A user's first new event of an old item is a return, for the run's data hold the past."""
    assert shop.events
    old = Path(shop.events).read_text(encoding="utf-8").splitlines()[1:]
    own = prepared.events
    last = own[own["user_id"] == "u1"].iloc[-1]
    again = f"u1,{last['item_id']},{last['timestamp'] + 200_000},play,3,home"
    log = NewLog.read(prepared, write_log(tmp_path / "log.csv", [*old, again]))
    assert (log.repeated, int(log.new.sum())) == (len(old), 1)
    numbers = measure(prepared, log, "log.csv", min_sample=1)
    repeat = by_name(numbers)["repeat"]["detail"]
    assert dict(zip(repeat["labels"], repeat["new"], strict=True))["return"] == 1.0
    gap = by_name(numbers)["time since previous event"]["detail"]
    assert set(gap["new"]) == {200_000}
    with pytest.raises(DataError, match=r"holds 1 new event \([\d,]+ more are in the run's data already\), too few"):
        measure(prepared, log, "log.csv")


def test_a_newer_catalogue(prepared: PreparedData, write_log: Callable[..., Path], tmp_path: Path) -> None:
    lines = [f"n,{'fresh' if n % 2 else 'i1'},{1_720_000_000 + n},play,1,home" for n in range(200)]
    items = tmp_path / "items.csv"
    items.write_text("what,genres,kind,price\nfresh,green,film,7\n", encoding="utf-8")
    log = NewLog.read(prepared, write_log(tmp_path / "log.csv", lines), items)
    found = measure(prepared, log, "log.csv")
    assert found["new"]["events_without_catalogue_entry"] == 0
    assert by_name(found)["unknown labels: item genres"]["verdict"] == DRIFT
    with pytest.raises(DataError, match=r"absent\.csv: cannot be read"):
        NewLog.read(prepared, tmp_path / "log.csv", tmp_path / "absent.csv")
    with pytest.raises(DataError, match="is no table; name a file with the run's columns"):
        NewLog.read(prepared, tmp_path)


def test_label_counts_and_days() -> None:
    values = pd.Series(["a|b", "a", "", None, "c|a"])
    assert label_counts(values, "multi_label", ("a", "b")).tolist() == [3, 1, 1, 2]
    assert label_counts(values, "categorical", ("a", "b")).tolist() == [1, 0, 2, 2]
    assert label_counts(values.head(0), "multi_label", ("a",)).tolist() == [0, 0, 0]
    day = 86_400
    assert per_day(np.array([5, 6, day + 5, 3 * day + 5])).tolist() == [2, 1, 0]
    assert per_day(np.array([5])).tolist() == per_day(np.array([], int)).tolist() == []


def test_verdicts() -> None:
    def verdict(value: float, chance: float, new: int = 1_000, **more: float) -> str:
        one = {"statistic": "psi", "value": value, "by_chance": chance, "samples": {"training": 10**6, "new": new}}
        return judged({**one, **more}, LIMITS, 100, False)["verdict"]

    assert verdict(0.3, 0.01) == DRIFT
    assert verdict(0.3, 0.4) == STEADY
    assert verdict(0.2, 0.01) == MOVED
    assert verdict(0.05, 0.01) == STEADY
    assert verdict(0.3, 0.01, new=99) == TOO_FEW
    assert verdict(0.3, 0.01, new=9, min_sample=7) == DRIFT
    assert judged(rise("x", (1, 100), (0, 0)), LIMITS, 100, False)["verdict"] == TOO_FEW
    assert (
        judged(number_measure("x", "number", np.ones(500), np.full(500, np.nan)), LIMITS, 100, False)["value"] is None
    )


def test_many_labels_are_folded() -> None:
    labels = [f"l{n}" for n in range(50)]
    found = mix("x", "feature", labels, np.arange(50)[::-1], np.arange(50))
    assert len(found["detail"]["labels"]) == 20
    assert found["detail"]["labels"][-1] == OTHER
    assert sum(found["detail"]["new"]) == pytest.approx(1)


def test_the_model_is_asked(
    trained: RunFolder, write_log: Callable[..., Path], same_kind: list[str], other_kind: list[str], tmp_path: Path
) -> None:
    model, prepared, _ = trained.load_next_item_model()
    log = NewLog.read(prepared, write_log(tmp_path / "log.csv", same_kind))
    found = ScoreMeasures.of(model, prepared, log, questions=50)
    named = {one["name"]: one for one in found.measures}
    assert set(named) == {
        "top-1 probability",
        "entropy of items",
        *(f"entropy of {i}" for i in model.output["intents"]),
    }
    assert named["top-1 probability"]["samples"]["new"] == 50
    assert 0 < min(named["top-1 probability"]["detail"]["new"]) <= max(named["top-1 probability"]["detail"]["new"]) <= 1
    assert max(named["entropy of items"]["detail"]["new"]) <= np.log(model.spec.items.size)
    # the model has learnt that the next item is the current one plus 1, which holds in the first log alone
    other = NewLog.read(prepared, write_log(tmp_path / "other.csv", other_kind))
    assert found.hit_rate["new"] > (ScoreMeasures.of(model, prepared, other, 50).hit_rate["new"] or 0)
    alone = NewLog.read(
        prepared, write_log(tmp_path / "alone.csv", [f"s{n},i1,{1_720_000_000 + n},play,1," for n in range(2)])
    )
    nobody = ScoreMeasures.of(model, prepared, alone, 50)  # first events of strangers are no questions
    assert nobody.hit_rate["new"] is None
    assert {one["value"] for one in nobody.measures} == {None}


def test_the_sample_is_seeded(prepared: PreparedData) -> None:
    events, everything = prepared.events, np.ones(len(prepared.events), bool)
    chosen = sampled(events, everything, 50, 1)
    assert len(set(chosen)) == 50
    np.testing.assert_array_equal(chosen, sampled(events, everything, 50, 1))
    assert set(chosen) != set(sampled(events, everything, 50, 2))
    without_past = np.flatnonzero(~events["user_id"].duplicated())
    assert not set(without_past) & set(sampled(events, everything, len(events), 1))


def test_scores_of_known_events_are_those_of_the_records(
    trained: RunFolder, write_log: Callable[..., Path], shop: PrepareConfig, tmp_path: Path
) -> None:
    """Inputs encoded here are those that training reads from its records."""
    prepared = trained.read()[0]
    records, here = all_events(prepared), _columns(prepared.spec, prepared.events)
    for name in ("item_id", "timestamp", "action", "seconds", "places"):
        np.testing.assert_array_equal(here[name], records[name])
        assert here[name].dtype == records[name].dtype


def test_page_and_pictures(
    prepared: PreparedData, write_log: Callable[..., Path], other_kind: list[str], tmp_path: Path
) -> None:
    numbers = measure(prepared, NewLog.read(prepared, write_log(tmp_path / "odd|name.csv", other_kind)), "odd|name.csv")
    for figure in figures(numbers).values():
        check_texts(figure)
    out = tmp_path / "report"
    write(numbers, out)
    assert {path.name for path in out.iterdir()} == {PAGE, NUMBERS, *(f"{name}.png" for name in PICTURES)}
    assert json.loads((out / NUMBERS).read_text(encoding="utf-8")) == numbers
    page = (out / PAGE).read_text(encoding="utf-8")
    assert not re.search(r"\b(nan|inf|None|NaN)\b", page)
    assert str(tmp_path) not in page
    for table in re.findall(r"(?:^\|.*\n)+", page, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1, table
    check_out(out)  # a second report may take its place
    for name, text in (("manifest.json", "holds manifest.json"), ("run.json", "holds run.json")):
        shutil.rmtree(out)
        out.mkdir()
        (out / name).touch()
        with pytest.raises(DataError, match=text):
            check_out(out)


def test_the_command(
    trained: RunFolder,
    write_log: Callable[..., Path],
    same_kind: list[str],
    other_kind: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run, out = str(trained.folder), tmp_path / "report"
    same, other = write_log(tmp_path / "same.csv", same_kind), write_log(tmp_path / "other.csv", other_kind)
    assert main(["drift", run, "--new", str(other), "--questions", "20", "--out", str(out), "--json"]) == DRIFTED
    numbers = json.loads(capsys.readouterr().out)
    assert numbers["drift"]
    assert numbers["hit_rate"]
    assert "entropy of items" in by_name(numbers)
    assert (out / PAGE).is_file()
    assert main(["drift", run, "--new", str(same), "--questions", "0"]) == 0
    said = capsys.readouterr().out
    assert "No drift: none of" in said
    assert "unknown items" in said


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--new", "absent.csv"], "absent.csv: cannot be read (No such file or directory); name an existing file."),
        (["--new", "{empty}"], "is empty; name a file that holds rows."),
        (["--new", "{header}"], "holds no data row"),
        (["--new", "{one}"], "holds 1 new event, too few to compare; name a log with at least 100"),
        (
            ["--new", "{one}", "--min-sample", "1", "--questions", "0", "--ignore", "moon"],
            "--ignore moon: is no measure",
        ),
        (["--new", "{one}", "--out", "{run}"], "holds run.json; name another folder with --out."),
    ],
)
def test_mistakes_are_one_sentence(
    words: list[str],
    expected: str,
    trained: RunFolder,
    write_log: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "empty.csv").touch()
    files = {"empty": str(tmp_path / "empty.csv"), "run": str(trained.folder)}
    files["header"] = str(write_log(tmp_path / "header.csv", []))
    files["one"] = str(write_log(tmp_path / "one.csv", ["u1,i1,1720000000,play,1,home"]))
    assert main(["drift", str(trained.folder), *(word.format(**files) for word in words)]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert expected in lines[0]
