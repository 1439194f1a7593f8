"""What the Markdown pages say can be typed, followed and looked up."""

from __future__ import annotations

import ast
import importlib
import itertools
import re
from pathlib import Path

import pytest
import yaml

from intentrec_tf.schema import Schema
from pipelines.config import CONFIGS, RunConfig
from tests.command_lines import (
    FENCE,
    INLINE,
    UnknownWordsError,
    all_options,
    blocks,
    check,
    check_options,
    mentioned,
    typed,
)

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("intentrec_tf", "pipelines", "serving", "tests", "notebooks", "results")
PAGES = sorted([*ROOT.glob("*.md"), *(page for folder in FOLDERS for page in (ROOT / folder).rglob("*.md"))])
GUIDES = [ROOT / name for name in ("README.md", "pipelines/README.md", "serving/README.md", "serving/deploy/README.md")]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
# Options of other programs in the guides' text.
FOREIGN = {"--model_config_file_poll_wait_seconds", "--ssl_config_file", "--profile", "--strict"}


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def anchors(page: str) -> set[str]:
    """Anchors that GitHub gives a page's headings."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.+)$", FENCE.sub("", page), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        number = next(n for n in range(99) if (f"{slug}-{n}" if n else slug) not in found)
        found.add(f"{slug}-{number}" if number else slug)
    return found


def broken(page: Path, content: str) -> list[str]:
    """Links of a page that lead nowhere in this repository."""
    found = []
    for target in LINK.findall(INLINE.sub("", FENCE.sub("", content))):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        there = (page.parent / file).resolve() if file else page
        if not there.exists() or (anchor and anchor not in anchors(content if there == page else text(there))):
            found.append(target)
    return found


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_somewhere(page: Path) -> None:
    assert broken(page, text(page)) == []


def test_the_link_check_itself() -> None:
    page = "# A `b`, c\n## A/B\n## A/B\n[1](#a-b-c) [2](#ab-1) [3](#ab-2) [4](setup.cfg) [5](no.md) `[6](no.md)`\n"
    assert broken(ROOT / "README.md", page) == ["#ab-2", "no.md"]


LINES = [(page, words) for page in GUIDES for words in typed(text(page))]


def test_every_guide_has_commands() -> None:
    assert {page for page, _ in LINES} == set(GUIDES)
    assert len(LINES) > 50


@pytest.mark.parametrize(("page", "words"), LINES, ids=[f"{name(page)}: {' '.join(words)}" for page, words in LINES])
def test_command_lines_are_read(page: Path, words: list[str]) -> None:
    check(words)
    if words[0] == "train":
        options = list(itertools.pairwise(words))
        config = next((value for option, value in options if option == "--config"), "default")
        changes: dict[str, dict[str, object]] = {}
        for value in (value for option, value in options if option == "--set"):
            key, _, setting = value.partition("=")
            section, _, field = key.partition(".")
            changes.setdefault(section, {})[field] = yaml.safe_load(setting)
        if not config.endswith(".yaml"):
            if config == "ranking":
                changes.setdefault("ranking", {}).setdefault("run", "runs/v3")
            RunConfig.read(CONFIGS / f"{config}.yaml", changes)


@pytest.mark.parametrize("page", GUIDES, ids=name)
def test_commands_and_options_in_the_text_exist(page: Path) -> None:
    for words in mentioned(text(page)):
        check_options(words)
    known = all_options() | FOREIGN | {"--help"}
    named = {
        option for code in INLINE.findall(FENCE.sub("", text(page))) for option in re.findall(r"(?<!\S)--[\w-]+", code)
    }
    assert named <= known


@pytest.mark.parametrize(
    "line",
    [
        "trian --data a --run b",
        "train --data a --run b --epochs 3",
        "train --data a",
        "reproduce table9 --dataset x",
        "evaluate --run a --part training",
        "intent --history a --nonsense",
        "history append --store x",
    ],
)
def test_the_command_check_itself(line: str) -> None:
    with pytest.raises(UnknownWordsError):
        check(line.split())


def test_the_option_check_itself() -> None:
    check_options(["train", "--set"])
    with pytest.raises(UnknownWordsError):
        check_options(["web", "--demos"])


SNIPPETS = [(page, code) for page in GUIDES for code in blocks(text(page), "python")]


@pytest.mark.parametrize(("page", "code"), SNIPPETS, ids=[name(page) for page, _ in SNIPPETS])
def test_python_imports_what_there_is(page: Path, code: str) -> None:
    tree = compile(code, name(page), "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            module = importlib.import_module(node.module)
            assert all(hasattr(module, alias.name) for alias in node.names)


def test_the_schema_of_the_guide_is_one() -> None:
    guide = text(ROOT / "pipelines" / "README.md")
    (block,) = blocks(guide, "yaml")
    schema = Schema.model_validate(yaml.safe_load(block))
    assert len(schema.intents) == 4
    kinds = Schema.model_json_schema()["properties"]["intents"]["items"]["discriminator"]["mapping"]
    for kind in kinds:
        assert f"| `{kind}` |" in guide


def test_the_first_page_is_read_in_three_minutes() -> None:
    page = text(ROOT / "README.md")
    assert len(page.splitlines()) <= 130
    words = re.findall(r"[A-Za-z]\w+", FENCE.sub("", LINK.sub(lambda link: link[0].split("]")[0], page)))
    assert len(words) <= 750


def test_results_of_the_first_page_are_those_of_the_records() -> None:
    """Every row of the table stands in the section of results/README.md that the row, or one above it, links."""
    sections = {
        anchor: part
        for part in re.split(r"^## ", text(ROOT / "results" / "README.md"), flags=re.MULTILINE)
        for anchor in anchors(f"## {part}")
    }
    section, rows = "", 0
    for line in text(ROOT / "README.md").splitlines():
        if link := re.match(r"\| \[[^]]+\]\(results/README\.md#([\w-]+)\)", line):
            section = sections[link[1]]
        if numbers := re.findall(r"(?<=[| *])\.\d{4}\b", line):
            found = [row for row in section.splitlines() if all(f"0{number}" in row for number in numbers)]
            assert found, line
            rows += 1
    assert rows > 8
