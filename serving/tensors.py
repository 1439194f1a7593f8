"""NumPy arrays to and from the TensorProto of the TensorFlow Serving protocol.

Numbers travel in `tensor_content`, as raw little-endian bytes: that is two orders of magnitude faster than
one protobuf field per element. Strings travel in `string_val`. Servers answer in either form, and in the
compressed one whose last value repeats, so `decode_tensor` reads all of them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from serving.proto import intentrec_serving_pb2 as pb

# An answer may claim a huge shape and carry one value that "repeats"; refuse before allocating.
MAX_ELEMENTS = 2**28
MAX_RANK = 32

_NUMPY_OF: dict[int, np.dtype[Any]] = {
    pb.DT_FLOAT: np.dtype("<f4"),
    pb.DT_DOUBLE: np.dtype("<f8"),
    pb.DT_HALF: np.dtype("<f2"),
    pb.DT_INT8: np.dtype("i1"),
    pb.DT_INT16: np.dtype("<i2"),
    pb.DT_INT32: np.dtype("<i4"),
    pb.DT_INT64: np.dtype("<i8"),
    pb.DT_UINT8: np.dtype("u1"),
    pb.DT_UINT16: np.dtype("<u2"),
    pb.DT_UINT32: np.dtype("<u4"),
    pb.DT_UINT64: np.dtype("<u8"),
    pb.DT_BOOL: np.dtype("?"),
    pb.DT_COMPLEX64: np.dtype("<c8"),
    pb.DT_COMPLEX128: np.dtype("<c16"),
}
_TYPE_OF = {dtype.newbyteorder("=").name: number for number, dtype in _NUMPY_OF.items()}

_FIELD_OF: dict[int, str] = {
    pb.DT_FLOAT: "float_val",
    pb.DT_DOUBLE: "double_val",
    pb.DT_HALF: "half_val",
    pb.DT_BFLOAT16: "half_val",
    pb.DT_INT8: "int_val",
    pb.DT_INT16: "int_val",
    pb.DT_INT32: "int_val",
    pb.DT_UINT8: "int_val",
    pb.DT_UINT16: "int_val",
    pb.DT_INT64: "int64_val",
    pb.DT_UINT32: "uint32_val",
    pb.DT_UINT64: "uint64_val",
    pb.DT_BOOL: "bool_val",
    pb.DT_STRING: "string_val",
    pb.DT_COMPLEX64: "scomplex_val",
    pb.DT_COMPLEX128: "dcomplex_val",
}


class TensorError(ValueError):
    """A tensor cannot be encoded or decoded; the message is one sentence."""


def type_name(data_type: int) -> str:
    """The NumPy-style name of a DataType number: `"float32"`, `"string"`, `"bfloat16"`, or `"type 24"`."""
    if data_type == pb.DT_STRING:
        return "string"
    if data_type == pb.DT_BFLOAT16:
        return "bfloat16"
    if data_type in _NUMPY_OF:
        return _NUMPY_OF[data_type].name
    return f"type {data_type}"


def numpy_dtype(data_type: int) -> np.dtype[Any]:
    """The NumPy dtype that `decode_tensor` gives for a DataType number.

    Strings become `object` (of `bytes`), bfloat16 becomes float32, because NumPy has no bfloat16.

    Raises:
        TensorError: the type is not supported.
    """
    if data_type == pb.DT_STRING:
        return np.dtype(object)
    if data_type == pb.DT_BFLOAT16:
        return np.dtype(np.float32)
    if data_type not in _NUMPY_OF:
        raise TensorError(
            f"A tensor of {type_name(data_type)} is not supported, so export the model with one of "
            f"{', '.join(sorted([*_TYPE_OF, 'string', 'bfloat16']))}."
        )
    return _NUMPY_OF[data_type].newbyteorder("=")


def encode_tensor(array: Any, data_type: int | None = None) -> pb.TensorProto:
    """Encode an array-like of any shape.

    Args:
        array: Numbers, booleans, `str` or `bytes`. Text is sent as UTF-8.
        data_type: DataType number to send. Default: the array's own. The one conversion made is from a
            float array to bfloat16 (rounded to nearest even); any other difference is an error.

    Raises:
        TensorError: the dtype has no counterpart, or is not the requested one.
    """
    values = np.asarray(array)
    own = _data_type_of(values)
    wanted = own if data_type is None else data_type
    proto = pb.TensorProto(dtype=wanted)  # type: ignore[arg-type]
    for size in values.shape:
        proto.tensor_shape.dim.add(size=size)
    if wanted == own == pb.DT_STRING:
        proto.string_val.extend(_to_bytes(value) for value in values.ravel())
    elif wanted == own == pb.DT_BFLOAT16:
        proto.tensor_content = values.view(np.uint16).astype("<u2").tobytes()
    elif wanted == pb.DT_BFLOAT16 and values.dtype.kind == "f":
        proto.tensor_content = _to_bfloat16(values.astype(np.float32)).tobytes()
    elif wanted == own:
        proto.tensor_content = values.astype(_NUMPY_OF[own], copy=False).tobytes()
    else:
        raise TensorError(
            f"An array of {type_name(own)} cannot be sent as {type_name(wanted)}, so convert it first with "
            f"`numpy.asarray(values, dtype=...)`."
        )
    return proto


def decode_tensor(proto: pb.TensorProto) -> NDArray[Any]:
    """Decode a TensorProto in any of its forms into a new, writable array.

    Strings come back as `bytes` in an object array and bfloat16 as float32. A tensor that carries no value
    at all is filled with zeros (or `b""`), as TensorFlow does.

    Raises:
        TensorError: unsupported dtype, an unknown shape, or data that do not fit the shape.
    """
    dtype = numpy_dtype(proto.dtype)
    shape = _shape_of(proto)
    count = math.prod(shape)
    if proto.tensor_content and proto.dtype != pb.DT_STRING:
        return _from_content(proto, count).reshape(shape)
    values = getattr(proto, _FIELD_OF[proto.dtype])
    return _repeat_last(_from_values(proto.dtype, dtype, values), count, dtype).reshape(shape)


def _data_type_of(values: NDArray[Any]) -> int:
    if values.dtype.kind in "USO":
        return pb.DT_STRING
    if values.dtype.name == "bfloat16":  # from ml_dtypes, which this module never imports
        return pb.DT_BFLOAT16
    number = _TYPE_OF.get(values.dtype.name)
    if number is None:
        raise TensorError(
            f"An array of dtype {values.dtype.name} cannot be sent, so convert it to one of "
            f"{', '.join(sorted(_TYPE_OF))} or to strings."
        )
    return number


def _to_bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise TensorError(f"A string tensor holds {value!r} of type {type(value).__name__}, so pass str or bytes only.")
    try:
        return value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise TensorError(f"The text {value!r} is not valid Unicode, so pass it as bytes.") from None


def _to_bfloat16(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Bit patterns of the nearest bfloat16 values (ties to even); NaN stays NaN."""
    bits = np.ascontiguousarray(values).view(np.uint32)
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
    return np.where(np.isnan(values), np.uint32(0x7FC0), rounded).astype("<u2")


