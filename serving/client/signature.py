"""What a served model expects and returns, read once from GetModelMetadata."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from serving.client.errors import InvalidInputError, ServerError, SignatureError
from serving.proto import intentrec_serving_pb2 as pb
from serving.tensors import TensorError, encode_tensor, numpy_dtype, type_name

MAX_HISTORY = 100_000  # events; ten times what a schema allows, and bounded memory whatever a server says


@dataclass(frozen=True)
class TensorInfo:
    """One input or output: DataType number and shape (`None` = not fixed; no shape = unknown rank)."""

    data_type: int
    shape: tuple[int | None, ...] | None

    @property
    def type_name(self) -> str:
        """`"string"`, `"int64"`, `"float32"`, ..."""
        return type_name(self.data_type)

    @property
    def kind(self) -> str:
        """NumPy's one-letter kind: `O` string, `i`/`u` whole number, `f` fraction, `b` truth value; `""` for one
        that is not supported."""
        try:
            return numpy_dtype(self.data_type).kind
        except TensorError:
            return ""


@dataclass(frozen=True)
class SignatureInfo:
    """One signature of one model version.

    Attributes:
        name: e.g. `"intent"`.
        inputs: All of them are mandatory.
        outputs: Their names and shapes.
    """

    name: str
    inputs: dict[str, TensorInfo]
    outputs: dict[str, TensorInfo]

    @property
    def history_length(self) -> int:
        """L, the number of events that a history is padded or cut to.

        Raises:
            SignatureError: `item_id` is not an input of fixed length.
        """
        info = self.inputs.get("item_id")
        length = info.shape[1] if info and info.shape and len(info.shape) == 2 else None
        if length is None or length > MAX_HISTORY:
            raise SignatureError(
                f"Signature {self.name!r} has no input 'item_id' of a fixed length, so it takes no event "
                f"history and is reached by predict() only."
            )
        return length

    @property
    def event_columns(self) -> dict[str, TensorInfo]:
        """The inputs that hold one value an event: those of shape `[B, L]`.

        Raises:
            SignatureError: there is no such L, or an input is of a type that no event can hold.
        """
        length = self.history_length
        columns = {name: info for name, info in self.inputs.items() if info.shape and info.shape[1:] == (length,)}
        for name, info in columns.items():
            if info.kind not in tuple("Oiufb"):
                raise SignatureError(
                    f"Signature {self.name!r} wants {info.type_name} for {name!r}, which no event can hold, so it is "
                    f"reached by predict() only."
                )
        return columns

    def encode(self, arrays: Mapping[str, Any]) -> dict[str, pb.TensorProto]:
        """Check names, dtypes and shapes and encode; array-likes that are no arrays take the wanted dtype.

        Raises:
            InvalidInputError: anything that the server would refuse.
        """
        if not isinstance(arrays, Mapping):
            raise InvalidInputError(
                f"The arrays for signature {self.name!r} are of type {type(arrays).__name__}, so pass a dict "
                f"of {sorted(self.inputs)}."
            )
        missing = sorted(set(self.inputs) - set(map(str, arrays)))
        extra = sorted(set(map(str, arrays)) - set(self.inputs))
        if missing or extra:
            problem = f"lacks {missing}" if missing else f"has no input {extra}"
            raise InvalidInputError(
                f"The request to signature {self.name!r} {problem}, so pass exactly {sorted(self.inputs)}."
                if missing
                else f"Signature {self.name!r} {problem}, so pass exactly {sorted(self.inputs)}."
            )
        return {name: self._encode_one(name, info, arrays[name]) for name, info in self.inputs.items()}

    def _encode_one(self, name: str, info: TensorInfo, values: Any) -> pb.TensorProto:
        where = f"Input {name!r} of signature {self.name!r}"
        try:
            array = values if isinstance(values, np.ndarray) else _as_array(where, values, info)
        except TensorError as error:
            raise InvalidInputError(f"{where} cannot be sent: {error}") from None
        if info.shape is not None and not _fits(array.shape, info.shape):
            wanted = ", ".join("any" if size is None else str(size) for size in info.shape)
            raise InvalidInputError(
                f"{where} has shape {list(array.shape)} but the model wants [{wanted}], so reshape or pad it."
            )
        try:
            return encode_tensor(array, info.data_type)
        except TensorError as error:
            raise InvalidInputError(f"{where} wants {info.type_name}: {error}") from None


def parse_signatures(response: pb.GetModelMetadataResponse) -> dict[str, SignatureInfo]:
    """The signatures in a GetModelMetadata answer, by name.

    Raises:
        ServerError: the answer holds no readable signature map.
    """
    problem = "The server's metadata hold no readable 'signature_def', so check that it serves a SavedModel."
    if "signature_def" not in response.metadata:
        raise ServerError(problem)
    # Not Unpack(): the type URL names tensorflow.serving.SignatureDefMap, which we do not register.
    try:
        parsed = pb.SignatureDefMap.FromString(response.metadata["signature_def"].value)
    except DecodeError:
        raise ServerError(problem) from None
    return {
        name: SignatureInfo(name, _infos(signature.inputs), _infos(signature.outputs))
        for name, signature in parsed.signature_def.items()
        if not name.startswith("__")  # __saved_model_init_op is no signature
    }


def _infos(tensors: Mapping[str, pb.TensorInfo]) -> dict[str, TensorInfo]:
    return {name: TensorInfo(info.dtype, _shape(info.tensor_shape)) for name, info in sorted(tensors.items())}


def _shape(shape: pb.TensorShapeProto) -> tuple[int | None, ...] | None:
    if shape.unknown_rank:
        return None
    return tuple(dim.size if dim.size >= 0 else None for dim in shape.dim)


def _fits(shape: tuple[int, ...], wanted: tuple[int | None, ...]) -> bool:
    return len(shape) == len(wanted) and all(w is None or w == s for s, w in zip(shape, wanted, strict=True))


def _as_array(where: str, values: Any, info: TensorInfo) -> NDArray[Any]:
    """Lists and scalars as an array of the wanted dtype, without losing anything on the way."""
    try:
        natural = np.asarray(values)
    except ValueError:
        raise InvalidInputError(f"{where} is a ragged list, so give all its rows the same length.") from None
    wanted = numpy_dtype(info.data_type)
    if natural.size == 0:
        return natural.astype(wanted)
    if info.kind == "O":
        return natural if natural.dtype.kind == "O" else np.asarray(values, dtype=object)
    is_number = natural.dtype.kind in "iuf" and info.kind in "iuf"
    if is_number and not (natural.dtype.kind == "f" and info.kind in "iu"):
        limits = np.iinfo(wanted) if info.kind in "iu" else None
        if limits is None or (natural.min() >= limits.min and natural.max() <= limits.max):
            return natural.astype(wanted)
    if natural.dtype.kind == info.kind and natural.dtype.kind in "bc":
        return natural.astype(wanted)
    raise InvalidInputError(
        f"{where} wants {info.type_name} but holds values like {natural.ravel()[0]!r}, so convert them first."
    )
