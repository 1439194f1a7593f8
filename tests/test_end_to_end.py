"""Training/serving skew: one user, three ways, one answer.

(a) TFRecord -> ``evaluation_batches`` -> Keras model, (b) raw strings -> loaded SavedModel, (c) raw strings -> client
-> gRPC server.  Weights are random and large, so that a wrong input would show; nothing here depends on training.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import yaml

from intentrec_tf.export import save_model
from intentrec_tf.inputs import assemble_inputs
from intentrec_tf.models import IntentRec
from intentrec_tf.models.config import ModelConfig
from pipelines.datasets.registry import packaged_schema
from pipelines.input_fn import evaluation_batches
from pipelines.prepare import PrepareConfig, prepare
from pipelines.prepared import PreparedData
from pipelines.split import TEST
from serving.client import IntentRecClient, InvalidInputError
from serving.local import LocalServer
from serving.user_data import load_user

LENGTH, K, VERSION = 12, 7, 20260101000000
CLOSE = {"rtol": 1e-4, "atol": 1e-5}


@dataclass
class Question:
    """One target of the test part: what is known before it, and what the Keras model answered (a)."""

    past: list[dict[str, Any]]
    moment: int
    items: np.ndarray  # probabilities of all item rows
    intents: dict[str, np.ndarray]
    attention: np.ndarray
    seen: list[int]


@dataclass
class Way:
    """Everything that answers for one data set."""

    prepared: PreparedData
    model: IntentRec
    saved: Any
    client: IntentRecClient
    questions: list[Question]


def simulated(folder: Path, request: pytest.FixtureRequest) -> PrepareConfig:
    return PrepareConfig(dataset="simulated", size="tiny", schema_file=short_schema("simulated", folder))


def movielens(folder: Path, request: pytest.FixtureRequest) -> PrepareConfig:
    """The ratings of the first users of MovieLens-100K."""
    source = request.getfixturevalue("shared_data") / "ml-100k"
    (folder / "raw").mkdir()
    for name in ("u.item", "u.genre"):
        (folder / "raw" / name).write_bytes((source / name).read_bytes())
    lines = (source / "u.data").read_bytes().splitlines(keepends=True)
    (folder / "raw" / "u.data").write_bytes(b"".join(line for line in lines if int(line.split(b"\t")[0]) <= 40))
    schema = short_schema("movielens-100k", folder)
    return PrepareConfig(dataset="movielens-100k", raw=str(folder / "raw"), schema_file=schema)


def tables(folder: Path, request: pytest.FixtureRequest) -> PrepareConfig:
    """Several labels an event, names beyond ASCII, numbers with many digits, ids that look like numbers."""
    rng, moment = random.Random(1), 1_700_000_000
    lines = ["user_id,item_id,timestamp,places,seconds,mood"]
    for _ in range(600):
        moment += rng.choice([0, 1, 60, 40_000])
        places = "|".join(rng.sample(["home", "bürö", "bus", "東京"], rng.randint(0, 3)))
        row = (f"u{rng.randrange(12)}", f"{rng.randrange(30):03d}", moment, places, rng.expovariate(0.01))
        lines.append(",".join(map(str, (*row, rng.choice(["", "1", "1.50", "So là"])))))
    (folder / "events.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    schema = {
        "name": "tables",
        "event_features": [
            {"name": "places", "kind": "multi_label"},
            {"name": "seconds", "kind": "numeric"},
            {"name": "mood", "kind": "categorical", "min_count": 2},
        ],
        "intents": [
            {"name": "mood", "derive": "column", "column": "mood"},
            {"name": "repeat", "derive": "repeat"},
        ],
        "max_history": LENGTH,
        "request_time": False,
        "exclude_seen": False,
    }
    (folder / "schema.yaml").write_text(yaml.safe_dump(schema), encoding="utf-8")
    files = {"events": str(folder / "events.csv"), "schema_file": str(folder / "schema.yaml")}
    return PrepareConfig(dataset="tables", **files)


def short_schema(name: str, folder: Path) -> str:
    values = {**packaged_schema(name).to_dict(), "max_history": LENGTH}
    (folder / "schema.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    return str(folder / "schema.yaml")


def ask_keras(prepared: PreparedData, model: IntentRec) -> list[Question]:
    """Way (a), every twelfth target of the test part."""
    columns = ["item_id", "timestamp", *(f.name for f in prepared.spec.schema.event_features)]
    pasts = []
    for _, user in prepared.events.groupby("user_id", sort=False):
        rows, parts = user[columns].to_dict("records"), user["split"].tolist()
        before = len(pasts)
        pasts += [(rows[:k], rows[k]) if k and parts[k] == TEST else None for k in range(len(rows))]
        assert len(pasts) == before + len(user)
    questions = []
    for inputs, targets in evaluation_batches(prepared, TEST, batch=64):
        outputs = model(inputs, training=False)
        items = model.item_probabilities(model.newest(outputs)).numpy()
        intents = {name: tf.nn.softmax(logits[:, -1]).numpy() for name, logits in outputs["intents"].items()}
        for i, seen in enumerate(targets["seen"].numpy()):
            found = pasts[targets["event"][i].numpy()]
            assert found is not None
            past, target = found
            assert targets["item"][i].numpy() == prepared.spec.items.lookup([target["item_id"]])[0]
            questions.append(
                Question(
                    past,
                    target["timestamp"],
                    items[i],
                    {name: values[i] for name, values in intents.items()},
                    outputs["attention"][i, -1].numpy(),
                    [row for row in seen.tolist() if row],
                )
            )
    assert len(questions) == sum(found is not None for found in pasts)
    return questions[::12]


@pytest.fixture(scope="module", params=[simulated, movielens, tables], ids=lambda make: make.__name__)
def way(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Way]:
    folder = tmp_path_factory.mktemp(request.param.__name__)
    prepared = prepare(request.param(folder, request), folder / "data", lambda line: None)
    variant = "V3" if request.param is tables else "V2"  # every part of the graph once, the rest in less time
    config = ModelConfig(variant=variant, dim=16, intent_dim=8, feature_dim=4, item_blocks=1)
    model = IntentRec(prepared.spec, config)
    noise = np.random.default_rng(0)
    model.set_weights([w + 0.2 * noise.standard_normal(w.shape).astype(w.dtype) for w in model.get_weights()])
    model.item_embedding.set_catalogue(prepared.spec.catalogue, prepared.spec.item_prior)
    save_model(model, folder / "model" / str(VERSION), K)
    saved = tf.saved_model.load(str(folder / "model" / str(VERSION)))
    with LocalServer(folder / "model") as server, IntentRecClient(server.address) as client:
        client.wait_until_ready(60)
        yield Way(prepared, model, saved, client, ask_keras(prepared, model))


def raw_arrays(way: Way, question: Question, pad_left: bool = True) -> dict[str, tf.Tensor]:
    """The newest events as the SavedModel takes them."""
    newest, arrays = question.past[-LENGTH:], {}
    for name, spec in way.saved.signatures["intent"].structured_input_signature[1].items():
        if name == "request_time":
            arrays[name] = tf.constant([question.moment], tf.int64)
            continue
        values, empty = [event[name] for event in newest], "" if spec.dtype == tf.string else 0
        padding = [empty] * (LENGTH - len(values))
        arrays[name] = tf.constant([[*padding, *values] if pad_left else [*values, *padding]], spec.dtype)
    return arrays


def best_items(way: Way, question: Question) -> list[tuple[str, float]]:
    """(a): the K most probable items, seen ones left out where the schema says so."""
    scores = question.items.copy()
    scores[:2] = -1
    if way.prepared.spec.schema.exclude_seen:
        scores[question.seen] = -1
    return [(way.prepared.spec.items.token(row), float(scores[row])) for row in np.argsort(-scores)[:K]]


def excluded(way: Way, question: Question) -> list[str]:
    """A server knows the newest L events alone; whoever wants more left out has to say so."""
    return [event["item_id"] for event in question.past] if way.prepared.spec.schema.exclude_seen else []


def compare(ours: list[tuple[str, float]], theirs: list[tuple[str, float]]) -> None:
    assert [name for name, _ in ours] == [name for name, _ in theirs]
    np.testing.assert_allclose([s for _, s in ours], [s for _, s in theirs], **CLOSE)


def test_the_questions_are_worth_asking(way: Way):
    lengths = [len(question.past) for question in way.questions]
    assert len(lengths) >= 5
    assert max(lengths) > LENGTH
    assert len({tuple(name for name, _ in best_items(way, question)) for question in way.questions}) > 3


@pytest.mark.parametrize("pad_left", [True, False])
def test_items_from_the_saved_model(way: Way, pad_left: bool):
    for question in way.questions:
        exclude = tf.constant([["", *excluded(way, question)]])
        answer = way.saved.signatures["item"](**raw_arrays(way, question, pad_left), exclude_item_id=exclude)
        names = [name.decode() for name in answer["item_id"].numpy()[0]]
        compare(best_items(way, question), list(zip(names, answer["score"].numpy()[0].tolist(), strict=True)))


def test_items_from_the_server(way: Way):
    for question in way.questions:
        answer = way.client.recommend(question.past, K, excluded(way, question), question.moment)
        compare(best_items(way, question), [(item.item_id, item.score) for item in answer.items])
        assert answer.model_version == VERSION


def test_intents_from_the_saved_model_and_the_server(way: Way):
    for question in way.questions:
        raw = way.saved.signatures["intent"](**raw_arrays(way, question))
        answer = way.client.intent(question.past, question.moment)
        assert set(answer.intents) == set(question.intents)
        for name, values in question.intents.items():
            labels = way.prepared.spec.intent_labels[name]
            order = np.argsort(-values, kind="stable")
            ours = [(labels[k], float(values[k])) for k in order]
            compare(ours, [(entry.label, entry.score) for entry in answer.intents[name]])
            names = [label.decode() for label in raw[f"{name}/label"].numpy()[0]]
            compare(ours, list(zip(names, raw[f"{name}/score"].numpy()[0].tolist(), strict=True)))
        np.testing.assert_allclose(raw["attention"].numpy()[0], question.attention, **CLOSE)
        weights = dict(zip(sorted(question.intents), question.attention, strict=True))
        assert answer.attention == pytest.approx(weights, abs=1e-5)


def test_a_user_read_from_the_prepared_files(way: Way):
    """``intentrec recommend --data`` reads events.parquet: the same values as the frames."""
    events = way.prepared.events
    user = events["user_id"].iloc[-1]
    columns = way.client.event_columns("item")
    history = load_user(way.prepared.folder, user, columns).history
    frame = events.loc[events["user_id"] == user, list(columns)]
    assert history == frame.to_dict("records")


@pytest.mark.parametrize("way", [simulated, tables], indirect=True, ids=["simulated", "tables"])
def test_an_unknown_number_is_the_same_everywhere(way: Way):
    """A missing duration: left out by the client, NaN for the SavedModel and for the Keras model."""
    numeric = [f.name for f in way.prepared.spec.schema.event_features if f.kind == "numeric"]
    question = way.questions[0]
    past = [{**event, numeric[0]: np.nan} if k % 2 else event for k, event in enumerate(question.past[-LENGTH:])]
    arrays = raw_arrays(way, Question(past, question.moment, *[None] * 4))  # type: ignore[list-item]
    spec, events = way.prepared.spec, {}
    for name, values in arrays.items():
        kind = next((f.kind for f in spec.schema.event_features if f.name == name), "")
        texts = [value.decode() for value in values.numpy().ravel()] if values.dtype == tf.string else []
        if name == "item_id":
            events[name] = tf.constant(spec.items.lookup(texts)[None], tf.int32)
        elif kind == "categorical":
            events[name] = tf.constant(spec.vocabularies[name].lookup(texts)[None], tf.int32)
        elif kind == "multi_label":
            rows = [spec.vocabularies[name].lookup(sorted(set(text.split("|")) - {""})).tolist() for text in texts]
            rows = [[*row, *[0] * (spec.event_widths[name] - len(row))] for row in rows]
            events[name] = tf.constant([rows], tf.int32)
        elif name != "request_time":
            events[name] = values
    segment = tf.cast(arrays["item_id"] != "", tf.int32)
    moment = tf.constant([[question.moment]], tf.int64)
    following = tf.concat([events["timestamp"][:, 1:], moment], 1)
    outputs = way.model(assemble_inputs(spec, events, segment, following), training=False)
    scores = way.model.item_probabilities(way.model.newest(outputs)).numpy()[0]
    without = [{k: v for k, v in e.items() if not (k == numeric[0] and np.isnan(v))} for e in past]
    for history in (past, without):
        answer = way.client.recommend(history, K, (), question.moment)
        wanted = [(item.item_id, float(scores[spec.items.lookup([item.item_id])[0]])) for item in answer.items]
        assert np.isfinite([score for _, score in wanted]).all()
        compare(wanted, [(item.item_id, item.score) for item in answer.items])


@pytest.mark.parametrize("way", [movielens], indirect=True, ids=["movielens"])
def test_a_rating_is_text_as_it_stands_in_the_file(way: Way):
    """MovieLens-100K says ``4``; the number 4.0 is refused rather than taken for an unknown label."""
    assert set(way.prepared.spec.vocabularies["rating"].tokens) == set("12345")
    past = way.questions[0].past
    with pytest.raises(InvalidInputError, match="'rating' of event 0"):
        way.client.recommend([{**past[0], "rating": 4.0}], K)
