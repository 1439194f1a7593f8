"""Model inputs from event columns."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from intentrec_tf.data_spec import DataSpec
from intentrec_tf.inputs import assemble_inputs, following, keras_inputs
from tests.support import User, build_spec, lay_out


def test_keras_inputs(spec: DataSpec) -> None:
    inputs = {name: (tuple(x.shape), x.dtype.name) for name, x in keras_inputs(spec).items()}
    assert inputs == {
        "segment": ((None, None), "int32"),
        "item_id": ((None, None), "int32"),
        "timestamp": ((None, None), "int64"),
        "next_timestamp": ((None, None), "int64"),
        "action": ((None, None), "int32"),
        "tags": ((None, None, 2), "int32"),
        "seconds": ((None, None), "float32"),
    }
    assert "next_timestamp" not in keras_inputs(build_spec(request_time=False))


def test_following_by_hand() -> None:
    # padding, user 1 (two events), user 2 (one event), padding: the last event of each is followed by the request
    segment = tf.constant([[0, 1, 1, 2, 0]])
    found = following(tf.constant([[0, 10, 20, 30, 0]], tf.int64), segment, tf.constant([99], tf.int64))
    np.testing.assert_array_equal(found[0, 1:4], [20, 99, 99])
    full = following(tf.constant([[10, 20]], tf.int64), tf.constant([[1, 1]]), tf.constant([99], tf.int64))
    np.testing.assert_array_equal(full, [[20, 99]])


def test_assemble_zeroes_padding(spec: DataSpec, users: list[User]) -> None:
    clean, _ = lay_out(spec, [[(2, users[2])]], 8)
    dirty, _ = lay_out(spec, [[(2, users[2])]], 8, garbage=True)
    dirty["seconds"] = tf.where(dirty["segment"] > 0, dirty["seconds"], np.nan)
    found = assemble_inputs(spec, dirty, dirty["segment"], dirty["next_timestamp"])
    assert set(found) == set(keras_inputs(spec))
    for name, values in found.items():
        np.testing.assert_array_equal(values, clean[name], err_msg=name)


def test_the_request_time_is_left_out_on_request(users: list[User]) -> None:
    spec = build_spec(request_time=False)
    inputs, _ = lay_out(spec, [[(2, users[2])]], 8)
    found = assemble_inputs(spec, inputs, inputs["segment"], tf.zeros([1, 8], tf.int64))
    assert set(found) == set(keras_inputs(spec))
