"""The endpoints, against a running model server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from serving.client import InvalidInputError
from serving.web.app import create_app
from serving.web.catalogue import Catalogue
from serving.web.guard import LARGEST_BODY
from tests.serving.fake_server import FakeServer
from tests.serving.web.catalogue_file import CONTENT, HOSTILE, MOMENT

CATALOGUE = Catalogue.parse("the test", CONTENT)
PLAYS = [{"item_id": "5", "timestamp": 100, "action_type": "play"}, {"item_id": "2", "timestamp": 90}]
HOST = "http://127.0.0.1"


@pytest.fixture
def web(server: Any) -> Iterator[TestClient]:
    with TestClient(create_app(server.address, CATALOGUE), base_url=HOST) as connected:
        yield connected


def test_the_page_learns_what_it_needs(web: TestClient) -> None:
    info = web.get("/api/page").json()
    assert (info["name"], info["moment"], info["users"], info["items"]) == ("small", MOMENT, ["carla", "emil"], 6)
    assert {column["name"]: column["type"] for column in info["columns"]} == {
        "action_type": "string",
        "duration": "float32",
        "genres": "string",
    }


def test_titles_and_users(web: TestClient) -> None:
    found = web.get("/api/items", params={"query": "a", "limit": 2}).json()
    assert [item["title"] for item in found] == ["Amélie", HOSTILE]
    known = web.get("/api/users/carla").json()
    assert ([event["item_id"] for event in known["history"]], known["titles"]["2"]) == (["5", "2"], HOSTILE)
    assert "no such user" in web.get("/api/users/nobody").json()["error"]


def test_an_answer_rests_on_the_model_alone(web: TestClient) -> None:
    answer = web.post("/api/ask", json={"history": PLAYS, "moment": 500, "topics": ["drama"]}).json()
    assert answer["model_version"] == 7
    intents = {intent["name"]: intent for intent in answer["intents"]}
    assert intents["action_type"]["labels"][0] == {"label": "play", "score": 1.0}
    assert intents["action_type"]["attention"] == 1.0
    assert [row["title"] for row in answer["rows"]] == ["Continue", "Picked for you", "Discover"]
    assert [card["item_id"] for card in answer["rows"][0]["items"]] == ["5", "2"]  # as `rank` scores them
    assert [card["item_id"] for card in answer["rows"][1]["items"]] == ["1", "3", "4", "6"]  # as `item` does
    assert [(source["name"], source["declared"], source["count"]) for source in answer["sources"]] == [
        ("0", False, 3),
        ("drama", True, 3),
    ]
    assert answer["sources"][0]["mass"] == 1.0
    # of its items 1, 2, 3 two of three have "y", two of six of all items; "x" likewise 2/3 and 3/6
    assert answer["sources"][0]["about"] == ["y", "x"]
    calls = {call["signature"]: call for call in answer["calls"]}
    assert list(calls) == ["intent", "recommend", "retrieve", "rank"]
    assert [event["timestamp"] for event in calls["intent"]["request"]["history"]] == [90, 100]
    assert calls["retrieve"]["request"]["interests"] == ["drama"]
    assert calls["recommend"]["response"]["items"][0]["item_id"] == "1"
    assert all(call["milliseconds"] > 0 and f".{name}(" in call["python"] for name, call in calls.items())


def test_the_first_row_follows_the_intent(web: TestClient) -> None:
    skips = [{**event, "action_type": "skip"} for event in PLAYS]
    answer = web.post("/api/ask", json={"history": skips, "moment": 500}).json()
    assert [row["title"] for row in answer["rows"]] == ["Discover", "Picked for you", "Continue"]
    assert answer["headline"] == "Probably here for: Discover (100%)"


def test_a_new_user_gets_an_answer(web: TestClient) -> None:
    answer = web.post("/api/ask", json={}).json()
    assert answer["headline"].startswith("A new user")
    assert answer["rows"]


def test_a_model_without_rank_and_retrieve_says_so() -> None:
    with FakeServer() as fake, TestClient(create_app(fake.address, CATALOGUE), base_url=HOST) as web:
        answer = web.post("/api/ask", json={"topics": ["drama"]}).json()
    assert [card["item_id"] for card in answer["rows"][0]["items"]] == ["a", "b", "c"]
    assert ["rank" in answer["notes"][0], "retrieve" in answer["notes"][1]] == [True, True]


@pytest.mark.parametrize(
    ("question", "problem"),
    [
        ({"history": [{"item_id": "5", "timestamp": 1, "colour": "red"}]}, "colour"),
        ({"history": [{"item_id": "5"}]}, "timestamp"),
        ({"history": [{"item_id": "5", "timestamp": 1_700_000_000_000}]}, "milliseconds"),
        ({"history": "5"}, "history"),
        ({"histories": []}, "histories"),
        ({"history": [{"item_id": "5", "timestamp": 1}] * 1001}, "1000"),
        ({"topics": ["t" * 501]}, "500"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(web: TestClient, question: Any, problem: str) -> None:
    answer = web.post("/api/ask", json=question)
    assert answer.status_code == 422
    assert problem in answer.json()["error"]
    assert answer.json()["error"].endswith(".")


def test_a_request_may_not_be_too_large(web: TestClient) -> None:
    answer = web.post("/api/ask", content=b" " * (LARGEST_BODY + 1), headers={"content-type": "application/json"})
    assert (answer.status_code, "send fewer" in answer.json()["error"]) == (413, True)


def test_a_server_that_is_away_is_named() -> None:
    with FakeServer() as gone:
        address = gone.address
    with TestClient(create_app(address, CATALOGUE, timeout_s=5), base_url=HOST) as web:
        answer = web.post("/api/ask", json={})
        assert (answer.status_code, address in answer.json()["error"]) == (503, True)
        assert web.get("/api/items").status_code == 200


def test_only_known_hosts_and_no_foreign_scripts(web: TestClient) -> None:
    assert web.get("/api/page", headers={"host": "evil.example"}).status_code == 400
    page = web.get("/")
    assert page.headers["content-security-policy"].startswith("default-src 'self'")
    assert "http" not in page.text.replace("<!doctype html>", "")  # nothing from elsewhere
    assert web.get("/openapi.json").json()["paths"]["/api/ask"]["post"]


def test_a_wrong_address_is_said_at_once() -> None:
    with pytest.raises(InvalidInputError, match="empty address"):
        create_app("a:8500,,b:8500", CATALOGUE)


def test_the_static_files_name_no_other_site() -> None:
    for path in (Path(__file__).parents[3] / "serving" / "web" / "static").iterdir():
        assert "//" not in path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "").replace("// ", "")
