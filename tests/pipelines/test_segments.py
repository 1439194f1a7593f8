"""Who is new, casual and core, and how it is said."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.segments import BOUNDS, NAMES, parse_bounds, segment_words, segments
from pipelines.validate import DataError


def test_the_bounds_belong_to_the_lower_segment() -> None:
    found = [NAMES[number] for number in segments(np.array([0, 5, 6, 50, 51, 10_000]))]
    assert found == ["new", "new", "casual", "casual", "core", "core"]
    assert [NAMES[n] for n in segments(np.array([0, 1, 2]), (0, 1))] == ["new", "casual", "core"]


def test_words_say_the_bounds() -> None:
    assert segment_words(BOUNDS) == (
        "at most 5 training events",
        "6 to 50 training events",
        "more than 50 training events",
    )
    assert segment_words((3, 4))[1] == "4 training events"


def test_bounds_from_the_command_line() -> None:
    assert parse_bounds("5,50") == BOUNDS
    assert parse_bounds(" 0, 1") == (0, 1)


@pytest.mark.parametrize("text", ["", "5", "5,5", "50,5", "-1,5", "a,b", "1,2,3", "1.5,3"])
def test_wrong_bounds_are_one_sentence(text: str) -> None:
    with pytest.raises(DataError, match=r"^--segments .*two rising whole numbers .*write for example 5,50\.$"):
        parse_bounds(text)
