"""Moments as people write them."""

from __future__ import annotations

import pytest

from pipelines.datasets.timestamps import to_seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-02", 86_400),
        ("1970-01-02T01:00:00+01:00", 86_400),
        (" 1700000000 ", 1_700_000_000),
        ("1971", 365 * 86_400),
        ("soon", None),
        ("", None),
        ("9" * 30, None),
        ("2024-13-01", None),
    ],
)
def test_a_moment_is_a_date_or_unix_seconds(text: str, seconds: int | None) -> None:
    assert to_seconds(text) == seconds
