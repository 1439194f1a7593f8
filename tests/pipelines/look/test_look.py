"""The whole look: on a shop, on odd logs, from the command line, without TensorFlow."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from pipelines import data_cli
from pipelines.drawing import OURS, PAPER
from pipelines.look.look import NUMBERS, PAGE, PICTURES, look, measure
from pipelines.main import main
from pipelines.prepared import PreparedData
from pipelines.segments import BOUNDS, parse_bounds
from pipelines.validate import DataError
from tests.picture_checks import check_texts, colour, colours

REPOSITORY = Path(__file__).parents[3]
GENRES = {"item_features": [{"name": "genres", "kind": "multi_label"}]}
EXPLICIT = {**GENRES, "explicit_interests": "genres"}
AGAIN = {"intents": [{"name": "again", "derive": "repeat"}]}
LONG = "très long_nom|, ünïcödé 名前 $x_1$ " * 9


def log(users: int = 3, items: int = 3, parts: tuple[int, ...] = (0, 0, 1, 2)) -> list[tuple[str, str, int, int]]:
    return [
        (f"u{user}", f"i{(user + n) % items}", 3_600 * n * (user + 1), part)
        for user in range(users)
        for n, part in enumerate(parts)
    ]


def catalogue(*texts: str) -> dict[str, list[Any]]:
    return {"item_id": [f"i{n}" for n in range(len(texts))], "genres": list(texts)}


CASES: dict[str, dict[str, Any]] = {
    "usual": {"rows": log(), "items": catalogue("a|b", "a", "c"), "schema": GENRES},
    "one event": {"rows": log(1, 1, (0,)), "items": catalogue("a"), "schema": GENRES},
    "one user": {"rows": log(1), "items": catalogue("a", "b", "c"), "schema": GENRES},
    "one item": {"rows": log(3, 1), "items": catalogue("a"), "schema": GENRES},
    "no features": {"rows": log(), "items": {"item_id": ["i0", "i1", "i2"]}},
    "no test part": {"rows": log(parts=(0, 0)), "items": catalogue("a", "b", "c"), "schema": GENRES},
    "no labels": {"rows": log(), "items": catalogue("", "", ""), "schema": GENRES},
    "test of strangers": {
        "rows": [("a", "i0", 0, 0), ("b", "i1", 9, 2)],
        "items": catalogue("a", "b", "b"),
        "schema": GENRES,
    },
    "empty catalogue columns": {
        "rows": log(),
        "items": {"item_id": ["i0", "i1", "i2"], "genres": [None, None, None]},
        "schema": GENRES,
    },
    "unknown origin": {"rows": log(), "items": catalogue("a", "b", "c"), "schema": GENRES, "start": 600},
    "twenty years": {
        "rows": [("a", f"i{n % 3}", n * 86_400 * 365, n // 15) for n in range(20)],
        "items": catalogue("a", "b", "c"),
        "start": 10**9,
    },
    "within a minute": {"rows": [("a", "i0", n, 0) for n in range(50)], "items": catalogue("a")},
    "an intent": {
        "rows": log(),
        "items": catalogue("a", "b", "c"),
        "schema": {**GENRES, **AGAIN},
        "columns": {"intent/again": ["discover"] * 12},
        "shares": {"again": {"discover": 1.0}},
    },
    "an intent without labels": {
        "rows": log(),
        "items": catalogue("a", "b", "c"),
        "schema": AGAIN,
        "columns": {"intent/again": [""] * 12},
        "shares": {"again": {}},
    },
    "declared": {
        "rows": log(),
        "items": catalogue("a|b", "a", "c"),
        "schema": EXPLICIT,
        "interests": [("u0", "a", 0), ("u0", "c", 5), ("u1", "b", 9)],
    },
    "one declared": {
        "rows": log(),
        "items": catalogue("a|b", "a", "c"),
        "schema": EXPLICIT,
        "interests": [("u0", "never seen")],
    },
    "declared by strangers": {
        "rows": log(),
        "items": catalogue("a", "b", "c"),
        "schema": EXPLICIT,
        "interests": [("nobody", "a")],
    },
    "declared without labels": {
        "rows": log(),
        "items": catalogue("", "", ""),
        "schema": EXPLICIT,
        "interests": [("u0", "a"), ("u1", "b")],
    },
    "nobody declared": {"rows": log(), "items": catalogue("a", "b", "c"), "schema": EXPLICIT, "interests": []},
    "awkward names": {
        "rows": log(5, 40, (0,) * 30 + (2,) * 3),
        "items": catalogue(*(f"{n}{LONG.replace('|', '/')}" for n in range(40))),
        "schema": {
            "name": "n" * 120,
            **EXPLICIT,
            "intents": [
                *({"name": f"{name}{'_long' * 20}", "derive": "category", "feature": "genres"} for name in "abc"),
                {"name": "again", "derive": "repeat"},
            ],
        },
        "columns": {"intent/again": ["return"] * 165},
        "shares": {**{f"{name}{'_long' * 20}": {} for name in "abc"}, "again": {"return": 1.0}},
        "interests": [("u0", f"0{LONG.replace('|', '/')}".strip()), ("u1", LONG)],
    },
}


@pytest.fixture(params=CASES, ids=str)
def case(request: pytest.FixtureRequest, write: Callable[..., PreparedData], tmp_path: Path) -> PreparedData:
    return write(tmp_path / "data", **CASES[request.param])


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> dict[str, Figure]:
    """Pictures by name as they are saved; drawing them takes a while, so their files stay empty."""
    found: dict[str, Figure] = {}

    def save(figure: Figure, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        found[path.stem] = figure

    monkeypatch.setattr("pipelines.drawing.save", save)
    return found


def no_constant(text: str) -> float:
    raise AssertionError(f"{text} is no number")


def test_every_log_gives_numbers_a_page_and_pictures(
    case: PreparedData, tmp_path: Path, drawn: dict[str, Figure]
) -> None:
    out = tmp_path / "deep" / "look"
    said: list[str] = []
    numbers = look(case, out, said.append)
    written = json.loads((out / NUMBERS).read_text(encoding="utf-8"), parse_constant=no_constant)
    assert written == numbers
    page = (out / PAGE).read_text(encoding="utf-8")
    assert not re.search(r"\b(nan|inf|None|NaN)\b", page)
    linked = set(re.findall(r"\]\(([\w-]+)\.png\)", page))
    assert linked == {path.stem for path in out.glob("*.png")} == set(drawn) <= set(PICTURES)
    assert {"time", "activity", "tail"} <= linked
    for figure in drawn.values():
        assert any(text.startswith(numbers["dataset"][:20]) and ": " in text for text in check_texts(figure))
    for table in re.findall(r"(?:^\|.*\n)+", page, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}) == 1, table
    assert said[-1] == f"written: {out / PAGE}"
    assert str(tmp_path) not in page


def test_against_what_preparation_counted(prepared: PreparedData) -> None:
    """The shop's numbers, counted by other code."""
    numbers, counted = measure(prepared), prepared.manifest["statistics"]
    size = numbers["size"]
    assert [size[name] for name in ("users", "events")] == [counted[name] for name in ("users", "events")]
    assert [part["events"] for part in size["parts"]] == [
        counted[f"events_{part}"] for part in ("train", "validation", "test")
    ]
    assert size["repeat_share"] == pytest.approx(counted["repeat_share"], abs=1e-6)
    assert size["events_per_user"]["median"] == counted["events_per_user"]["median"]
    assert numbers["tail"]["items_in_training"] == counted["items"]
    shares = {
        intent["intent"]: {row["label"]: row["training"] for row in intent["labels"]} for intent in numbers["intents"]
    }
    assert shares.keys() == counted["intent_shares"].keys()
    for name, expected in counted["intent_shares"].items():
        found = {label: shares[name].get(label, 0.0) for label in expected}
        assert found == pytest.approx(expected, abs=1e-4)


