"""TransAct's own: the hidden window, the newest rows and the maximum; the rest is in the tests of all models."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intentrec_tf.data_spec import DataSpec
from intentrec_tf.models import NextItemModel
from tests.support import User, build_model, build_spec, flat, lay_out, random_user

DAY = 86_400
CALM = {"variant": "TransAct", "dropout": 0, "random_oov": 0}
CLOSE = {"rtol": 2e-4, "atol": 2e-5}
EVENTS = 16


@pytest.fixture(scope="module")
def model(spec: DataSpec) -> NextItemModel:
    return build_model(spec, **CALM)


@pytest.fixture(scope="module")
def user(spec: DataSpec) -> User:
    """An event every 100 s; each is asked about when the next one happens."""
    times = 1_600_000_000 + 100 * np.arange(EVENTS + 1)
    return {**random_user(spec, EVENTS, seed=5), "timestamp": times[:-1], "next_timestamp": times[1:]}


def _outputs(model: NextItemModel, user: User, training: bool = False) -> dict[str, np.ndarray]:
    return flat(model(lay_out(model.spec, [[(0, user)]], EVENTS)[0], training=training))


def _changed(spec: DataSpec, user: User, places: slice) -> User:
    """Other items and features there, at the same times."""
    other = random_user(spec, EVENTS, seed=77)
    new = {name: values.copy() for name, values in user.items()}
    for name in ("item_id", "action", "tags", "seconds"):
        new[name][places] = other[name][places]
    return new


def _draw(model: NextItemModel, window: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every hidden window is one of so many seconds."""
    bits = tf.constant(-(-window * 2**32 // DAY), tf.uint32)
    monkeypatch.setattr(model.get_layer("hide_recent"), "bits", lambda shape: tf.fill(shape, bits))


@pytest.mark.parametrize(("request_time", "back"), [(True, 2), (False, 3)])
def test_a_position_in_training_answers_from_before_the_window(
    user: User, request_time: bool, back: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 250 s before the request: the next event's time, or the event's own without request time."""
    model = build_model(build_spec(request_time=request_time), **CALM)
    _draw(model, 250, monkeypatch)
    shown, hidden = _outputs(model, user), _outputs(model, user, training=True)
    for name, values in hidden.items():
        np.testing.assert_allclose(values[:, back:], shown[name][:, :-back], **CLOSE, err_msg=name)
        np.testing.assert_array_equal(values[:, :back], np.repeat(values[:, :1], back, axis=1), err_msg=name)
    assert not hidden["state"][:, :back].any()


def test_hidden_events_change_nothing_and_visible_ones_do(
    model: NextItemModel, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked at place 12, at 1300 s: the window of 250 s hides the events of 1100 s and 1200 s."""
    _draw(model, 250, monkeypatch)
    before = _outputs(model, user, training=True)
    for places, differs in ((slice(11, EVENTS), False), (slice(10, 11), True), (slice(0, 1), True)):
        after = _outputs(model, _changed(model.spec, user, places), training=True)
        for name, values in before.items():
            change = np.abs(after[name][:, 12] - values[:, 12]).max()
            assert (change > 1e-4) if differs else (change < 1e-5), (name, places)


@pytest.mark.parametrize("step", [0, 6, 12])
def test_the_future_is_masked_in_training_too(model: NextItemModel, user: User, step: int) -> None:
    """Whatever windows chance draws."""
    layer = model.get_layer("hide_recent")
    monkey = random_user(model.spec, EVENTS, seed=78)
    other = {name: np.concatenate([values[: step + 1], monkey[name][step + 1 :]]) for name, values in user.items()}
    other["timestamp"] = np.r_[user["timestamp"][: step + 1], user["timestamp"][step + 1 :] + 7]
    for draw in range(20):
        found = []
        for events in (user, other):
            layer.draws.assign(draw)
            found.append(_outputs(model, events, training=True))
        for name, values in found[0].items():
            np.testing.assert_allclose(found[1][name][:, : step + 1], values[:, : step + 1], **CLOSE, err_msg=name)


def test_users_that_share_a_row_hide_their_own_events_only(
    model: NextItemModel, users: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    _draw(model, 2000, monkeypatch)
    apart = flat(model(lay_out(model.spec, [[(0, users[1])], [(0, users[2])]], 5)[0], training=True))
    packed = lay_out(model.spec, [[(1, users[2]), (4, users[1])]], 11, garbage=True)[0]
    together = flat(model(packed, training=True))
    for name, values in together.items():
        np.testing.assert_allclose(values[0, 4:9], apart[name][0], **CLOSE, err_msg=name)
        np.testing.assert_allclose(values[0, 1:4], apart[name][1, :3], **CLOSE, err_msg=name)


def test_windows_are_drawn_up_to_the_configured_one(spec: DataSpec, user: User) -> None:
    """Up to 300 s: the newest event is hidden in two draws of three, the one before in one of three, others never."""
    model = build_model(spec, **CALM, hidden_window="5m")
    states = _outputs(model, user)["state"][0]
    inputs, _ = lay_out(spec, [[(0, user)]] * 2000, EVENTS)
    found = model(inputs, training=True)["state"].numpy()[:, -1]
    back = np.array([np.isclose(found, states[-1 - k], **CLOSE).all(axis=1).mean() for k in range(3)])
    assert back.sum() == pytest.approx(1)
    assert np.abs(back - 1 / 3).max() < 0.053  # 5 standard deviations


def test_order_matters_among_the_newest_ten_only(spec: DataSpec, user: User) -> None:
    """Without attention (which sees no later events) older ones speak through the maximum alone."""
    model = build_model(spec, **CALM, item_blocks=1)
    model.get_layer("item_encoder").stack[0].attention.projection.set_weights([np.zeros((16, 16)), np.zeros(16)])

    def swapped(one: int, other: int) -> np.ndarray:
        order = np.arange(EVENTS)
        order[[one, other]] = other, one
        reordered = {name: values[order] for name, values in user.items()}
        return np.abs(_outputs(model, reordered)["state"] - _outputs(model, user)["state"])[0, -1].max()

    assert swapped(0, 5) < 1e-5
    assert swapped(5, 6) > 1e-3
    assert swapped(14, 15) > 1e-3
    everything_old = _outputs(model, _changed(spec, user, slice(0, 6)))["state"]
    assert np.abs(everything_old - _outputs(model, user)["state"])[0, -1].max() > 1e-3


def test_size_of_the_encoder(model: NextItemModel) -> None:
    encoder = model.get_layer("item_encoder")
    assert (encoder.blocks, encoder.heads, encoder.stack[0].ffn_in.kernel.shape[1]) == (2, 1, 32)
    assert model.get_layer("newest_rows").count == 10
    assert model.get_layer("hide_recent").window == DAY


def test_nothing_hidden_if_so_configured(spec: DataSpec, user: User) -> None:
    model = build_model(spec, **CALM, hidden_window=None)
    np.testing.assert_array_equal(_outputs(model, user, training=True)["state"], _outputs(model, user)["state"])