def _from_bfloat16(bits: NDArray[Any]) -> NDArray[np.float32]:
    return (bits.astype(np.uint32) << np.uint32(16)).view(np.float32)


def _shape_of(proto: pb.TensorProto) -> tuple[int, ...]:
    shape = tuple(dim.size for dim in proto.tensor_shape.dim)
    if proto.tensor_shape.unknown_rank or any(size < 0 for size in shape):
        raise TensorError("A tensor arrived without a definite shape, so check the server that sent it.")
    if len(shape) > MAX_RANK:
        raise TensorError(f"A tensor arrived with {len(shape)} dimensions, so check the server that sent it.")
    if max((math.prod(shape), *shape)) > MAX_ELEMENTS:  # also an empty one: NumPy refuses [2**62, 0]
        raise TensorError(
            f"A tensor of shape {list(shape)} has more than {MAX_ELEMENTS} elements, so ask for a smaller batch."
        )
    return shape


def _from_content(proto: pb.TensorProto, count: int) -> NDArray[Any]:
    is_bfloat16 = proto.dtype == pb.DT_BFLOAT16
    wire = np.dtype("<u2") if is_bfloat16 else _NUMPY_OF[proto.dtype]
    if len(proto.tensor_content) != count * wire.itemsize:
        raise TensorError(
            f"A tensor of {count} {type_name(proto.dtype)} values arrived with {len(proto.tensor_content)} "
            f"bytes instead of {count * wire.itemsize}, so check the server that sent it."
        )
    values = np.frombuffer(proto.tensor_content, dtype=wire)
    return _from_bfloat16(values) if is_bfloat16 else values.astype(wire.newbyteorder("="))


def _from_values(data_type: int, dtype: np.dtype[Any], values: Any) -> NDArray[Any]:
    if data_type == pb.DT_STRING:
        strings = np.empty(len(values), dtype=object)
        strings[:] = list(values)
        return strings
    if data_type in (pb.DT_HALF, pb.DT_BFLOAT16):
        bits = (np.asarray(values, dtype=np.int64) & 0xFFFF).astype(np.uint16)
        return bits.view(np.float16) if data_type == pb.DT_HALF else _from_bfloat16(bits)
    if data_type in (pb.DT_COMPLEX64, pb.DT_COMPLEX128):
        parts = np.asarray(values, dtype=np.float64)
        if parts.size % 2:
            raise TensorError("A complex tensor arrived with half a number, so check the server that sent it.")
        return (parts[0::2] + 1j * parts[1::2]).astype(dtype)
    return np.asarray(values).astype(dtype)


def _repeat_last(values: NDArray[Any], count: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    if values.size > count:
        raise TensorError(f"A tensor of {count} values arrived with {values.size}, so check the server that sent it.")
    if values.size == count:
        return values
    empty: Any = b"" if dtype.kind == "O" else dtype.type(0)
    full = np.empty(count, dtype=dtype)
    full[: values.size] = values
    full[values.size :] = values[-1] if values.size else empty
    return full