def test_the_schema_alone_is_that_of_the_whole(prepared: PreparedData) -> None:
    assert prepared.schema == prepared.spec.schema
    assert prepared.interests is None


@pytest.mark.usefixtures("drawn")
def test_the_page_says_what_the_numbers_are(write: Callable[..., PreparedData], tmp_path: Path) -> None:
    data = write(tmp_path / "data", **CASES["declared"])
    look(data, tmp_path / "look", lambda line: None, bounds=(1, 2))
    page = (tmp_path / "look" / PAGE).read_text(encoding="utf-8")
    assert "3 users, 3 items, 12 events" in page
    assert "new: at most 1 training events" in page
    assert "Categories are the labels of `genres` (the schema's explicit_interests)" in page
    assert "2 rows rejected: id is empty." in page
    assert "66.7% of users declared interests (1.5 each)" in page
    assert "| declared labels that the user's events touch | 100.0% | 100.0% | 0.0% | 100.0% |" in page
    assert "| the user's events that touch a declared label | 62.5% | 62.5% | 0.0% | 50.0% |" in page


@pytest.mark.usefixtures("drawn")
def test_without_declared_interests_one_sentence_says_so(write: Callable[..., PreparedData], tmp_path: Path) -> None:
    for name, text in (
        ("usual", "The data set has no declared interests."),
        ("declared by strangers", "1 user declared 1 interest"),
    ):
        look(write(tmp_path / name, **CASES[name]), tmp_path / f"look {name}", lambda line: None)
        page = (tmp_path / f"look {name}" / PAGE).read_text(encoding="utf-8")
        section = page.split("## Declared interests")[1].split("##")[0]
        assert section.strip().startswith(text)
        assert len(section.strip().splitlines()) == 1


