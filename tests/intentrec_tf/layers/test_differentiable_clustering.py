"""Interests by clustering a history."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intentrec_tf.layers import DifferentiableClustering
from tests.support import run_layer_test

EVENTS = tf.random.stateless_normal([3, 6, 4], [0, 1])
VALID = tf.constant([[1, 1, 1, 1, 1, 1], [0, 0, 0, 0, 1, 1], [0, 0, 0, 0, 0, 0]]) > 0


def _three_topics(each: int = 4, seed: int = 0) -> tuple[tf.Tensor, np.ndarray]:
    """Events near three directions, in random order, [1, 3 * each, 8], and the topic of each."""
    rng = np.random.default_rng(seed)
    topics = rng.permutation(np.repeat(np.arange(3), each))
    directions = np.eye(8)[[0, 3, 5]] + 0.3  # alike in part, as all events of a user are
    lengths = rng.uniform(0.2, 5, (len(topics), 1))  # what an inner product would go by
    return tf.constant((directions[topics] + rng.normal(0, 0.05, (len(topics), 8))) * lengths, tf.float32)[None], topics


def test_contract() -> None:
    run_layer_test(
        DifferentiableClustering,
        {"count": 3, "iterations": 2, "farthest_start": True, "single_assignment": True, "sharpness": 5.0, "seed": 7},
        EVENTS,
        {"interests": (3, 3, 4), "slots": (3, 3), "weights": (3, 6, 3)},
        call={"valid": VALID},
        dtype={"interests": tf.float32, "slots": tf.bool, "weights": tf.float32},
        weights=0,
    )


def _found(layer: DifferentiableClustering, seed: int) -> bool:
    """Whether every topic has a slot of its own."""
    events, topics = _three_topics(seed=seed)
    slots = layer(events, valid=tf.fill([1, len(topics)], True))["weights"].numpy()[0].argmax(-1)
    return len(set(zip(topics, slots, strict=True))) == len(set(slots)) == 3


def test_clusters_are_found_whatever_the_length_of_the_events() -> None:
    assert all(_found(DifferentiableClustering(3), seed) for seed in range(10))


def test_by_inner_products_the_longest_events_take_all() -> None:
    """Why cosines are the default."""
    assert not any(_found(DifferentiableClustering(3, sharpness=None), seed) for seed in range(10))


def test_single_assignment_and_mass() -> None:
    weights = DifferentiableClustering(3)(EVENTS, valid=VALID)["weights"].numpy()
    assert ((weights > 0).sum(-1) <= 1).all()
    assert (weights[0] > 0).any(-1).all()
    soft = DifferentiableClustering(3, single_assignment=False)(EVENTS, valid=VALID)["weights"].numpy()
    np.testing.assert_allclose(soft.sum(-1), VALID.numpy(), rtol=1e-5)


def test_one_iteration_by_hand() -> None:
    """Two opposite events and K = 2: each starts and keeps one centroid; b = e^10 / (e^10 + e^-10) = 1, and squash of
    a vector of length 2 has length 4/5."""
    events = tf.constant([[[2.0, 0.0], [-2.0, 0.0]]])
    found = DifferentiableClustering(2, iterations=1)(events, valid=tf.ones([1, 2], tf.bool))
    np.testing.assert_allclose(found["interests"], [[[-0.8, 0.0], [0.8, 0.0]]], rtol=1e-5)  # the newest event first
    np.testing.assert_allclose(found["weights"], [[[0, 1], [1, 0]]], atol=1e-5)


def test_fewer_events_than_slots() -> None:
    found = DifferentiableClustering(5)(EVENTS, valid=VALID)
    np.testing.assert_array_equal(tf.reduce_sum(tf.cast(found["slots"], tf.int32), 1)[1:], [2, 0])
    assert (found["interests"].numpy()[2] == 0).all()
    missing = ~found["slots"].numpy()
    assert (found["interests"].numpy()[missing] == 0).all()
    assert (found["weights"].numpy().sum(1)[missing] == 0).all()


def test_the_same_event_again_is_no_other_interest() -> None:
    events = tf.concat([EVENTS[:1, :2]] * 3, axis=1)
    found = DifferentiableClustering(4)(events, valid=VALID[:1])
    np.testing.assert_array_equal(found["slots"], [[True, True, False, False]])


@pytest.mark.parametrize("farthest_start", [True, False])
def test_padding_and_invalid_events_count_for_nothing(farthest_start: bool) -> None:
    layer = DifferentiableClustering(3, farthest_start=farthest_start)
    before = layer(EVENTS[:1, 2:], valid=VALID[:1, 2:])
    wild = tf.concat([tf.fill([1, 9, 4], float("nan")), EVENTS[:1, 2:]], 1)
    after = layer(wild, valid=tf.concat([tf.zeros([1, 9], tf.bool), VALID[:1, 2:]], 1))
    np.testing.assert_allclose(after["interests"], before["interests"], rtol=1e-5)
    np.testing.assert_array_equal(after["weights"][:, 9:] > 0, before["weights"] > 0)


def test_users_do_not_see_each_other() -> None:
    layer = DifferentiableClustering(3)
    together, alone = layer(EVENTS, valid=VALID), layer(EVENTS[1:2], valid=VALID[1:2])
    np.testing.assert_allclose(together["interests"][1:2], alone["interests"], rtol=1e-5)


def test_training_starts_from_another_event_each_time_and_serving_from_the_newest() -> None:
    layer = DifferentiableClustering(1, seed=3)
    layer(EVENTS, valid=VALID)
    draws = {layer._start(EVENTS[:1], VALID[:1], True)[0].numpy().tobytes() for _ in range(40)}
    assert len(draws) == 6
    np.testing.assert_array_equal(layer._start(EVENTS[:1], VALID[:1], False)[0][0, 0], EVENTS[0, -1])


def test_the_start_is_spread_out() -> None:
    """The second centroid starts from the event farthest from the first, by hand: of angles 0, 10, 170 and 80 degrees
    the newest (80) comes first, then 170, then 0."""
    angles = np.deg2rad([0, 10, 170, 80])
    events = tf.constant(np.stack([np.cos(angles), np.sin(angles)], -1)[None], tf.float32)
    started, slots = DifferentiableClustering(3)._start(events, tf.ones([1, 4], tf.bool), False)
    np.testing.assert_allclose(started[0], tf.gather(events[0], [3, 2, 0]), rtol=1e-6)
    assert slots.numpy().all()


def test_gradients_are_finite_for_zeros_and_reach_every_event() -> None:
    for events in (tf.zeros([2, 4, 3]), tf.random.stateless_normal([2, 4, 3], [5, 5])):
        with tf.GradientTape() as tape:
            tape.watch(events)
            found = DifferentiableClustering(2)(events, valid=tf.ones([2, 4], tf.bool), training=True)
            loss = tf.reduce_sum(found["interests"] * tf.random.stateless_normal([2, 2, 3], [1, 2]))
        gradient = tape.gradient(loss, events).numpy()
        assert np.isfinite(gradient).all()
    assert (np.abs(gradient).max(-1) > 0).all()


def test_wrong_arguments() -> None:
    with pytest.raises(ValueError, match="count and iterations must be at least 1"):
        DifferentiableClustering(0)
