"""The page as people start it, and a browser that looks at it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.serving.web.browser import NONE, find_chromium
from tests.serving.web.catalogue_file import write_catalogue


@pytest.fixture(scope="session")
def page_url(server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the page that `intentrec web` serves on the shared model server; it ends cleanly when told to."""
    file = write_catalogue(tmp_path_factory.mktemp("web"))
    command = [sys.executable, "-m", "pipelines.main", "web", "--server", server.address, "--catalogue", str(file)]
    with subprocess.Popen([*command, "--port", "0"], stdout=subprocess.PIPE, text=True, env={**os.environ}) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()  # empty if it ends without a word
            assert "The page is at http://127.0.0.1:" in line
            yield next(word for word in line.split() if word.startswith("http"))
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
        finally:
            process.kill()


@pytest.fixture(scope="module")  # while Playwright runs there is a running event loop, which other tests must not meet
def chromium() -> Iterator[Any]:
    """A headless Chromium."""
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed; it is in extra 'dev'")
    with playwright.sync_playwright() as running:
        path = find_chromium(running.chromium.executable_path)
        if path is None:
            pytest.skip(NONE)
        browser = running.chromium.launch(executable_path=path)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Any, page_url: str) -> Iterator[Any]:
    """Opens the page, with further options of a browser context, and waits for its first answer."""
    contexts = []

    def open_it(path: str = "", **options: Any) -> Any:
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.complaints = []
        page.on("console", lambda message: page.complaints.append(message.text))
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.goto(page_url + path)
        page.wait_for_selector("#answer[aria-busy=false]")
        return page

    yield open_it
    for context in contexts:
        context.close()
