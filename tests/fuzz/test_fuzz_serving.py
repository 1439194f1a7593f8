"""What arrives over the network or lies beside a model: an answer, or the error that the reader promises."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from google.protobuf.message import DecodeError, Message
from hypothesis import example, given
from hypothesis import strategies as st
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, model_management_pb2, predict_pb2

from serving.client import answers
from serving.client.errors import IntentRecError, InvalidInputError, ServerError
from serving.client.history import encode_histories
from serving.client.signature import parse_signatures
from serving.event_files import read_history, read_log
from serving.histories.errors import HistoryStoreError
from serving.histories.memory_history_store import MemoryHistoryStore
from serving.histories.redis_history_store import RedisHistoryStore
from serving.local.batching_parameters import FILE_NAME, BatchingParameters
from serving.local.local_server import LocalServer
from serving.local.models_config import ModelsConfig
from serving.local.request_error import RequestError
from serving.local.rest_json import answer_of, parse_body, tensors_of
from serving.proto import intentrec_serving_pb2 as pb
from serving.release.errors import ReleaseError
from serving.release.export_folder import INFO, find_exports
from serving.release.models_config import ModelsConfig as ReleasedModels
from serving.release.release_history import ReleaseHistory
from serving.tensors import TensorError, decode_tensor, encode_tensor
from tests.fuzz.mutations import VALUES, changed, damaged, damaged_json, one_sentence

LENGTH = 4
NAMES = ["genre/label", "genre/score", "attention", "embedding", "item_id", "score", "source", "mass", "item_state"]
NAMES += ["intent_embedding", "other/label", "other/score"]


def tensors(largest: int = 3) -> st.SearchStrategy[pb.TensorProto]:
    """Tensors in any form, most of them of two dimensions and some against themselves."""
    sizes = st.integers(0, largest) | st.sampled_from([-1, 2**28, 2**40, 2**62])

    @st.composite
    def build(draw: st.DrawFn) -> pb.TensorProto:
        proto = pb.TensorProto(dtype=draw(st.sampled_from([1, 1, 7, 7, 9, 3, 14, 19, 8, 10]) | st.integers(0, 40)))
        for _ in range(draw(st.sampled_from([2, 2, 2, 0, 1, 3, 70]))):
            proto.tensor_shape.dim.add(size=draw(sizes) if draw(st.integers(0, 4)) == 0 else draw(st.integers(0, 2)))
        proto.tensor_shape.unknown_rank = draw(st.integers(0, 20)) == 0
        form = draw(st.integers(0, 3))
        if form == 0:
            proto.tensor_content = draw(st.binary(max_size=40))
        elif form == 1:
            proto.float_val.extend(draw(st.lists(st.floats(width=32), max_size=9)))
            proto.string_val.extend(draw(st.lists(st.binary(max_size=5), max_size=9)))
        elif form == 2:
            proto.int_val.extend(draw(st.lists(st.integers(-(2**31), 2**31 - 1), max_size=9)))
            proto.int64_val.extend(draw(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=9)))
            proto.half_val.extend(draw(st.lists(st.integers(-(2**31), 2**31 - 1), max_size=9)))
            proto.scomplex_val.extend(draw(st.lists(st.floats(width=32), max_size=5)))
        return proto

    return build()


@example(pb.TensorProto(dtype=pb.DT_FLOAT, tensor_shape={"dim": [{"size": 2**62}, {"size": 0}]}))
@example(pb.TensorProto(dtype=pb.DT_FLOAT, tensor_shape={"dim": [{"size": 1}] * 70}))
@given(tensors())
def test_tensors_of_an_answer(proto: pb.TensorProto) -> None:
    if np.prod([float(dim.size) for dim in proto.tensor_shape.dim]) > 10**7:
        proto.tensor_shape.dim[0].size = 2**40  # allowed sizes below the limit would only cost memory
    try:
        array = decode_tensor(proto)
    except TensorError:
        return
    assert array.shape == tuple(dim.size for dim in proto.tensor_shape.dim)


KINDS = st.sampled_from(["f4", "f8", "i8", "O", "?", "c8"])


@st.composite
def outputs_of(draw: st.DrawFn) -> dict[str, np.ndarray]:
    """Outputs with the names that the client reads, of any kind and shape, all of as many rows as were asked."""
    rows, found = draw(st.integers(0, 2)), {}
    for name in draw(st.lists(st.sampled_from(NAMES), unique=True)):
        shape, kind = (rows, *draw(st.lists(st.integers(0, 2), max_size=2))), draw(KINDS)
        found[name] = np.full(shape, b"a\xff", object) if kind == "O" else np.ones(shape, kind)
    return found


@given(outputs_of(), st.integers(1, 3))
def test_outputs_of_any_shape(outputs: dict[str, np.ndarray], k: int) -> None:
    rows = max(map(len, outputs.values()), default=0)
    for read in (
        lambda: answers.read_intents(outputs, 1),
        lambda: answers.read_recommendations(outputs, 1, k),
        lambda: answers.read_candidates(outputs, 1),
        lambda: answers.read_ranking(outputs, 1, np.full((rows, 2), "a", object)),
        lambda: answers.read_embeddings(outputs, 1),
    ):
        try:
            assert len(read()) == rows
        except ServerError as error:
            one_sentence(error)


EVENT = {"item_id": "a", "timestamp": 253_402_300_799, "seconds": 3}


def metadata() -> bytes:
    """Of a server with one signature."""
    one = pb.SignatureDef()
    for name, kind in (("item_id", pb.DT_STRING), ("timestamp", pb.DT_INT64), ("seconds", pb.DT_FLOAT)):
        one.inputs[name].dtype = kind
        for size in (-1, LENGTH):
            one.inputs[name].tensor_shape.dim.add(size=size)
    signatures = pb.SignatureDefMap()
    signatures.signature_def["intent"].CopyFrom(one)
    return signatures.SerializeToString()


@given(damaged(metadata()))
def test_metadata(data: bytes) -> None:
    response = pb.GetModelMetadataResponse()
    response.metadata["signature_def"].value = data
    try:
        found = parse_signatures(response)
    except ServerError:
        return
    for signature in found.values():
        for question in (
            lambda signature=signature: signature.history_length,
            lambda signature=signature: signature.event_columns,
            lambda signature=signature: signature.encode({name: [["a"] * LENGTH] for name in signature.inputs}),
            lambda signature=signature: encode_histories(signature, [[EVENT], [EVENT]]),
        ):
            try:
                question()
            except IntentRecError as error:
                one_sentence(error)


CONFIG = b"""model_config_list { config { name: "intentrec" base_path: "/models/intentrec" model_platform: "tensorflow"
model_version_policy { specific { versions: 1 versions: 2 } } version_labels { key: "stable" value: 1 } } }
"""
BATCHING = (
    b"max_batch_size { value: 8 } batch_timeout_micros { value: 100 } allowed_batch_sizes: 4 allowed_batch_sizes: 8"
)
MOVE = {"time": "t", "action": "promote", "model": "m", "label": "stable", "version": 2, "previous": 1}
INFORMATION = {"version": 1, "evaluation": {"metrics": {"HR@10": 0.2}}}
EVENTS = [{"user_id": "u", "item_id": "a", "timestamp": 5, "labels": ["x"]}] * 2


@given(st.data())
def test_files_beside_a_model(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.getbasetemp() / "fuzzed-serving"
    (folder / "1").mkdir(parents=True, exist_ok=True)

    def write(name: str, content: bytes) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    config = data.draw(damaged(CONFIG))
    path = write("models.config", config)
    try:
        ModelsConfig.read(path)
    except ValueError as error:
        one_sentence(error)
    try:
        text = config.decode()
    except UnicodeDecodeError:
        text = ""  # its reader says so, see Release
    try:
        found = ReleasedModels.parse(text, "intentrec", path)
        _ = found.labels, found.served([1, 2]), found.with_release([1], {"stable": 1}).to_text()
    except ReleaseError as error:
        one_sentence(error)
    write(FILE_NAME, data.draw(damaged(BATCHING)))
    try:
        BatchingParameters.read(folder)
    except ValueError as error:
        one_sentence(error)
    moves = write("history.jsonl", data.draw(damaged_json(MOVE)))
    try:
        ReleaseHistory(moves).stable_before("m", 2)
    except ReleaseError as error:
        one_sentence(error)
    write(f"1/{INFO}", data.draw(damaged_json(INFORMATION)))
    assert [type(export.metrics) for export in find_exports(folder)] == [dict]


@given(st.data())
def test_event_files(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzzed-events.json"
    lines = "".join(json.dumps(event) + "\n" for event in EVENTS).encode()
    path.write_bytes(data.draw(damaged_json(EVENTS) | damaged(lines)))
    store = MemoryHistoryStore()
    for read in (lambda: [event for _, event in read_log(str(path))], lambda: read_history(str(path))):
        try:
            events = read()
            store.append("u", events)
        except InvalidInputError as error:
            one_sentence(error)
    for event in store.read("u"):
        assert isinstance(event["timestamp"], int)


@given(st.lists(VALUES, max_size=3))
def test_events_of_a_caller(events: list[Any]) -> None:
    with MemoryHistoryStore() as store:
        try:
            store.append("u", events)
        except InvalidInputError:
            return
        assert len(store.read("u")) <= len(events)


@given(st.data())
def test_histories_in_redis(redis_server: Any, data: st.DataObject) -> None:
    """Members that somebody else wrote, or of another kind of key."""
    event = json.dumps(EVENTS[0]).encode()
    member = data.draw(damaged(b"1 00000000 " + event))
    key = b"intentrec:history:fuzzed"
    client = redis_server.client
    client.delete(key)
    if data.draw(st.integers(0, 9)) == 0:
        client.set(key, member)
    else:
        client.zadd(key, {member: 5})
    with RedisHistoryStore(redis_server.url) as store:
        for call in (lambda: store.read("fuzzed"), lambda: store.append("fuzzed", [{"item_id": "a", "timestamp": 6}])):
            try:
                call()
            except HistoryStoreError as error:
                one_sentence(error)


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory, add_version: Any) -> Iterator[LocalServer]:
    base = tmp_path_factory.mktemp("fuzzed")
    add_version(base, 1)
    with LocalServer(base, rest_port=0) as server:
        yield server


def request_of(server: LocalServer) -> tuple[predict_pb2.PredictRequest, dict[str, Any], Any]:
    """A request that the server answers, as message and as JSON, and the inputs of the signature."""
    infos = server._api.find(predict_pb2.PredictRequest(model_spec={"name": "intentrec"}).model_spec)
    inputs = infos.signature_def("intent").inputs
    request = predict_pb2.PredictRequest(model_spec={"name": "intentrec", "signature_name": "intent"})
    body: dict[str, Any] = {"signature_name": "intent", "inputs": {}}
    for name, info in inputs.items():
        shape = [max(dim.size, 1) for dim in info.tensor_shape.dim]
        array = np.full(shape, b"a", object) if info.dtype == pb.DT_STRING else None
        if array is None:
            kinds = {pb.DT_INT64: np.int64, pb.DT_FLOAT: np.float32, pb.DT_INT32: np.int32}
            array = np.ones(shape, kinds[info.dtype])
        request.inputs[name].ParseFromString(encode_tensor(array).SerializeToString())
        text = array.astype(str) if array.dtype == object else array
        body["inputs"][name] = text.tolist()
    return request, body, inputs


def refused(call: Any) -> str | None:
    """Name of the status a request is declined with; an INTERNAL one is a bug."""
    try:
        call()
    except RequestError as error:
        one_sentence(error.message)
        code = error.code
    else:
        return None
    assert code is not grpc.StatusCode.INTERNAL
    return code.name


def test_the_undamaged_is_answered(local: LocalServer) -> None:
    """Else the damage would never be reached."""
    request, body, _ = request_of(local)
    assert refused(lambda: local._api.predict(request)) is None
    assert refused(lambda: rest(local, "POST", "/v1/models/intentrec:predict", json.dumps(body).encode())) is None


def rest(server: LocalServer, method: str, path: str, body: bytes) -> tuple[str, bytes]:
    assert server._rest is not None
    return server._rest.answer(method, path, body)


@given(st.data())
def test_requests_as_messages(local: LocalServer, data: st.DataObject) -> None:
    request, _, _ = request_of(local)
    if data.draw(st.booleans()):
        name = data.draw(st.sampled_from(sorted(request.inputs)))
        request.inputs[name].ParseFromString(data.draw(tensors()).SerializeToString())
    else:
        try:
            request = predict_pb2.PredictRequest.FromString(data.draw(damaged(request.SerializeToString())))
        except DecodeError:
            return  # gRPC refuses it before the server sees it
    refused(lambda: local._api.predict(request))


@given(st.data())
def test_other_messages(local: LocalServer, data: st.DataObject) -> None:
    calls: list[tuple[Any, Message]] = [
        (local._api.metadata, get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])),
        (local._api.status, get_model_status_pb2.GetModelStatusRequest(model_spec={"name": "intentrec"})),
        (local._api.reload_config, model_management_pb2.ReloadConfigRequest()),
    ]
    for call, message in calls:
        try:
            request = type(message).FromString(data.draw(damaged(message.SerializeToString())))
        except DecodeError:
            continue
        refused(lambda call=call, request=request: call(request))


@given(st.data())
def test_requests_as_json(local: LocalServer, data: st.DataObject) -> None:
    _, body, infos = request_of(local)
    content = data.draw(damaged_json(body))
    refused(lambda: rest(local, "POST", "/v1/models/intentrec:predict", content))
    path = data.draw(damaged(b"/v1/models/intentrec/versions/1:predict")).decode("latin-1")
    path = "".join(path.split())  # as a request line has it
    refused(lambda: rest(local, data.draw(st.sampled_from(("GET", "POST"))), path, json.dumps(body).encode()))
    try:
        found = tensors_of(parse_body(content), infos)
        answer_of({"instances": []} if data.draw(st.booleans()) else {"inputs": {}}, found)
    except RequestError as error:
        one_sentence(error.message)


@example({"instances": [{"a": [1.5], "b": [{"b64": "\x80"}]}]})
@given(changed({"instances": [{"a": [1.5, 2], "b": ["x", {"b64": "eA=="}]}] * 2}))
def test_rows_as_json(document: Any) -> None:
    infos = {"a": pb.TensorInfo(dtype=pb.DT_FLOAT), "b": pb.TensorInfo(dtype=pb.DT_STRING)}
    refused(lambda: tensors_of(parse_body(json.dumps(document).encode()), infos))  # type: ignore[arg-type]
