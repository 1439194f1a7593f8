"""What only the local server's REST has: limits, CORS, odd HTTP."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from serving.local import LocalServer, LocalServerError

AddVersion = Callable[[Path, int], Path]
PREDICT = "/v1/models/intentrec:predict"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, add_version: AddVersion) -> Any:
    base = tmp_path_factory.mktemp("rest")
    add_version(base, 1)
    with LocalServer(base, rest_port=0, rest_cors=True, max_message_mb=0.001) as server:
        yield server


@pytest.fixture(scope="module")
def address(small: LocalServer) -> Any:
    return small.rest_address


def _ask(address: str, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any, Any]:
    connection = http.client.HTTPConnection(address, timeout=30)
    try:
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        content = answer.read()
        return answer.status, json.loads(content) if content else None, answer.headers
    finally:
        connection.close()


def test_a_body_above_the_limit(address: str) -> None:
    code, answer, headers = _ask(address, "POST", PREDICT, b"[" * 1500)
    assert code == 413
    assert answer == {"error": "The body has 1500 bytes and 1048 are allowed, so send fewer rows at a time."}
    assert headers["Connection"] == "close"


def test_a_grpc_request_above_the_limit(small: LocalServer) -> None:
    """The same limit; gRPC refuses it before the server's code sees it."""
    with grpc.insecure_channel(small.address) as channel:
        call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
        with pytest.raises(grpc.RpcError) as caught:
            call(b"x" * 1500, timeout=30)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        with pytest.raises(grpc.RpcError) as caught:
            call(b"x" * 500, timeout=30)  # arrives, and is no message
        assert caught.value.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_body_of_unknown_length(address: str) -> None:
    connection = http.client.HTTPConnection(address, timeout=30)
    connection.putrequest("POST", PREDICT)
    connection.endheaders()
    answer = connection.getresponse()
    assert answer.status == 411
    assert json.loads(answer.read()) == {"error": "The request has no Content-Length, so send one."}
    connection.close()


@pytest.mark.parametrize("method", ["PUT", "DELETE", "HEAD"])
def test_other_methods(address: str, method: str) -> None:
    code, answer, _ = _ask(address, method, PREDICT)
    assert code == 501
    assert method == "HEAD" or answer["error"].endswith("so send a GET or a POST.")


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [("POST", "/v1/models/intentrec:classify", 501), ("GET", "/", 404), ("GET", "/v1/models/a%2Fb", 404)],
)
def test_other_paths(address: str, method: str, path: str, code: int) -> None:
    got, answer, _ = _ask(address, method, path, b"{}" if method == "POST" else None)
    assert got == code
    assert answer["error"].endswith(".")


def test_one_connection_serves_many_requests_also_after_an_error(address: str) -> None:
    connection = http.client.HTTPConnection(address, timeout=30)
    for body, code in ((b"{", 400), (b'{"signature_name": "slow", "inputs": [0]}', 200), (b"[]", 400)):
        connection.request("POST", PREDICT, body)
        answer = connection.getresponse()
        assert answer.status == code
        answer.read()
    connection.close()


def test_cors_is_a_switch(address: str, server: LocalServer, add_version: AddVersion, tmp_path: Path) -> None:
    code, _, headers = _ask(address, "OPTIONS", PREDICT, Origin="http://page")
    assert (code, headers["Access-Control-Allow-Origin"]) == (200, "*")
    assert headers["Access-Control-Allow-Headers"] == "Content-Type"
    add_version(tmp_path, 1)
    with LocalServer(tmp_path, rest_port=0) as closed:
        assert closed.rest_address is not None
        assert _ask(closed.rest_address, "GET", "/v1/models/intentrec")[2]["Access-Control-Allow-Origin"] is None


def test_a_rest_port_in_use_is_one_sentence(address: str, tmp_path: Path, add_version: AddVersion) -> None:
    add_version(tmp_path, 1)
    port = int(address.rpartition(":")[2])
    with pytest.raises(LocalServerError, match=rf"Cannot listen on 127.0.0.1:{port} for REST"):
        LocalServer(tmp_path, rest_port=port).start()