@pytest.mark.usefixtures("drawn")
def test_a_second_look_leaves_no_picture_of_the_first(write: Callable[..., PreparedData], tmp_path: Path) -> None:
    out = tmp_path / "look"
    look(write(tmp_path / "a", **CASES["declared"]), out, lambda line: None)
    (out / "mine.txt").write_text("kept")
    assert (out / "declared.png").exists()
    look(write(tmp_path / "b", **CASES["no features"]), out, lambda line: None)
    assert {path.name for path in out.iterdir()} == {PAGE, NUMBERS, "mine.txt", "time.png", "activity.png", "tail.png"}


def test_another_feature(write: Callable[..., PreparedData], tmp_path: Path) -> None:
    """Categories may be of another feature; declared interests stay what they are."""
    schema = {**EXPLICIT, "item_features": [*GENRES["item_features"], {"name": "brand", "kind": "categorical"}]}
    items = {**catalogue("a|b", "a", "c"), "brand": ["x", "x", "y"]}
    data = write(tmp_path / "data", log(), items, schema, interests=[("u0", "a"), ("u1", "b")])
    numbers = measure(data, feature="brand")
    assert (numbers["interests"]["feature"], numbers["interests"]["chosen"]) == ("brand", "as asked")
    assert {row["label"] for row in numbers["interests"]["categories"]} == {"x", "y"}
    assert numbers["declared"] == measure(data)["declared"]


def test_looks_repeat(write: Callable[..., PreparedData], tmp_path: Path) -> None:
    data = write(tmp_path / "data", **CASES["awkward names"])
    first, second = (json.dumps({**measure(data), "date": ""}) for _ in range(2))
    assert first == second


def test_somebody_elses_files_are_left_alone(write: Callable[..., PreparedData], tmp_path: Path) -> None:
    data = write(tmp_path / "data", **CASES["usual"])
    before = sorted(path.name for path in data.folder.iterdir())
    with pytest.raises(DataError, match=r"data: holds prepared data; name another folder with --out\.$"):
        look(data, data.folder, lambda line: None)
    assert sorted(path.name for path in data.folder.iterdir()) == before
    project = tmp_path / "project"
    project.mkdir()
    (project / PAGE).write_text("# mine")
    with pytest.raises(DataError, match=r"holds a README\.md that no look wrote; name a new or empty folder"):
        look(data, project, lambda line: None)
    assert [path.name for path in project.iterdir()] == [PAGE]


def test_a_log_without_training_events(write: Callable[..., PreparedData], tmp_path: Path) -> None:
    data = write(tmp_path / "data", log(parts=(1, 2)), catalogue("a", "b", "c"))
    with pytest.raises(DataError, match="holds no training event; run 'intentrec prepare' again"):
        look(data, tmp_path / "look", lambda line: None)
    assert not (tmp_path / "look").exists()


def run(*words: str) -> int:
    return main(["look", *words])


def test_the_usual_segments_are_those_of_the_command() -> None:
    assert parse_bounds(signature(data_cli.look).parameters["segments"].default) == BOUNDS


@pytest.mark.usefixtures("drawn")
def test_the_command(write: Callable[..., PreparedData], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, out = str(write(tmp_path / "data", **CASES["declared"]).folder), str(tmp_path / "look")
    assert run("--data", folder, "--out", out, "--segments", "1,2") == 0
    spoken = capsys.readouterr().out
    assert spoken.startswith("3 users, 3 items, 12 events")
    assert run("--data", folder, "--out", out, "--segments", "1,2", "--json") == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((tmp_path / "look" / NUMBERS).read_text(encoding="utf-8"))
    assert printed["segments"]["casual"] == "2 training events"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--segments", "9"], "--segments 9: is not two rising whole numbers"),
        (
            ["--feature", "brand"],
            "--feature brand: is no categorical or multi_label item feature; choose one of genres.",
        ),
        (["--data", "absent"], "absent: holds no prepared data; run 'intentrec prepare' with --out absent."),
    ],
)
def test_mistakes_are_one_sentence(
    words: list[str],
    expected: str,
    write: Callable[..., PreparedData],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = str(write(tmp_path / "data", **CASES["usual"]).folder)
    assert run("--data", folder, "--out", str(tmp_path / "look"), *words) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert expected in lines[0]
    assert not (tmp_path / "look").exists()


def test_no_tensorflow_is_needed(write: Callable[..., PreparedData], tmp_path: Path) -> None:
    folder = write(tmp_path / "data", **CASES["declared"]).folder
    code = f"""
import sys
sys.modules["tensorflow"] = sys.modules["tf_keras"] = None  # importing them fails
from pipelines.segments import BOUNDS, parse_bounds
from pipelines.main import main
sys.exit(main(["look", "--data", {str(folder)!r}, "--out", {str(tmp_path / "look")!r}]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "look" / PAGE).exists()
    shown = colours(tmp_path / "look" / "declared.png")
    assert {colour(OURS), colour(PAPER), colour("white")} < shown
