"""Slices of new items and new users, against slow implementations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from intentrec_tf import models
from intentrec_tf.data_spec import DataSpec
from intentrec_tf.models import NextItemModel
from intentrec_tf.schema import Schema
from intentrec_tf.vocabulary import FIRST, Vocabulary
from pipelines.baselines import content_popularity
from pipelines.cold_start import (
    AMONG_KNOWN,
    CONTENT,
    KNOWN,
    MODEL,
    NEW,
    RANDOM,
    SO_FAR,
    UNMET,
    ColdStart,
    Slice,
    cold_start,
)
from pipelines.config import RunConfig
from pipelines.evaluate import Evaluation, evaluate, ranking_metrics
from pipelines.input_fn import question_batches
from pipelines.prepare import PrepareConfig, prepare
from pipelines.prepared import PreparedData
from pipelines.report import evaluation_record, print_record
from pipelines.split import TEST

LATE = ("fresh", "newer", "unmet")


def quiet(line: str) -> None:
    pass


def fresh_shop(folder: Path, make_shop: Callable[..., PrepareConfig], **schema: Any) -> PrepareConfig:
    """The shop, where two items come in after the training part; a third one nobody meets.  One user is new, too."""
    shop = make_shop(folder, schema)
    with (folder / "items.csv").open("a", encoding="utf-8") as file:
        file.writelines(f"{name},red,film,{i}.0\n" for i, name in enumerate(LATE))
    rows = (folder / "events.csv").read_text(encoding="utf-8").splitlines()
    times = sorted(int(row.split(",")[2]) for row in rows[1:])
    start, step = times[-40], (times[-1] - times[-40]) // 20
    with (folder / "events.csv").open("a", encoding="utf-8") as file:
        for i in range(40):
            user, item = f"u{i % 7}" if i < 37 else "guest", LATE[0 if i % 3 else 1]
            file.write(f"{user},{item},{start + step * (i // 2)},play,{i}.5,home\n")
    return shop


@pytest.fixture(scope="module")
def data(make_shop: Callable[..., PrepareConfig], tmp_path_factory: pytest.TempPathFactory) -> PreparedData:
    """With the whole catalogue."""
    folder = tmp_path_factory.mktemp("fresh")
    shop = fresh_shop(folder / "in", make_shop).model_copy(update={"min_item_count": 0})
    return prepare(shop, folder / "data", quiet)


Looked = tuple[NextItemModel, Evaluation, ColdStart]


@pytest.fixture(scope="module")
def config(make_config: Callable[..., RunConfig]) -> RunConfig:
    """With id dropout."""
    values = make_config().model_dump()
    values["model"] |= {"id_dropout": 0.3, "variant": "V0"}
    return RunConfig.model_validate(values)


@pytest.fixture(scope="module")
def looked(data: PreparedData, config: RunConfig) -> Looked:
    """A model as it begins, and how it does."""
    model = models.build_model(data.spec, config.model)
    result = evaluate(model, data, TEST)
    return model, result, cold_start(result, model, data, TEST, batch=16)


def new_rows(data: PreparedData) -> list[int]:
    return [row for row in range(FIRST, data.spec.items.size) if data.spec.item_prior[row] == 0]


def test_the_slices_part_the_targets(data: PreparedData, looked: Looked) -> None:
    _, result, found = looked
    events = data.events
    item = events["item_id"].to_numpy()
    assert found.new_items == len(new_rows(data))
    assert {data.spec.items.token(row) for row in new_rows(data)} >= set(LATE)
    known, new = found.slices[KNOWN], found.slices[NEW]
    met = set(events["item_id"][events["split"] == 0])
    assert set(item[known.events]) <= met
    assert not set(item[new.events]) & met
    assert sorted([*known.events, *new.events]) == list(result.events)
    assert len(known.events) > 10 < len(new.events)
    for part in (known, new):
        places = np.searchsorted(result.events, part.events)
        for name, ranks in part.ranks.items():
            np.testing.assert_array_equal(ranks, result.ranks[name][places])
    first = [events.index.get_loc(i) for i in events.drop_duplicates(["user_id", "item_id"]).index]
    for name, part in ((KNOWN, known), (NEW, new)):
        assert list(found.slices[UNMET.format(name)].events) == sorted(set(part.events) & set(first))
    assert len(found.slices[UNMET.format(NEW)].events) < len(new.events)


def test_users_with_little_past(data: PreparedData, looked: Looked) -> None:
    found = looked[2].slices
    past = data.events.groupby("user_id").cumcount().to_numpy()
    for count, words in enumerate(("0 earlier events", "1 earlier event", "2 earlier events")):
        part = found[f"users with {words}"]
        assert len(part.events) > 0
        assert (past[part.events] == count).all()
    nobody = found["users with 0 earlier events"]
    assert set(nobody.ranks) == {MODEL}
    prior = data.spec.item_prior
    for place, rank in zip(nobody.events, nobody.ranks[MODEL], strict=True):
        own = data.spec.items.lookup([data.events["item_id"].iloc[place]])[0]
        assert rank == 1 + sum(prior[row] >= prior[own] for row in range(FIRST, len(prior)) if row != own)


def test_ranks_among_the_new_items(data: PreparedData, looked: Looked) -> None:
    model, _, found = looked
    part, rows = found.among_new[NEW], new_rows(data)
    np.testing.assert_array_equal(part.events, found.slices[NEW].events)
    content = content_popularity(data)({"item_id": np.zeros((1, 1), int)})(0, data.spec.items.size).numpy()[0]
    checked = 0
    for inputs, targets in question_batches(data, part.events, 8):
        scores = model.item_probabilities(model.question(inputs)).numpy()
        for i, place in enumerate(targets["event"].numpy()):
            own, at = int(targets["item"][i]), int(np.searchsorted(part.events, place))
            for name, values in ((MODEL, scores[i]), (CONTENT, content)):
                assert part.ranks[name][at] == 1 + sum(values[row] >= values[own] for row in rows if row != own)
                checked += 1
    assert checked == 2 * len(part.events)
    assert (part.candidates == len(rows)).all()
    assert set(found.among_new) == {NEW, UNMET.format(NEW)}
    np.testing.assert_array_equal(found.among_new[UNMET.format(NEW)].events, found.slices[UNMET.format(NEW)].events)


def test_known_items_are_also_ranked_without_the_new_ones(data: PreparedData, looked: Looked) -> None:
    model, _, found = looked
    part, whole = found.slices[AMONG_KNOWN], found.slices[KNOWN]
    np.testing.assert_array_equal(part.events, whole.events)
    known = [row for row in range(FIRST, data.spec.items.size) if row not in new_rows(data)]
    for inputs, targets in question_batches(data, part.events, 8):
        scores = model.item_probabilities(model.question(inputs)).numpy()
        for i, place in enumerate(targets["event"].numpy()):
            own, at = int(targets["item"][i]), int(np.searchsorted(part.events, place))
            assert part.ranks[MODEL][at] == 1 + sum(scores[i][row] >= scores[i][own] for row in known if row != own)
    assert (part.ranks[MODEL] <= whole.ranks[MODEL]).all()
    assert (part.ranks[MODEL] < whole.ranks[MODEL]).any()


def test_popularity_so_far_knows_the_past_alone(data: PreparedData, looked: Looked) -> None:
    part, events = looked[2].among_new[NEW], data.events
    times, items = events["timestamp"].to_numpy(), events["item_id"].to_numpy()
    names = [data.spec.items.token(row) for row in new_rows(data)]
    decided = 0
    for place, rank in zip(part.events, part.ranks[SO_FAR], strict=True):
        counts = {name: int(((items == name) & (times < times[place])).sum()) for name in names}
        own = counts.pop(items[place])
        above, equal = sum(c > own for c in counts.values()), sum(c == own for c in counts.values())
        assert 1 + above <= rank <= 1 + above + equal  # equal ones in any order
        decided += equal == 0
    assert decided > 0


def test_seen_items_are_no_candidates(
    make_shop: Callable[..., PrepareConfig], config: RunConfig, tmp_path: Path
) -> None:
    """Leave-one-out knows no popularity so far: the other users' last events may be later."""
    shop = fresh_shop(tmp_path / "in", make_shop, exclude_seen=True)
    split = shop.split.model_copy(update={"kind": "leave_one_out"})
    data = prepare(shop.model_copy(update={"min_item_count": 0, "split": split}), tmp_path / "data", quiet)
    spec = data.spec
    # as if nobody had met them before
    lone = data.events["item_id"].to_numpy()[data.events["split"].to_numpy() == TEST][:5]
    spec.item_prior[spec.items.lookup(lone.tolist())] = 0
    model = models.build_model(spec, config.model)
    result = evaluate(model, data, TEST)
    found = cold_start(result, model, data, TEST)
    assert set(found.among_new) == {NEW}
    part = found.among_new[NEW]
    assert set(part.ranks) == {MODEL, CONTENT}
    new = {spec.items.token(row) for row in new_rows(data)}
    events = data.events
    for place, candidates in zip(part.events, part.candidates, strict=True):
        user = events["user_id"].iloc[place]
        past = set(events["item_id"][(events["user_id"] == user) & (np.arange(len(events)) < place)])
        assert candidates == len(new - past)
    assert part.candidates.min() < len(new)


