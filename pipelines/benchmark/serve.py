"""What an answer costs: in the process, over gRPC, alone and under a constant rate of requests."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from intentrec_tf.export import Signatures
from intentrec_tf.models import NextItemModel
from pipelines.benchmark.load import METHOD, Load, sustained
from pipelines.config import RunConfig
from pipelines.environment import provenance
from pipelines.export import export
from pipelines.export.warmup import Request, read_requests
from pipelines.genuine_server import NAME, GenuineServer
from pipelines.model_server import running_server
from pipelines.prepared import PreparedData
from pipelines.run_folder import RunFolder
from pipelines.validate import DataError

MODEL = "intentrec"
LARGE_BATCH = 32
_UNCOUNTED = 5
START_RATE = 100.0  # requests a second
_ORDER = ("intent", "item", "rank", "retrieve")


def benchmark_serve(
    run: RunFolder,
    work: Path,
    limit_ms: float,
    seconds: float,
    rounds: int,
    say: Callable[[str], None] = print,
    binary: str | None = None,
) -> dict[str, Any]:
    """Export a run, serve it on this machine, and measure each signature.

    Args:
        run: of a model with intents.
        work: receives the export and the server's log.
        limit_ms: what the 99th percentile may reach at a rate that counts as sustained.
        seconds: of each constant rate.
        rounds: of single calls, ten of each kind in turn.
        say: receives a line per measurement.
        binary: the ``tensorflow_model_server`` to measure, None for the local server.

    Raises:
        DataError: the run is no such run.
        ServerStartError: the server did not start.
    """
    model, prepared, config = run.load_next_item_model()
    if model.intent_model is None:
        raise DataError(f"{run.folder}: predicts no intents; name a run of V1, V2 or V3.")
    version = export(run, work / MODEL)
    requests = {(asked.signature, len(asked.inputs["request_time"])): asked for asked in read_requests(version)}
    names = [name for name in _ORDER if (name, 1) in requests]
    functions = tf.saved_model.load(str(version)).signatures
    calls = {"the Keras model": _keras(model, requests["item", 1])}
    for name in names:
        calls[name] = _local(functions, requests[name, 1])
        calls[f"{name}, batch"] = _local(functions, requests[name, LARGE_BATCH])
    messages = {name: _message(requests[name, 1]) for name in names}

    rates = {}
    with _server(work / MODEL, binary) as address:
        with grpc.insecure_channel(address) as channel:
            call = channel.unary_unary(METHOD, request_serializer=None, response_deserializer=None)
            calls |= {f"{name}, served": _remote(call, messages[name]) for name in names}
            alone = _alone(_in_turn(calls, rounds), names)
        for name in names:
            say(
                f"{name}: served p50 {alone['p50_ms'][name]:.2f} ms, p99 {alone['p99_ms'][name]:.2f} ms; in the "
                f"process {alone['in_process_p50_ms'][name]:.2f} ms, a batch of {LARGE_BATCH} "
                f"{alone['batch_p50_ms'][name]:.1f} ms"
            )
        rates["off"] = _under_load(address, messages, limit_ms, seconds, lambda line: say(f"batching off: {line}"))
    with _server(work / MODEL, binary, batching=True) as address:
        rates["on"] = _under_load(address, messages, limit_ms, seconds, lambda line: say(f"batching on: {line}"))
    best = {name: max(found[name]["sustained_rps"] for found in rates.values()) for name in names}
    record = {
        "benchmark": "serve",
        "server": NAME if binary else "local",
        "limit_ms": limit_ms,
        **alone,
        "sustained_rps": best,
    }
    return {**record, "rates": rates, **_identity(prepared, config), **provenance()}


@contextmanager
def _server(base_path: Path, binary: str | None, batching: bool = False) -> Iterator[str]:
    """A server of either kind; yields ``host:port``."""
    if binary is None:
        with running_server(base_path, *(["--enable-batching"] if batching else [])) as address:
            yield address
        return
    with GenuineServer(binary, base_path, batching=batching) as server:
        yield server.address


def _under_load(
    address: str, messages: dict[str, bytes], limit_ms: float, seconds: float, say: Callable[[str], None]
) -> dict[str, Any]:
    """Each signature at rising rates, by its name."""
    found = {}
    for name, message in messages.items():
        rate, loads = sustained(address, message, START_RATE, limit_ms, seconds)
        say(f"{name}: {rate:.0f} requests a second with 99% within {limit_ms:g} ms")
        found[name] = {"sustained_rps": round(rate, 1), "loads": [_figures(load) for load in loads]}
    return found


def _local(functions: Any, request: Request) -> Callable[[], Any]:
    """A call of the SavedModel in this process, with its answers as arrays."""
    function = functions[request.signature]
    inputs = {name: tf.constant(values) for name, values in request.inputs.items()}
    return lambda: [values.numpy() for values in function(**inputs).values()]


def _remote(call: Callable[..., bytes], message: bytes) -> Callable[[], Any]:
    return lambda: predict_pb2.PredictResponse.FromString(call(message, timeout=30.0))


def _keras(model: NextItemModel, request: Request) -> Callable[[], Any]:
    """The bare Keras model in a ``tf.function``, for every place of a history that is rows of vocabularies already."""
    raw = {name: tf.constant(x) for name, x in request.inputs.items() if name != "exclude_item_id"}
    inputs, _ = Signatures(model).model_inputs(raw)
    function = tf.function(lambda given: model(given, training=False)["state"])
    return lambda: function(inputs).numpy()


def _message(request: Request) -> bytes:
    asked = predict_pb2.PredictRequest()
    asked.model_spec.name, asked.model_spec.signature_name = MODEL, request.signature
    for name, values in request.inputs.items():
        asked.inputs[name].CopyFrom(tf.make_tensor_proto(values))
    return asked.SerializeToString()


def _in_turn(calls: dict[str, Callable[[], Any]], rounds: int) -> dict[str, list[float]]:
    """Milliseconds of each call, ten of each kind in turn, so that a noisy moment meets all of them.

    Five calls before the ten are not counted: they find the caches, and threads that still spin, of another kind.
    """
    times: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(rounds + 1):
        for name, call in calls.items():
            for repetition in range(_UNCOUNTED + 10):
                start = time.perf_counter()
                call()
                if number and repetition >= _UNCOUNTED:  # the first round warms up
                    times[name].append(1e3 * (time.perf_counter() - start))
    return times


def _alone(times: dict[str, list[float]], names: list[str]) -> dict[str, Any]:
    """One caller, one request at a time."""
    p50 = {name: statistics.median(values) for name, values in times.items()}
    served = {name: times[f"{name}, served"] for name in names}
    return {
        "p50_ms": {name: round(statistics.median(values), 3) for name, values in served.items()},
        "p99_ms": {name: round(statistics.quantiles(values, n=100)[98], 3) for name, values in served.items()},
        "in_process_p50_ms": {name: round(p50[name], 3) for name in names},
        "batch_p50_ms": {name: round(p50[f"{name}, batch"], 3) for name in names},
        "keras_p50_ms": round(p50["the Keras model"], 3),
        "overhead_ms": {name: round(p50[f"{name}, served"] - p50[name], 3) for name in names},
        "ratio_batch_vs_one": {name: round(p50[f"{name}, batch"] / p50[name], 2) for name in names},
        "ratio_intent_vs_item": round(p50["intent, served"] / p50["item, served"], 3),
    }


def _figures(load: Load) -> dict[str, Any]:
    """Infinity, which JSON has no word for, as null."""
    found = {f"p{share}_ms": load.percentile(share) for share in (50, 90, 99)}
    finite = {name: round(value, 3) if value < float("inf") else None for name, value in found.items()}
    return {"rate": round(load.rate, 2), "requests": len(load.latencies), "failed": load.failed, **finite}


def _identity(prepared: PreparedData, config: RunConfig) -> dict[str, Any]:
    schema = prepared.spec.schema
    names = {"dataset": schema.name, "fingerprint": prepared.fingerprint, "model": config.title}
    return {**names, "items": len(prepared.spec.items.tokens), "length": schema.max_history}
