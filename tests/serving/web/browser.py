"""Finds a Chromium for the tests that look at the page."""

from __future__ import annotations

import os
import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
NONE = (
    "no Chromium here: run `apt-get install chromium` or `python -m playwright install chromium`, or set CHROMIUM to a "
    "browser's path"
)


def find_chromium(own: str) -> str | None:
    """Path of a browser: what CHROMIUM names, one on PATH, or Playwright's own; None if there is none.

    Args:
        own: Where Playwright would have put its own.
    """
    if named := os.environ.get("CHROMIUM"):
        return named
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    return found or (own if os.path.exists(own) else None)
