"""The page's server: typed JSON endpoints and the files of the page."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from fastapi import FastAPI, HTTPException, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import Response

from serving.client import (
    AsyncIntentRecClient,
    DeadlineError,
    IntentRecError,
    InvalidInputError,
    ServerUnavailableError,
    Tls,
)
from serving.web.answer import Answer
from serving.web.asker import Asker
from serving.web.catalogue import Catalogue, Item
from serving.web.guard import Guard

STATIC = Path(__file__).parent / "static"
MOST_EVENTS, MOST_TOPICS, PAGE_SIZE = 1000, 50, 24
Text = Annotated[str, Field(max_length=500)]
Value = Text | int | float | list[Text] | None
_STATUS = ((InvalidInputError, 422), (DeadlineError, 504), (ServerUnavailableError, 503))


class Question(BaseModel):
    """What the page asks.

    Attributes:
        history: Events with `item_id`, `timestamp` and the model's further columns.
        moment: Of the question, unix seconds; now if left out.
        topics: What the user declared interest in.
    """

    model_config = ConfigDict(extra="forbid")

    history: Annotated[list[dict[Text, Value]], Field(max_length=MOST_EVENTS)] = []
    moment: int | None = None
    topics: Annotated[list[Text], Field(max_length=MOST_TOPICS)] = []


@dataclass(frozen=True)
class ColumnInfo:
    """A column of events that the page may fill in; `type` is the model's, the rest the catalogue's."""

    name: str
    type: str
    values: list[str]
    usual: str | float | None


@dataclass(frozen=True)
class PageInfo:
    """What the page needs before the first question."""

    name: str
    model: str
    server: str
    moment: int
    columns: list[ColumnInfo]
    topics: list[str]
    users: list[str]
    items: int


@dataclass(frozen=True)
class ItemInfo:
    """One title in the search."""

    item_id: str
    title: str
    labels: list[str]


@dataclass(frozen=True)
class UserHistory:
    """An example user's events, oldest first, and the titles of their items."""

    history: list[dict[str, Any]]
    titles: dict[str, str]


class AsciiJson(Response):
    """JSON in ASCII, so that ids which are no UTF-8 come through."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """Dataclasses and plain values as JSON."""
        return json.dumps(content, default=asdict).encode("ascii")


def create_app(
    server: str,
    catalogue: Catalogue,
    model: str = "intentrec",
    tls: Tls | None = None,
    timeout_s: float = 10.0,
    hosts: Sequence[str] = ("127.0.0.1", "localhost"),
) -> FastAPI:
    """The web application, for uvicorn or any other ASGI server.

    Args:
        server: `host:port` of the model server, or several with commas between them.
        catalogue: What the page shows beside the model's answers.
        model: Name of the served model.
        tls: How the connection to the model server is encrypted.
        timeout_s: For each question to the model server.
        hosts: Names under which browsers may ask for the page; `"*"` is any.

    Raises:
        InvalidInputError: the address or an option makes no sense.
    """
    AsyncIntentRecClient(server, model, timeout_s=timeout_s, tls=tls)  # says now what is wrong with the options

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncIntentRecClient(server, model, timeout_s=timeout_s, tls=tls) as client:
            app.state.client = client
            app.state.asker = Asker(client, catalogue, server, model)
            yield

    # The documentation pages would load scripts from elsewhere; /openapi.json is there.
    app = FastAPI(title="intentrec web", lifespan=lifespan, docs_url=None, redoc_url=None)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))
    app.add_middleware(Guard)
    _say_errors(app)

    @app.get("/api/page", response_model=PageInfo)
    async def page() -> Response:
        columns = await app.state.client.event_columns("item")
        known = {column.name: column for column in catalogue.columns}
        infos = []
        for name, type_name in columns.items():
            if name not in ("item_id", "timestamp"):
                column = known.get(name)
                values = list(column.values) if column else []
                infos.append(ColumnInfo(name, type_name, values, column.usual if column else None))
        moment = int(time.time()) if catalogue.moment is None else catalogue.moment
        users, topics = list(catalogue.users), list(catalogue.topics)
        return AsciiJson(PageInfo(catalogue.name, model, server, moment, infos, topics, users, len(catalogue.items)))

    @app.get("/api/items", response_model=list[ItemInfo])
    def items(
        query: Annotated[str, Query(max_length=200)] = "", limit: Annotated[int, Query(ge=1, le=200)] = PAGE_SIZE
    ) -> Response:
        return AsciiJson([_item_info(item) for item in catalogue.search(query, limit)])

    @app.get("/api/users/{user}", response_model=UserHistory)
    def user_history(user: str) -> Response:
        if user not in catalogue.users:
            raise HTTPException(404, "The catalogue has no such user, so pick one of the list.")
        history = sorted(catalogue.users[user], key=lambda event: event["timestamp"])[-MOST_EVENTS:]
        titles = {event["item_id"]: catalogue.title(event["item_id"]) for event in history}
        return AsciiJson(UserHistory(history, titles))

    @app.post("/api/ask", response_model=Answer)
    async def ask(question: Question) -> Response:
        moment = int(time.time()) if question.moment is None else question.moment
        return AsciiJson(await app.state.asker.ask(question.history, moment, question.topics))

    app.mount("/", StaticFiles(directory=STATIC, html=True), name="static")
    return app


def _item_info(item: Item) -> ItemInfo:
    return ItemInfo(item.item_id, item.title, item.all_labels())


def _say_errors(app: FastAPI) -> None:
    """Every error is `{"error": "one sentence"}`."""

    @app.exception_handler(IntentRecError)
    async def of_the_model(request: Request, error: IntentRecError) -> Response:
        status = next((number for kind, number in _STATUS if isinstance(error, kind)), 502)
        return AsciiJson({"error": str(error)}, status)

    @app.exception_handler(RequestValidationError)
    async def of_the_request(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:]) or "The body"
        return AsciiJson({"error": f"{where} of the request does not fit ({first['msg']}), so correct it."}, 422)

    @app.exception_handler(StarletteHTTPException)
    async def of_the_address(request: Request, error: StarletteHTTPException) -> Response:
        return AsciiJson({"error": str(error.detail)}, error.status_code)

    @app.exception_handler(Exception)
    async def of_ours(request: Request, error: Exception) -> Response:
        return AsciiJson({"error": "The page's server failed, so look at its log."}, 500)
