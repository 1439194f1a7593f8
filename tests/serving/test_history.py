"""From Python events to padded arrays: order, padding, missing values and every refusal."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from serving.client.errors import InvalidInputError, SignatureError
from serving.client.history import check_time, encode_histories
from serving.client.signature import SignatureInfo, TensorInfo
from serving.proto import intentrec_serving_pb2 as pb

SIGNATURE = SignatureInfo(
    "intent",
    inputs={
        "action_type": TensorInfo(pb.DT_STRING, (None, 3)),
        "clicked": TensorInfo(pb.DT_BOOL, (None, 3)),
        "duration": TensorInfo(pb.DT_FLOAT, (None, 3)),
        "exclude_item_id": TensorInfo(pb.DT_STRING, (None, None)),
        "item_id": TensorInfo(pb.DT_STRING, (None, 3)),
        "position": TensorInfo(pb.DT_INT64, (None, 3)),
        "request_time": TensorInfo(pb.DT_INT64, (None,)),
        "timestamp": TensorInfo(pb.DT_INT64, (None, 3)),
    },
    outputs={},
)


@dataclass
class Event:
    item_id: str
    timestamp: int
    duration: float | None = None


def _event(item: Any = "a", timestamp: Any = 100, **more: Any) -> dict[str, Any]:
    return {"item_id": item, "timestamp": timestamp, **more}


def test_the_columns_are_those_with_one_value_an_event() -> None:
    assert list(SIGNATURE.event_columns) == [
        "action_type",
        "clicked",
        "duration",
        "item_id",
        "position",
        "timestamp",
    ]


def test_short_histories_are_padded_on_the_left_and_sorted() -> None:
    history = [
        _event("late", 20, action_type="play", duration=2.5, position=3, clicked=True),
        _event("early", 10),
    ]
    arrays = encode_histories(SIGNATURE, [history])
    assert arrays["item_id"].tolist() == [["", "early", "late"]]
    assert arrays["timestamp"].tolist() == [[0, 10, 20]]
    assert arrays["action_type"].tolist() == [["", "", "play"]]
    assert arrays["position"].tolist() == [[0, 0, 3]]
    assert arrays["clicked"].tolist() == [[False, False, True]]
    # padding is 0, a value that an event lacks is NaN
    assert arrays["duration"][0, 0] == 0.0
    assert math.isnan(arrays["duration"][0, 1])
    assert arrays["duration"][0, 2] == 2.5
    assert (arrays["duration"].dtype, arrays["timestamp"].dtype) == (np.float32, np.int64)


def test_long_histories_keep_the_newest_events() -> None:
    arrays = encode_histories(SIGNATURE, [[_event(str(t), t) for t in (5, 1, 4, 2, 3)]])
    assert arrays["item_id"].tolist() == [["3", "4", "5"]]


def test_events_of_the_same_second_keep_their_order() -> None:
    arrays = encode_histories(SIGNATURE, [[_event("z", 7), _event("x", 7), _event("b", 6), _event("y", 7)]])
    assert arrays["item_id"].tolist() == [["z", "x", "y"]]


def test_dataclasses_none_and_label_lists() -> None:
    history = [Event("a", 1, 4.0), Event("b", 2), _event("c", 3, action_type=["play", "rate"])]
    arrays = encode_histories(SIGNATURE, [history])
    assert arrays["action_type"].tolist() == [["", "", "play|rate"]]
    assert arrays["duration"][0, 0] == 4.0
    assert np.isnan(arrays["duration"][0, 1:]).all()


def test_empty_histories_and_batches() -> None:
    arrays = encode_histories(SIGNATURE, [[], [_event("a", 1)]])
    assert arrays["item_id"].tolist() == [["", "", ""], ["", "", "a"]]


def test_the_callers_events_are_not_changed() -> None:
    history = [_event("b", 2.0, action_type=None), _event("a", 1)]
    encode_histories(SIGNATURE, [history])
    assert history == [_event("b", 2.0, action_type=None), _event("a", 1)]


@pytest.mark.parametrize(
    ("history", "words"),
    [
        (
            [_event(actoin_type="play")],
            "event 0 has the unknown key 'actoin_type'.*did you mean 'action_type'",
        ),
        ([_event(exclude_item_id="x")], "unknown key 'exclude_item_id'"),
        ([_event(zzz=1)], "the model knows action_type, clicked"),
        ([_event(), {"item_id": "b"}], "event 1 has no 'timestamp'"),
        ([_event(item=None)], "event 0 has no 'item_id'"),
        ([_event(item="")], "'item_id' of event 0 is empty"),
        ([_event(item=862)], "'item_id' of event 0 is 862 of type int, so pass text"),
        ([_event(timestamp="100")], "'timestamp' of event 0 is '100' of type str"),
        ([_event(timestamp=True)], "of type bool"),
        ([_event(timestamp=math.nan)], "'timestamp' of event 0 is nan"),
        ([_event(timestamp=1.5)], "is 1.5 of type float"),
        ([_event(timestamp=-1)], "is -1, before 1970"),
        ([_event(timestamp=1_700_000_000_000)], "seconds rather than milliseconds"),
        ([_event(timestamp=2**80)], "so pass whole unix seconds"),
        ([_event(duration="long")], "'duration' of event 0 is 'long' of type str, so pass a number"),
        ([_event(duration=math.inf)], "within float32"),
        ([_event(duration=10**400)], "within float32"),
        ([_event(duration=10**5000)], "something unprintable"),
        ([_event(position=1.5)], "'position' of event 0 is 1.5 of type float, so pass a whole number"),
        ([_event(clicked=1)], "pass True or False"),
        ([_event(action_type=["a|b"])], "separates labels"),
        ([_event(action_type=[1])], "pass text"),
        (["862"], "event 0 is of type str, so pass a dict"),
        ([Event], "event 0 is of type type"),
        ({"item_id": "a"}, "History 0 is of type dict"),
        ("862", "History 0 is of type str"),
        (None, "History 0 is of type NoneType"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(history: Any, words: str) -> None:
    with pytest.raises(InvalidInputError, match=words) as caught:
        encode_histories(SIGNATURE, [history])
    message = str(caught.value)
    assert message.endswith((".", ")."))
    assert "\n" not in message
    assert len(message) < 300


def test_a_batch_names_the_history_too() -> None:
    with pytest.raises(InvalidInputError, match="history 1, event 0 has no 'timestamp'"):
        encode_histories(SIGNATURE, [[_event()], [{"item_id": "b"}]])


def test_a_signature_without_fixed_length_takes_no_history() -> None:
    free = SignatureInfo("odd", {"item_id": TensorInfo(pb.DT_STRING, (None, None))}, {})
    with pytest.raises(SignatureError, match="'odd' has no input 'item_id' of a fixed length"):
        encode_histories(free, [[]])


def test_moments_may_be_integral_floats_and_numpy_numbers() -> None:
    assert check_time("t", 5.0) == 5
    assert check_time("t", np.int32(6)) == 6
    assert type(check_time("t", np.float64(7.0))) is int