def test_a_random_order_by_hand() -> None:
    # one of four, always within ten: NDCG (1 + 1/log2(3) + 1/2 + 1/log2(5)) / 4; ten of twenty
    part = Slice(np.arange(2), {MODEL: np.array([1, 3])}, np.array([4, 20]))
    few = (1 + 1 / np.log2(3) + 0.5 + 1 / np.log2(5)) / 4
    many = sum(1 / np.log2(1 + place) for place in range(1, 11)) / 20
    found = part.metrics()
    assert found[RANDOM]["HR@10"] == pytest.approx((1 + 0.5) / 2)
    assert found[RANDOM]["NDCG@10"] == pytest.approx((few + many) / 2)
    assert found[MODEL] == {name: ranking_metrics(np.array([1, 3]))[name] for name in ("HR@10", "NDCG@10")}


def test_popularity_of_the_content_by_hand() -> None:
    """a: 8 events of one item, b: 1 of one, c is of a new item alone; a new item is as popular as its labels."""
    features = [{"name": "genres", "kind": "multi_label"}, {"name": "price", "kind": "numeric"}]
    schema = Schema.parse({"name": "s", "item_features": features})
    rows = np.array([[0, 0], [0, 0], [2, 0], [3, 0], [2, 3], [2, 0], [3, 0], [4, 0]], np.int32)
    spec = DataSpec(
        schema=schema,
        items=Vocabulary(["x", "y", "new ab", "new a", "new b", "new c"]),
        vocabularies={"genres": Vocabulary(["a", "b", "c"])},
        catalogue={"genres": rows, "price": np.zeros(8, np.float32)},
        item_prior=np.array([0, 0, 8, 1, 0, 0, 0, 0], np.float32),
    )
    prepared: Any = SimpleNamespace(spec=spec)
    places = content_popularity(prepared)({"item_id": np.zeros((1, 1), int)})(0, 8).numpy()[0]
    # usual 4.5: a log(8 / 4.5) = .58, b log(1 / 4.5) = -1.50, both -.46, c and no label 0
    order = sorted(range(4, 8), key=lambda row: -places[row])
    assert [spec.items.token(row) for row in order] == ["new a", "new c", "new ab", "new b"]
    assert sorted(places) == list(range(8))  # no ties


def test_a_catalogue_without_new_items(prepared: PreparedData, config: RunConfig) -> None:
    model = models.build_model(prepared.spec, config.model)
    found = cold_start(evaluate(model, prepared, TEST), model, prepared, TEST)
    assert found.new_items == 0
    assert found.among_new == {}
    assert KNOWN in found.slices


def test_the_record_and_what_people_see(data: PreparedData, config: RunConfig, looked: Looked) -> None:
    _, result, found = looked
    record = evaluation_record(result, data, config, TEST) | {"cold_start": found.record()}
    among = record["cold_start"]["among_new_items"][NEW]
    assert among["targets"] == len(found.slices[NEW].events)
    assert set(among["metrics"]) == {MODEL, CONTENT, SO_FAR, RANDOM, "most recent items"}
    console = Console(record=True, width=160)
    print_record(record, console)
    text = console.export_text()
    assert "cold start" in text
    assert f"the {found.new_items} new items" in text
    assert f"{among['metrics'][RANDOM]['HR@10']:.4f}" in text
    pd.testing.assert_frame_equal(pd.DataFrame(among["metrics"]), pd.DataFrame(found.among_new[NEW].metrics()))
