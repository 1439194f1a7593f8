"""TensorFlow Serving's JSON for Predict: rows ("instances") and columns ("inputs")."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import grpc
import numpy as np
from tensorflow.core.framework import tensor_pb2
from tensorflow.core.protobuf import meta_graph_pb2

from serving.local.request_error import RequestError
from serving.proto import intentrec_serving_pb2 as pb
from serving.tensors import TensorError, decode_tensor, encode_tensor, numpy_dtype, type_name

_B64 = "b64"
_Infos = Mapping[str, meta_graph_pb2.TensorInfo]


def parse_body(body: bytes) -> dict[str, Any]:
    """A request body as a JSON object; `NaN`, `Infinity` and `-Infinity` are numbers, as in TensorFlow Serving.

    Raises:
        RequestError: INVALID_ARGUMENT, it is none.
    """
    try:
        document = json.loads(body.decode("utf-8"))
    except RecursionError:
        raise _invalid("The body is nested too deeply, so send lists of numbers or strings.") from None
    except ValueError as error:  # also what is not UTF-8, and a number of thousands of digits
        raise _invalid(f"JSON Parse error: {error}, so send a JSON object in UTF-8.") from None
    if not isinstance(document, dict):
        raise _invalid(f"The body is {_kind(document)}, so send a JSON object with 'instances' or 'inputs'.")
    name = document.get("signature_name", "")
    if not isinstance(name, str):
        raise _invalid(f"The 'signature_name' is {_kind(name)}, so send a string.")
    return document


def tensors_of(document: Mapping[str, Any], infos: _Infos) -> dict[str, tensor_pb2.TensorProto]:
    """The tensors of a request body.

    Args:
        document: A body as `parse_body` gives it.
        infos: The inputs of the signature.

    Raises:
        RequestError: INVALID_ARGUMENT, the values do not make tensors of the inputs' types.
    """
    has_rows, has_columns = "instances" in document, "inputs" in document
    if has_rows == has_columns:
        raise _invalid(
            f"The body has {'both' if has_rows else 'neither'} 'instances' {'and' if has_rows else 'nor'} 'inputs', so "
            f"send one of them."
        )
    columns = _columns_of_rows(document["instances"], infos) if has_rows else _columns(document["inputs"], infos)
    return {name: _tensor(name, column, infos[name].dtype) for name, column in columns.items()}


def answer_of(document: Mapping[str, Any], outputs: Mapping[str, tensor_pb2.TensorProto]) -> bytes:
    """The body of an answer, in rows ("predictions") or columns ("outputs") as the request was.

    Numbers that are not finite are written as `NaN`, `Infinity` and `-Infinity`. Bytes that are not UTF-8, and those
    of an output whose name ends with `_bytes`, are written as `{"b64": ...}`.

    Raises:
        RequestError: INVALID_ARGUMENT if the outputs have no common number of rows and rows were asked for.
    """
    values = {name: _values(name, proto) for name, proto in sorted(outputs.items())}
    if "inputs" in document:
        return _dump({"outputs": values if len(values) > 1 else next(iter(values.values()))})
    sizes = {
        name: proto.tensor_shape.dim[0].size if proto.tensor_shape.dim else None for name, proto in outputs.items()
    }
    if len(set(sizes.values())) != 1 or None in sizes.values():
        raise _invalid(f"The outputs have the batch sizes {sizes}, so ask in columns ('inputs').")
    if len(values) == 1:
        return _dump({"predictions": next(iter(values.values()))})
    rows = zip(*values.values(), strict=True)
    return _dump({"predictions": [dict(zip(values, row, strict=True)) for row in rows]})


def _invalid(sentence: str) -> RequestError:
    return RequestError(grpc.StatusCode.INVALID_ARGUMENT, sentence)


def _dump(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode("utf-8")


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")


def _is_base64(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {_B64}


def _columns_of_rows(rows: Any, infos: _Infos) -> dict[str, Any]:
    if not isinstance(rows, list) or not rows:
        raise _invalid(f"'instances' is {'empty' if rows == [] else _kind(rows)}, so send a list with one entry a row.")
    named = isinstance(rows[0], dict) and not _is_base64(rows[0])
    if not named and len(infos) > 1:
        raise _invalid(f"'instances' has no objects, so send one with the keys {sorted(infos)} for each row.")
    for number, row in enumerate(rows):
        if (isinstance(row, dict) and not _is_base64(row)) != named:
            raise _invalid(f"Instance {number} of 'instances' is of another kind than the first, so send all alike.")
        if named and row.keys() != infos.keys():
            raise _invalid(
                f"Instance {number} of 'instances' has the keys {sorted(row)}, so send exactly {sorted(infos)}."
            )
    return {name: [row[name] for row in rows] for name in infos} if named else {next(iter(infos)): rows}


def _columns(columns: Any, infos: _Infos) -> dict[str, Any]:
    if not isinstance(columns, dict) or _is_base64(columns):
        if len(infos) != 1:
            raise _invalid(f"'inputs' is {_kind(columns)}, so send an object with the keys {sorted(infos)}.")
        return {next(iter(infos)): columns}
    if columns.keys() != infos.keys():
        raise _invalid(f"'inputs' has the keys {sorted(columns)}, so send exactly {sorted(infos)}.")
    return columns


def _tensor(name: str, value: Any, data_type: int) -> tensor_pb2.TensorProto:
    shape: list[int] = []
    probe = value
    while isinstance(probe, list):
        shape.append(len(probe))
        if not probe:
            break
        probe = probe[0]
    flat: list[Any] = []
    _flatten(name, value, shape, 0, flat)
    try:
        dtype = numpy_dtype(data_type)
        array = np.empty(len(flat), dtype)
        array[:] = [_convert(name, item, data_type, dtype) for item in flat]
        encoded = encode_tensor(array.reshape(shape), data_type)
    except TensorError as error:
        raise _invalid(f"Input {name!r} cannot be sent as JSON: {error}") from None
    except OverflowError:
        raise _invalid(f"Input {name!r} has a number too large for {type_name(data_type)}, so send others.") from None
    return tensor_pb2.TensorProto.FromString(encoded.SerializeToString())


def _flatten(name: str, value: Any, shape: list[int], level: int, flat: list[Any]) -> None:
    size = len(value) if isinstance(value, list) else None
    if size != (shape[level] if level < len(shape) else None):
        raise _invalid(f"Input {name!r} has lists of different lengths or depths, so send every row in the same shape.")
    if size is None:
        flat.append(value)
    elif level + 1 == len(shape) and not any(isinstance(item, list) for item in value):
        flat.extend(value)
    else:
        for item in value:
            _flatten(name, item, shape, level + 1, flat)


def _convert(name: str, item: Any, data_type: int, dtype: np.dtype[Any]) -> Any:
    kind = dtype.kind
    if kind == "O":
        if isinstance(item, str):
            try:
                return item.encode("utf-8")
            except UnicodeEncodeError:
                raise _invalid(f"Input {name!r} has half a surrogate pair, so send valid Unicode.") from None
        if _is_base64(item) and isinstance(item[_B64], str):
            try:
                return base64.b64decode(item[_B64], validate=True)
            except ValueError:  # also letters beyond ASCII
                raise _invalid(f"Input {name!r} has a 'b64' that is not base64, so encode it again.") from None
    elif (kind == "b" and isinstance(item, bool)) or (kind in "iu" and type(item) is int):
        return item
    elif kind == "f" and type(item) in (int, float):
        number = float(item)
        if np.isfinite(number) and abs(number) > float(np.finfo(dtype).max):
            raise OverflowError
        return number
    shown = repr(item) if len(repr(item)) < 40 else _kind(item)
    raise _invalid(f"Input {name!r} has the value {shown}, so send values of type {type_name(data_type)}.")


def _values(name: str, proto: tensor_pb2.TensorProto) -> Any:
    array = decode_tensor(pb.TensorProto.FromString(proto.SerializeToString()))
    if array.dtype.kind == "O":
        return _map(array.tolist(), lambda value: _text(value, name.endswith("_bytes")))
    if array.dtype.kind == "f" and array.dtype.itemsize < 8:  # 0.2, not 0.20000000298023224
        return array.astype("U32").astype(np.float64).tolist()
    return array.tolist()


def _map(value: Any, convert: Any) -> Any:
    return [_map(item, convert) for item in value] if isinstance(value, list) else convert(value)


def _text(value: bytes, is_binary: bool) -> Any:
    if not is_binary:
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            pass
    return {_B64: base64.b64encode(value).decode("ascii")}
