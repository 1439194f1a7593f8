"""serving.tensors against values worked out by hand and against TensorFlow's own encoder."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2

from serving.proto import intentrec_serving_pb2 as pb
from serving.tensors import MAX_ELEMENTS, TensorError, decode_tensor, encode_tensor, numpy_dtype, type_name

NUMERIC = [
    "float16", "float32", "float64", "int8", "int16", "int32", "int64",
    "uint8", "uint16", "uint32", "uint64", "bool", "complex64", "complex128",
]  # fmt: skip


def _from_tensorflow(proto: tensor_pb2.TensorProto) -> pb.TensorProto:
    return pb.TensorProto.FromString(proto.SerializeToString())


def _to_tensorflow(proto: pb.TensorProto) -> tensor_pb2.TensorProto:
    return tensor_pb2.TensorProto.FromString(proto.SerializeToString())


@pytest.mark.parametrize("dtype", NUMERIC)
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (0, 4), (2, 0)])
def test_numbers_survive_a_round_trip_and_tensorflow_reads_them(dtype: str, shape: tuple[int, ...]) -> None:
    array = (np.arange(np.prod(shape, dtype=int)) * 3 % 5).astype(dtype).reshape(shape)
    proto = encode_tensor(array)
    for back in (decode_tensor(proto), tf.make_ndarray(_to_tensorflow(proto))):
        assert back.dtype == array.dtype
        assert back.shape == shape
        np.testing.assert_array_equal(back, array)


@pytest.mark.parametrize("dtype", NUMERIC)
def test_element_fields_of_tensorflow_are_read(dtype: str) -> None:
    # One value makes make_tensor_proto use the *_val field.
    proto = _from_tensorflow(tf.make_tensor_proto(np.ones((1, 1), dtype=dtype)))
    assert not proto.tensor_content
    back = decode_tensor(proto)
    assert (back.dtype, back.shape, back[0, 0]) == (np.dtype(dtype), (1, 1), 1)


@pytest.mark.parametrize(
    ("data_type", "field", "values", "expected"),
    [
        (pb.DT_FLOAT, "float_val", [1.5, 2.5], [1.5, 2.5, 2.5, 2.5]),
        (pb.DT_INT64, "int64_val", [-3], [-3, -3, -3, -3]),
        (pb.DT_UINT8, "int_val", [255], [255, 255, 255, 255]),
        (pb.DT_BOOL, "bool_val", [False, True], [False, True, True, True]),
        (pb.DT_STRING, "string_val", [b"a", b"b"], [b"a", b"b", b"b", b"b"]),
        # float16 bits of 1.0 are 0x3C00, bfloat16 bits of 1.0 are 0x3F80
        (pb.DT_HALF, "half_val", [0x3C00], [1.0, 1.0, 1.0, 1.0]),
        (pb.DT_BFLOAT16, "half_val", [0x3F80], [1.0, 1.0, 1.0, 1.0]),
        (pb.DT_COMPLEX64, "scomplex_val", [1.0, 2.0], [1 + 2j, 1 + 2j, 1 + 2j, 1 + 2j]),
        (pb.DT_INT32, "int_val", [], [0, 0, 0, 0]),
        (pb.DT_STRING, "string_val", [], [b"", b"", b"", b""]),
    ],
)
def test_the_last_value_repeats(data_type: int, field: str, values: list, expected: list) -> None:
    proto = pb.TensorProto(dtype=data_type, **{field: values})
    for size in (2, 2):
        proto.tensor_shape.dim.add(size=size)
    assert decode_tensor(proto).ravel().tolist() == expected


def test_strings_travel_as_utf8_and_come_back_as_bytes() -> None:
    proto = encode_tensor([["añ", ""], ["日本", "x|y"]])
    assert list(proto.string_val) == ["añ".encode(), b"", "日本".encode(), b"x|y"]
    assert decode_tensor(proto).tolist() == [["añ".encode(), b""], ["日本".encode(), b"x|y"]]


def test_bytes_that_are_no_text_survive() -> None:
    raw = np.array([b"\xff\x00end\x00"], dtype=object)
    assert decode_tensor(encode_tensor(raw)).tolist() == [b"\xff\x00end\x00"]
    as_text = b"\xff".decode("utf-8", "surrogateescape")
    assert list(encode_tensor([as_text]).string_val) == [b"\xff"]


def test_bfloat16_rounds_as_ml_dtypes_does() -> None:
    values = np.array([0.0, -0.0, 1.0, 1.00390625, 1.01171875, 3.14159, -1e30, 1e-40, np.inf, np.nan], np.float32)
    proto = encode_tensor(values, pb.DT_BFLOAT16)
    expected = values.astype(ml_dtypes.bfloat16)
    np.testing.assert_array_equal(decode_tensor(proto), expected.astype(np.float32))
    assert encode_tensor(expected).tensor_content == proto.tensor_content


def test_big_endian_and_strided_arrays_are_sent_right() -> None:
    big = np.arange(6, dtype=">i8").reshape(2, 3).T
    np.testing.assert_array_equal(decode_tensor(encode_tensor(big)), [[0, 3], [1, 4], [2, 5]])


def test_decoded_arrays_are_writable() -> None:
    back = decode_tensor(encode_tensor(np.zeros(2, np.float32)))
    back[0] = 1.0
    assert back.tolist() == [1.0, 0.0]


@pytest.mark.parametrize(
    ("array", "data_type", "words"),
    [
        (np.array(["2020-01-01"], dtype="datetime64[D]"), None, "datetime64"),
        ([{"a": 1}], None, "type dict"),
        ([None], None, "NoneType"),
        (["\ud800"], None, "not valid Unicode"),
        (np.zeros(2, np.int32), pb.DT_INT64, "int32 cannot be sent as int64"),
        (np.zeros(2, np.int32), pb.DT_BFLOAT16, "int32 cannot be sent as bfloat16"),
    ],
)
def test_what_cannot_be_encoded_is_refused_in_one_sentence(array: object, data_type: int, words: str) -> None:
    with pytest.raises(TensorError, match=words) as caught:
        encode_tensor(array, data_type)
    assert str(caught.value).endswith(".")
    assert "\n" not in str(caught.value)


def _claiming(data_type: int, sizes: list[int], **fields: object) -> pb.TensorProto:
    proto = pb.TensorProto(dtype=data_type, **fields)
    for size in sizes:
        proto.tensor_shape.dim.add(size=size)
    return proto


@pytest.mark.parametrize(
    ("proto", "words"),
    [
        (_claiming(24, [1]), "type 24 is not supported"),
        (_claiming(pb.DT_INVALID, [1]), "type 0 is not supported"),
        (_claiming(pb.DT_RESOURCE, []), "type 20 is not supported"),
        (_claiming(pb.DT_FLOAT, [2], tensor_content=b"123"), "3 bytes instead of 8"),
        (_claiming(pb.DT_FLOAT, [1], float_val=[1.0, 2.0]), "1 values arrived with 2"),
        (_claiming(pb.DT_COMPLEX64, [1], scomplex_val=[1.0]), "half a number"),
        (_claiming(pb.DT_FLOAT, [-1], float_val=[1.0]), "definite shape"),
        (_claiming(pb.DT_FLOAT, [MAX_ELEMENTS, 2], float_val=[1.0]), "more than"),
    ],
)
def test_what_cannot_be_decoded_is_refused_in_one_sentence(proto: pb.TensorProto, words: str) -> None:
    with pytest.raises(TensorError, match=words):
        decode_tensor(proto)


def test_names_and_dtypes_of_types() -> None:
    numbers = [pb.DT_STRING, pb.DT_BFLOAT16, pb.DT_INT64, 24]
    assert [type_name(number) for number in numbers] == ["string", "bfloat16", "int64", "type 24"]
    assert [numpy_dtype(number).name for number in numbers[:3]] == ["object", "float32", "int64"]
