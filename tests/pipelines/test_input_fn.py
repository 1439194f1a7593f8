"""Batches: the next event of the same user, nothing of the future, every event once."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import numpy as np
import pytest

from intentrec_tf.records import intent_column
from pipelines.input_fn import evaluation_batches, training_batches
from pipelines.prepared import PreparedData
from pipelines.split import TEST, TRAIN, VALIDATION

FEATURES = ("action", "seconds", "places")


@pytest.fixture(params=["time", "last"])
def data(request: pytest.FixtureRequest, prepared: PreparedData, prepared_last: PreparedData) -> PreparedData:
    return {"time": prepared, "last": prepared_last}[request.param]


def events_of(data: PreparedData) -> list[list[dict[str, Any]]]:
    """Per user its events as the model should read them."""
    spec = data.spec
    users = []
    for _, frame in data.events.groupby("user_id", sort=False):
        users.append([])
        for event in frame.to_dict("records"):
            places = sorted(spec.vocabularies["places"].lookup(list(set(event["places"].split("|")) - {""})).tolist())
            users[-1].append(
                {
                    "item_id": int(spec.items.lookup([event["item_id"]])[0]),
                    "timestamp": event["timestamp"],
                    "action": int(spec.vocabularies["action"].lookup([event["action"]])[0]),
                    "seconds": float(np.float32(event["seconds"])),
                    "places": (*places, *[0] * (3 - len(places))),
                    "split": event["split"],
                    "labels": tuple(
                        [*spec.intent_labels[name], ""].index(event[intent_column(name)])
                        if event[intent_column(name)]
                        else -1
                        for name in ("action", "repeat", "phase")
                    ),
                }
            )
    return users


def pair(before: dict[str, Any], after: dict[str, Any]) -> tuple:
    values = (before[name] for name in ("item_id", "timestamp", *FEATURES))
    return (*values, after["timestamp"], after["item_id"], *after["labels"])


def wanted(data: PreparedData, last: int | None) -> Counter[tuple]:
    found: Counter[tuple] = Counter()
    for user in events_of(data):
        kept = [event for event in user if event["split"] == TRAIN]
        pairs = [pair(*two) for two in itertools.pairwise(kept)]
        found.update(pairs[-last:] if last else pairs)
    return found


def read(batches: Any) -> tuple[Counter[tuple], list[tuple]]:
    """Every training position of an epoch as a tuple, and the same in order."""
    ordered = []
    for inputs, targets in batches:
        values = {name: value.numpy() for name, value in inputs.items()}
        goals = {name: value.numpy() for name, value in targets.items()}
        real = values["segment"] > 0
        for name, value in values.items():
            assert not value[~real].any(), name
        assert not goals["weight"][~real].any()
        assert not goals["item"][~real].any()
        assert all((goals[name][~real] == -1).all() for name in ("action", "repeat", "phase"))
        assert (goals["weight"][real] > 0).any()
        for row, place in zip(*np.nonzero(real), strict=True):
            places = tuple(values["places"][row, place].tolist())
            head = [values[name][row, place].item() for name in ("item_id", "timestamp", "action", "seconds")]
            tail = [values["next_timestamp"][row, place].item(), goals["item"][row, place].item()]
            labels = [goals[name][row, place].item() for name in ("action", "repeat", "phase")]
            ordered.append((*head, places, *tail, *labels))
    return Counter(ordered), ordered


def test_targets_are_the_next_training_event_of_the_same_user(data: PreparedData):
    """``last`` takes the newest L = 8 transitions; nothing of validation or test is input or target."""
    found, _ = read(training_batches(data, rows_per_batch=3, row_length=20))
    assert found == wanted(data, 8)


def test_all_covers_every_transition_once(data: PreparedData):
    found, _ = read(training_batches(data, rows_per_batch=3, row_length=20, history="all"))
    assert found == wanted(data, None)
    assert sum(found.values()) > sum(wanted(data, 8).values())


def test_every_batch_has_the_full_shape(prepared: PreparedData):
    shapes = {
        (name, tuple(value.shape))
        for inputs, targets in training_batches(prepared, rows_per_batch=7, row_length=4)
        for name, value in {**inputs, **{f"target {n}": v for n, v in targets.items()}}.items()
    }
    assert ("item_id", (7, 8)) in shapes  # row_length is raised to L
    assert ("places", (7, 8, 3)) in shapes
    assert len(shapes) == len({name for name, _ in shapes})


def test_epochs_differ_in_order_only_and_a_seed_repeats_them(prepared: PreparedData):
    batches = training_batches(prepared, 4, 16, seed=5)
    (first, order), (second, other) = read(batches), read(batches)
    assert first == second
    assert order != other
    again = training_batches(prepared, 4, 16, seed=5)
    assert [read(again)[1], read(again)[1]] == [order, other]
    assert read(training_batches(prepared, 4, 16, seed=6))[1] != order


@pytest.mark.parametrize("part", [VALIDATION, TEST])
def test_evaluation_rows_hold_the_past_alone(data: PreparedData, part: int):
    length = data.spec.schema.max_history
    rows = {}
    pasts = []
    for inputs, targets in evaluation_batches(data, part, batch=16):
        values = {name: value.numpy() for name, value in inputs.items()}
        goals = {name: value.numpy() for name, value in targets.items()}
        pasts += [(seen > 0).sum() for seen in values["segment"]]
        assert values["item_id"].shape[1] == max(pasts[-len(goals["item"]) :]) <= length
        for i in range(len(goals["item"])):
            real = values["segment"][i] > 0
            assert (np.diff(real.astype(int)) >= 0).all()  # padding on the left
            assert not values["item_id"][i][~real].any()
            assert not values["places"][i][~real].any()
            history = [
                (
                    *(values[name][i, k].item() for name in ("item_id", "timestamp", "action", "seconds")),
                    tuple(values["places"][i, k].tolist()),
                )
                for k in np.flatnonzero(real)
            ]
            seen = sorted(row for row in goals["seen"][i].tolist() if row)
            labels = tuple(goals[name][i].item() for name in ("action", "repeat", "phase"))
            goal = (goals["item"][i].item(), values["next_timestamp"][i, -1].item(), labels)
            steps = values["next_timestamp"][i][real][:-1].tolist()
            assert steps == [moment for _, moment, *_ in history[1:]]
            rows[goals["event"][i].item()] = (history, seen, goal)
    assert pasts == sorted(pasts)
    expected = {}
    number = -1
    for user in events_of(data):
        for k, event in enumerate(user):
            number += 1
            if event["split"] == part and k > 0:  # without a past there is no question
                past = [tuple(e[n] for n in ("item_id", "timestamp", *FEATURES)) for e in user[:k]]
                goal = (event["item_id"], event["timestamp"], event["labels"])
                expected[number] = (past[-length:], sorted({e["item_id"] for e in user[:k]}), goal)
    assert any(len(seen) > length for _, seen, _ in expected.values())  # L cuts the history, not what was seen
    assert rows == expected


def test_a_subset_of_targets_is_seeded(prepared: PreparedData):
    def times(**options: int) -> list[int]:
        batches = evaluation_batches(prepared, TEST, **options)
        return [t for inputs, _ in batches for t in inputs["next_timestamp"][:, -1].numpy().tolist()]

    everything, some = times(), times(max_targets=10)
    assert len(some) == 10 < len(everything)
    assert not Counter(some) - Counter(everything)
    assert times(max_targets=10, batch=3) == some
    assert times(max_targets=10, seed=1) != some
    assert times(max_targets=10**6) == everything
