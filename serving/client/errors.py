"""The errors of the client: each message is one sentence that says what was wrong, where, and what to do."""

from __future__ import annotations

import grpc


class IntentRecError(Exception):
    """Base of everything the client raises on purpose."""


class InvalidInputError(IntentRecError, ValueError):
    """The caller's events, arrays or options do not fit the model; nothing is wrong with the server."""


class ServerUnavailableError(IntentRecError):
    """Nothing answers at the address, or the server is shutting down or overloaded."""


class DeadlineError(IntentRecError, TimeoutError):
    """No answer within the timeout."""


class ModelNotFoundError(IntentRecError):
    """The server does not serve that model, version or label."""


class SignatureError(IntentRecError):
    """The model lacks a signature, or the signature is not one this client can use."""


class ServerError(IntentRecError):
    """The server failed, or answered with something that cannot be read."""


def translate_rpc_error(error: grpc.RpcError, where: str, timeout_s: float) -> IntentRecError:
    """Turn a gRPC status into the matching `IntentRecError`.

    Args:
        error: What a gRPC call raised.
        where: The call in words, e.g. `"signature 'intent' of model 'm' at 127.0.0.1:8500"`.
        timeout_s: The deadline of the call in seconds, for the message.
    """
    code = error.code() if isinstance(error, grpc.Call) else grpc.StatusCode.UNKNOWN
    details = _one_line(error.details() if isinstance(error, grpc.Call) else str(error))
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return DeadlineError(
            f"No answer within {timeout_s:g} s from {where}, so check the server's load or raise timeout_s."
        )
    if code is grpc.StatusCode.UNAVAILABLE:
        return ServerUnavailableError(
            f"Cannot reach {where}, so check the address and that the server runs (gRPC says: {details})."
        )
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
        return ServerUnavailableError(
            f"Too much for {where}, so send smaller batches, raise max_message_mb or add replicas "
            f"(gRPC says: {details})."
        )
    if code is grpc.StatusCode.NOT_FOUND:
        return ModelNotFoundError(
            f"Not served: {where}, so check the model's name, version and label (the server says: {details})."
        )
    if code is grpc.StatusCode.INVALID_ARGUMENT:
        return InvalidInputError(f"The server refused the input to {where}, so correct it as it says: {details}.")
    if code is grpc.StatusCode.FAILED_PRECONDITION:
        return SignatureError(
            f"The server cannot run {where}, so check that the model was exported with it (the server says: {details})."
        )
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return ServerError(
            f"The server behind {where} does not speak the TensorFlow Serving protocol, so check the address."
        )
    return ServerError(f"The server failed on {where}, so look at its log ({code.name}: {details}).")


def _one_line(text: str | None, limit: int = 300) -> str:
    """`text` without line breaks, final full stop or excess length."""
    line = " ".join((text or "no details").split()).rstrip(".")
    return line if len(line) <= limit else line[: limit - 3] + "..."


def shown(value: object, limit: int = 60) -> str:
    """`value` on one short line for a message; Python refuses to write out enormous numbers."""
    try:
        text = " ".join(repr(value).split())
    except Exception:  # a caller's __repr__ may do anything
        text = "something unprintable"
    return text if len(text) <= limit else text[: limit - 3] + "..."
