"""The page in a real browser, asking a running model server."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.serving.web.catalogue_file import HOSTILE

Open = Callable[..., Any]


def rows(page: Any) -> list[str]:
    """Headings of the rows as they stand on the page, top to bottom, once they have glided to their places."""
    page.evaluate("Promise.all(document.getAnimations().map((animation) => animation.finished))")
    found = [(h.bounding_box()["y"], h.inner_text()) for h in page.locator("#rows h3").all()]
    return [text for _, text in sorted(found)]


def choose_user(page: Any, user: str) -> None:
    """Pick an example user and wait for the answer."""
    with page.expect_response("**/api/ask"):
        page.select_option("#user", user)
    page.wait_for_selector("#answer[aria-busy=false]")


def add(page: Any, title: str) -> None:
    """Click a title of the search's results and wait for the answer."""
    with page.expect_response("**/api/ask"):
        page.locator("#found button", has_text=title).click()
    page.wait_for_selector("#answer[aria-busy=false]")


def test_the_order_of_rows_follows_the_intent(open_page: Open) -> None:
    page = open_page(reduced_motion="reduce")
    choose_user(page, "carla")  # plays
    assert rows(page)[0] == "Continue"
    assert rows(page)[-1] == "Discover"
    assert page.inner_text("#headline") == "Probably here for: Continue (100%)"
    choose_user(page, "emil")  # skips
    assert rows(page)[0] == "Discover"
    assert rows(page)[-1] == "Continue"
    assert page.inner_text("#headline") == "Probably here for: Discover (100%)"
    assert "Discover, Picked for you" in page.inner_text("#status")  # which screen readers hear
    assert page.complaints == []


def test_a_history_is_built_by_clicks_and_taken_apart(open_page: Open) -> None:
    page = open_page()
    assert page.inner_text("#headline").startswith("A new user")
    page.select_option("#column-action_type", "skip")
    add(page, "Heat")
    assert rows(page)[0] == "Discover"
    page.select_option("#column-action_type", "play")
    for title in ("Heat", "Heat"):
        add(page, title)
    assert rows(page)[0] == "Continue"
    assert page.inner_text("#history-heading") == "History (3)"
    with page.expect_response("**/api/ask"):
        page.locator("#history button").first.click()
    assert page.inner_text("#history-heading") == "History (2)"
    with page.expect_response("**/api/ask"):
        page.locator("#rows .card").first.click()
    assert page.inner_text("#history-heading") == "History (3)"
    with page.expect_response("**/api/ask"):
        page.click("#clear")
    assert page.locator("#history li").count() == 0


def test_bars_reasons_sources_and_latency(open_page: Open) -> None:
    page = open_page()
    choose_user(page, "carla")
    action = page.locator("[data-intent=action_type]")
    assert action.locator(".number").all_inner_texts() == ["100%", "0%"]
    widths = [bar.bounding_box()["width"] for bar in action.locator(".bars .fill").all()]
    assert widths[0] > widths[1] == 0
    assert "counts 100%" in action.inner_text()
    assert "Because: last met" in page.locator("#rows .card").first.inner_text()
    assert "Interest 0 in the history" in page.inner_text("#sources")
    with page.expect_response("**/api/ask"):
        page.get_by_label("drama").check()
    page.wait_for_selector("#answer[aria-busy=false]")
    assert "Declared topic: drama" in page.inner_text("#sources")
    assert "ms for 4 questions" in page.inner_text("#latency")


def test_requests_and_responses_as_json_and_python(open_page: Open) -> None:
    page = open_page()
    choose_user(page, "carla")
    assert "client.intent(history" in page.inner_text("#code")
    page.focus("#tab-python")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.id") == "tab-request"
    assert '"item_id": "5"' in page.inner_text("#code")
    page.keyboard.press("End")
    assert '"model_version": 7' in page.inner_text("#code")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.id") == "tab-python"
    page.select_option("#call", "rank")
    assert "client.rank(history" in page.inner_text("#code")


def test_a_title_cannot_become_markup(open_page: Open) -> None:
    page = open_page()
    choose_user(page, "carla")
    assert HOSTILE in page.inner_text("#history")
    assert HOSTILE in page.inner_text("#rows")
    assert page.locator("img").count() == 0
    assert "hacked" not in page.title()


def test_the_keyboard_alone_suffices(open_page: Open) -> None:
    page = open_page()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.focus("#search")
    with page.expect_response("**/api/items?query=Heat"):
        page.keyboard.type("Heat")
    page.wait_for_selector("#found li:only-child")
    page.keyboard.press("Tab")
    with page.expect_response("**/api/ask"):
        page.keyboard.press("Enter")
    page.wait_for_selector("#answer[aria-busy=false]")
    assert "Heat" in page.inner_text("#history")
    assert page.evaluate("document.activeElement.textContent").startswith("Heat")  # the focus has stayed
    card = page.locator("#rows .card").first
    card.focus()
    key = card.get_attribute("data-key")
    with page.expect_response("**/api/ask"):
        page.keyboard.press("Space")
    page.wait_for_selector("#answer[aria-busy=false]")
    # the card may have left its row; the focus is then on the headline above, never lost
    assert page.evaluate("document.activeElement.dataset.key ?? document.activeElement.id") in (key, "headline")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_narrow_screens_scroll_down_only(open_page: Open, scheme: str) -> None:
    page = open_page(viewport={"width": 390, "height": 800}, color_scheme=scheme)
    choose_user(page, "carla")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert not page.locator("#moment").is_visible()
    page.get_by_text("Moment of the question").click()
    assert page.locator("#moment").is_visible()


def test_errors_are_one_sentence_and_go_away(open_page: Open) -> None:
    page = open_page()
    sentence = "Cannot reach the model, so check that it runs."
    page.route("**/api/ask", lambda route: route.fulfill(status=503, json={"error": sentence}))
    with page.expect_response("**/api/ask"):
        page.select_option("#user", "emil")
    page.wait_for_selector("#error:visible")
    assert page.inner_text("#error").startswith(sentence)
    page.unroute("**/api/ask")
    with page.expect_response("**/api/ask"):
        page.get_by_text("Try again").click()
    page.wait_for_selector("#error", state="hidden")
    assert rows(page)[0] == "Discover"


def test_the_newest_question_wins(open_page: Open) -> None:
    page = open_page()
    held = []

    def hold_carlas(route: Any) -> None:
        if '"play"' in (route.request.post_data or ""):
            held.append(route)
        else:
            route.continue_()

    page.route("**/api/ask", hold_carlas)
    with page.expect_request("**/api/ask"):
        page.select_option("#user", "carla")
    choose_user(page, "emil")
    assert len(held) == 1
    assert rows(page)[0] == "Discover"


def test_time_may_pass(open_page: Open) -> None:
    page = open_page()
    choose_user(page, "carla")
    before = page.input_value("#moment")
    with page.expect_request("**/api/ask") as asked:
        page.get_by_text("+ 1 hour").click()
    assert asked.value.post_data_json["moment"] == 200 + 60 + 3600
    assert page.input_value("#moment") != before
    assert "1 hour before" in page.inner_text("#history")
