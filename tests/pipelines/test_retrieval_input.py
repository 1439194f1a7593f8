"""Training batches for retrieval: every event a positive once, its own past before it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from intentrec_tf.retrieval import RetrievalConfig
from intentrec_tf.vocabulary import FIRST
from pipelines.input_fn import evaluation_batches
from pipelines.prepare import PrepareConfig, prepare
from pipelines.prepared import PreparedData
from pipelines.retrieval_input import retrieval_batches, with_topics
from pipelines.split import TRAIN, VALIDATION
from pipelines.validate import DataError

CONFIG = RetrievalConfig(history=6, horizon=4)


@pytest.fixture(scope="module")
def topical(make_shop: Callable[..., PrepareConfig], tmp_path_factory: pytest.TempPathFactory) -> PreparedData:
    """The shop, where people may declare genres."""
    shop = make_shop(tmp_path_factory.mktemp("topical"), {"explicit_interests": "genres"})
    return prepare(shop, tmp_path_factory.mktemp("data") / "topical", lambda line: None)


def _users(data: PreparedData) -> list[list[tuple[int, int]]]:
    """Item row and time of the training events of each user."""
    events = data.events[data.events["split"] == TRAIN]
    rows = data.spec.items.lookup(events["item_id"].tolist())
    pairs = list(zip(rows.tolist(), events["timestamp"].tolist(), strict=True))
    found: dict[str, list[tuple[int, int]]] = {}
    for user, pair in zip(events["user_id"], pairs, strict=True):
        found.setdefault(user, []).append(pair)
    return list(found.values())


@pytest.mark.parametrize("seed", [0, 1])
def test_every_event_is_a_positive_once_and_follows_its_own_past(prepared: PreparedData, seed: int) -> None:
    users = _users(prepared)
    pasts = {}
    for events in users:
        for cut in range(len(events)):
            pasts[tuple(events[max(0, cut - 6) : cut]), events[cut][1]] = [item for item, _ in events[cut : cut + 4]]
    found = 0
    for inputs, targets in retrieval_batches(prepared, CONFIG, users=16, seed=seed):
        assert inputs["item_id"].shape == (16, 6)
        assert targets["item"].shape == (16, 4)
        for row in range(16):
            items = [item for item in targets["item"][row].numpy().tolist() if item]
            weights = targets["weight"][row].numpy()
            assert (weights[len(items) :] == 0).all()
            if not items:
                assert not inputs["segment"][row].numpy().any()
                continue
            found += len(items)
            real = inputs["segment"][row].numpy() > 0
            rows, times = inputs["item_id"][row].numpy()[real], inputs["timestamp"][row].numpy()[real]
            past = tuple(zip(rows.tolist(), times.tolist(), strict=True))
            if past:
                request = int(inputs["next_timestamp"][row, -1])
                assert pasts[past, request][: len(items)] == items
            after = inputs["next_timestamp"][row].numpy()[real][:-1]
            assert (after == times[1:]).all()
    assert found == sum(len(events) for events in users)


def test_no_cut_is_like_another_and_epochs_differ(prepared: PreparedData) -> None:
    batches = retrieval_batches(prepared, CONFIG, users=16)
    epochs = [np.concatenate([targets["item"].numpy() for _, targets in batches]) for _ in range(3)]
    assert len({epoch.tobytes() for epoch in epochs}) == 3
    assert all((epoch > 0).sum() == (epochs[0] > 0).sum() for epoch in epochs)
    again = np.concatenate([t["item"].numpy() for _, t in retrieval_batches(prepared, CONFIG, users=16)])
    np.testing.assert_array_equal(again, epochs[0])


def _topic_batches(data: PreparedData, **config: Any) -> list[tuple[dict, dict]]:
    chosen = RetrievalConfig(interests="conditional", history=6, horizon=4, **config)
    return list(retrieval_batches(data, chosen, users=16))


def test_a_topic_is_one_of_the_items_own(topical: PreparedData) -> None:
    labels = topical.spec.catalogue["genres"]
    seen: dict[int, set[int]] = {}
    for _ in range(5):
        for inputs, targets in _topic_batches(topical):
            for item, topic in zip(targets["item"].numpy().ravel(), inputs["topic"].numpy().ravel(), strict=True):
                own = set(labels[item][labels[item] > 0].tolist())
                assert topic in own or (topic == 0 and not own)
                seen.setdefault(item, set()).add(int(topic))
    several = [item for item in seen if (labels[item] > 0).sum() > 1]
    assert several
    assert all(len(seen[item]) > 1 for item in several)  # not always the same one


def test_the_logged_source_goes_first(make_shop: Callable[..., PrepareConfig], tmp_path: Path) -> None:
    """Actions that are called like genres: an event with one of them has it as topic, whatever the item's genres."""
    shop = make_shop(tmp_path / "shop", {"explicit_interests": "genres"})
    assert shop.events is not None
    events = Path(shop.events)
    events.write_text(events.read_text().replace(",skip,", ",red,"))
    data = prepare(shop, tmp_path / "data", lambda line: None)
    red = int(data.spec.vocabularies["genres"].lookup(["red"])[0])
    topics = Counter()
    for inputs, targets in _topic_batches(data, source_column="action"):
        for item, topic in zip(targets["item"].numpy().ravel(), inputs["topic"].numpy().ravel(), strict=True):
            own = set(data.spec.catalogue["genres"][item].tolist())
            assert topic == red or topic in own or topic == 0
            topics[topic == red and red not in own] += item >= FIRST
    assert topics[True] > 10


@pytest.mark.parametrize("column", ["nowhere", "seconds"])
def test_a_source_that_there_is_not(topical: PreparedData, column: str) -> None:
    with pytest.raises(DataError, match=f"source_column names '{column}', which is no categorical event feature"):
        _topic_batches(topical, source_column=column)


def test_questions_get_a_topic_of_their_target(topical: PreparedData) -> None:
    config = RetrievalConfig(interests="conditional")
    for inputs, targets in with_topics(evaluation_batches(topical, VALIDATION), topical, config):
        assert inputs["topic"].shape == (len(targets["item"]), 1)
        for item, topic in zip(targets["item"].numpy(), inputs["topic"].numpy()[:, 0], strict=True):
            own = set(topical.spec.catalogue["genres"][item].tolist())
            assert topic in own
