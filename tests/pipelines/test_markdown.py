"""Tables of Markdown."""

from __future__ import annotations

from pipelines.markdown import markdown


def test_markdown() -> None:
    assert markdown(["a", "b"], [["x", "1"]]) == "| a | b |\n| --- | ---: |\n| x | 1 |"
    assert markdown(["a", "b"], [], "---") == "| a | b |\n| --- | --- |"
