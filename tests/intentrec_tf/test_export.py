"""The serving contract: the saved model answers as the Keras model does, whatever a client sends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from intentrec_tf.export import Signatures, save_model
from intentrec_tf.models import NextItemModel
from tests.support import ITEMS, LABELS, User, build_model, build_spec, cut, left_padded, random_user, raw_request

L = 8
Raw = dict[str, tf.Tensor]
Answer = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def model() -> NextItemModel:
    return build_model(build_spec(), variant="V3")


@pytest.fixture(scope="module")
def loaded(model: NextItemModel, tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = tmp_path_factory.mktemp("saved") / "1"
    save_model(model, path, temperatures={"fame": 1.0})  # which changes nothing
    return tf.saved_model.load(str(path))


@pytest.fixture(scope="module")
def ask(loaded: Any) -> Callable[[str, Raw], Answer]:
    """Call a signature by name, with the inputs it takes."""

    def call(name: str, raw: Raw) -> Answer:
        function = loaded.signatures[name]
        wanted = function.structured_input_signature[1]
        return {key: value.numpy() for key, value in function(**{key: raw[key] for key in wanted}).items()}

    return call


def _items(answer: Answer) -> list[list[str]]:
    return [[name.decode() for name in row] for row in answer["item_id"]]


def _same(actual: Answer, expected: Answer) -> None:
    assert set(actual) == set(expected)
    for name, values in expected.items():
        if values.dtype == object:
            np.testing.assert_array_equal(actual[name], values, err_msg=name)
        else:
            np.testing.assert_allclose(actual[name], values, rtol=1e-4, atol=1e-5, err_msg=name)


def _finite(answer: Answer) -> None:
    for name, values in answer.items():
        assert values.dtype == object or np.isfinite(values).all(), name


# --- the same answer as in training


def test_item_equals_keras(model: NextItemModel, ask: Callable, users: list[User]) -> None:
    inputs, _ = left_padded(model.spec, users)
    expected = model.item_probabilities(model.newest(model(inputs))).numpy()
    answer = ask("item", raw_request(model.spec, users))
    for b, user in enumerate(users):
        allowed = [row for row in range(2, 2 + ITEMS) if row not in user["item_id"]]
        order = sorted(allowed, key=lambda row: -expected[b, row])
        assert _items(answer)[b] == [model.spec.items.token(row) for row in order] + [""] * (ITEMS - len(order))
        found = answer["score"][b, : len(order)]
        np.testing.assert_allclose(found, expected[b, order], atol=1e-5)
        np.testing.assert_allclose(np.log(found), np.log(expected[b, order]), atol=1e-3)  # small scores too
        assert not answer["score"][b, len(order) :].any()


def test_intent_equals_keras(model: NextItemModel, ask: Callable, users: list[User]) -> None:
    inputs, _ = left_padded(model.spec, users)
    outputs = model(inputs)
    answer = ask("intent", raw_request(model.spec, users))
    for name, labels in LABELS.items():
        expected = tf.nn.softmax(outputs["intents"][name][:, -1]).numpy()
        order = np.argsort(-expected, axis=1, kind="stable")
        np.testing.assert_array_equal(answer[f"{name}/label"], np.array([s.encode() for s in labels], object)[order])
        np.testing.assert_allclose(
            np.log(answer[f"{name}/score"]), np.log(np.take_along_axis(expected, order, 1)), atol=1e-4
        )
    np.testing.assert_allclose(answer["attention"], outputs["attention"][:, -1], atol=1e-5)
    np.testing.assert_allclose(answer["embedding"], outputs["embedding"][:, -1], atol=1e-5)


def test_embed_equals_keras(model: NextItemModel, ask: Callable, users: list[User]) -> None:
    outputs = model(left_padded(model.spec, users)[0])
    answer = ask("embed", raw_request(model.spec, users))
    np.testing.assert_allclose(answer["item_state"], outputs["state"][:, -1], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(answer["intent_embedding"], outputs["embedding"][:, -1], rtol=1e-4, atol=1e-5)


def test_serving_default_is_item(model: NextItemModel, ask: Callable, users: list[User]) -> None:
    raw = raw_request(model.spec, users)
    _same(ask("serving_default", raw), ask("item", raw))


@pytest.mark.parametrize("signature", ["item", "intent", "embed"])
def test_padding_side_does_not_matter(model: NextItemModel, ask: Callable, users: list[User], signature: str) -> None:
    left, right = (ask(signature, raw_request(model.spec, users, side)) for side in ("left", "right"))
    _same(right, left)


@pytest.mark.parametrize("signature", ["item", "intent", "embed"])
def test_padding_content_does_not_matter(
    model: NextItemModel, ask: Callable, users: list[User], signature: str
) -> None:
    raw = raw_request(model.spec, users)
    padding = raw["item_id"] == ""
    wild = {"timestamp": tf.constant(77, tf.int64), "action": "play", "tags": "a|b", "seconds": 5.0}
    dirty = {**raw, **{name: tf.where(padding, value, raw[name]) for name, value in wild.items()}}
    _same(ask(signature, dirty), ask(signature, raw))


@pytest.mark.parametrize("signature", ["item", "intent", "embed"])
def test_a_batch_is_so_many_single_requests(
    model: NextItemModel, ask: Callable, users: list[User], signature: str
) -> None:
    raw = raw_request(model.spec, users[:3], exclude=("item3", ""))
    singles = [ask(signature, {name: values[b : b + 1] for name, values in raw.items()}) for b in range(3)]
    together = ask(signature, raw)
    assert {values.shape[0] for values in together.values()} == {3}
    _same(together, {name: np.concatenate([one[name] for one in singles]) for name in together})


def test_names_dtypes_and_shapes(model: NextItemModel, loaded: Any) -> None:
    outputs = {
        name: {key: (spec.dtype.name, tuple(spec.shape)) for key, spec in function.structured_outputs.items()}
        for name, function in loaded.signatures.items()
    }
    item = {"item_id": ("string", (None, ITEMS)), "score": ("float32", (None, ITEMS))}
    intent: dict[str, Any] = {"attention": ("float32", (None, 7)), "embedding": ("float32", (None, 6))}
    for name, labels in LABELS.items():
        intent |= {f"{name}/label": ("string", (None, len(labels))), f"{name}/score": ("float32", (None, len(labels)))}
    embed = {"item_state": ("float32", (None, 16)), "intent_embedding": ("float32", (None, 6))}
    rank = {"score": ("float32", (None, None))}
    assert outputs == {"item": item, "serving_default": item, "intent": intent, "rank": rank, "embed": embed}
    inputs = {
        key: (spec.dtype.name, tuple(spec.shape))
        for key, spec in loaded.signatures["item"].structured_input_signature[1].items()
    }
    assert inputs == {
        "item_id": ("string", (None, L)),
        "timestamp": ("int64", (None, L)),
        "action": ("string", (None, L)),
        "tags": ("string", (None, L)),
        "seconds": ("float32", (None, L)),
        "request_time": ("int64", (None,)),
        "exclude_item_id": ("string", (None, None)),
    }


@pytest.mark.parametrize(("variant", "names"), [("V0", set()), ("V1", {"intent"}), ("V2", {"intent"})])
def test_signatures_of_the_other_variants(users: list[User], variant: str, names: set[str]) -> None:
    model = build_model(build_spec(), variant=variant)
    functions = Signatures(model, top_k=5).functions
    assert set(functions) == {"item", "rank", "embed", "serving_default"} | names
    raw = raw_request(model.spec, users)
    assert functions["item"](**raw)["item_id"].shape == (4, 5)
    del raw["exclude_item_id"]
    assert ("intent_embedding" in functions["embed"](**raw)) == (variant == "V2")
    if names:
        answer = functions["intent"](**raw)
        assert ("attention" in answer) == ("embedding" in answer) == (variant == "V2")
        _finite({name: value.numpy() for name, value in answer.items()})


def test_a_half_precision_model_answers_in_float32(users: list[User]) -> None:
    tf.keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        model = build_model(build_spec(), variant="V3")
        raw = raw_request(model.spec, users)
        signatures = Signatures(model)
        answers = {"item": signatures.item(**raw)}
        del raw["exclude_item_id"]
        answers |= {"intent": signatures.intent(**raw), "embed": signatures.embed(**raw)}
    finally:
        tf.keras.mixed_precision.set_global_policy("float32")
    for answer in answers.values():
        assert {value.dtype for value in answer.values()} <= {tf.float32, tf.string}
        _finite({name: value.numpy() for name, value in answer.items()})


# --- what may be recommended


def test_oov_and_padding_are_never_recommended(model: NextItemModel, ask: Callable, users: list[User]) -> None:
    strangers = {**users[0], "item_id": np.ones(8, np.int32)}
    names = _items(ask("item", raw_request(model.spec, [strangers, users[3]])))
    assert sorted(names[0]) == sorted(model.spec.items.tokens)  # a history of strangers excludes nothing
    assert names[1].count("") == 1  # the seen item
    assert set(names[1]) < {*model.spec.items.tokens, ""}


def test_oov_and_padding_are_never_recommended_even_if_they_score_best(users: list[User]) -> None:
    model = build_model(build_spec(exclude_seen=False), variant="V0")
    model.item_head.bias.assign(np.r_[5e9, 5e9, np.zeros(ITEMS)])
    found = Signatures(model, top_k=100).item(**raw_request(model.spec, users))["item_id"].numpy()
    assert {name.decode() for name in found.ravel()} == set(model.spec.items.tokens)


def test_excluded_and_seen_items_are_never_recommended(model: NextItemModel, ask: Callable, users: list[User]) -> None:
    everything = ask("item", raw_request(model.spec, users))
    first = _items(everything)[3][0]
    answer = ask("item", raw_request(model.spec, users, exclude=(first, "unknown", "")))
    for user, names in zip(users, _items(answer), strict=True):
        seen = {model.spec.items.token(int(row)) for row in user["item_id"]}
        assert not (seen | {first}) & set(names)
    # the score is the probability before exclusion, so the others keep theirs
    np.testing.assert_allclose(answer["score"][3, :5], everything["score"][3, 1:6], rtol=1e-5)


def test_seen_items_come_back_where_the_schema_wants_it(users: list[User]) -> None:
    model = build_model(build_spec(exclude_seen=False), variant="V0")
    raw = raw_request(model.spec, users, exclude=("item4",))
    names = Signatures(model).item(**raw)["item_id"].numpy()
    for row in names:
        assert {name.decode() for name in row} == {*model.spec.items.tokens, ""} - {"item4"}


def test_nothing_left_to_recommend(model: NextItemModel, ask: Callable, users: list[User]) -> None:
    answer = ask("item", raw_request(model.spec, users, exclude=model.spec.items.tokens))
    assert _items(answer) == [[""] * ITEMS] * 4
    assert not answer["score"].any()


# --- histories a client may really send


def test_an_empty_history_gets_the_training_shares(model: NextItemModel, ask: Callable) -> None:
    nobody = cut(random_user(model.spec, 2, seed=0), slice(0, 0))
    raw = raw_request(model.spec, [nobody], exclude=("item1",))
    answer = ask("item", raw)
    assert _items(answer)[0] == [f"item{i}" for i in range(ITEMS) if i != 1] + [""]
    np.testing.assert_allclose(answer["score"][0, :2], [12 / 78, 10 / 78], rtol=1e-6)
    intents = ask("intent", raw)
    assert intents["what/label"][0].tolist() == [b"play", b"buy", b"browse"]
    np.testing.assert_allclose(intents["what/score"][0], [3 / 6, 2 / 6, 1 / 6], rtol=1e-6)
    for name in ("intent", "embed", "item"):
        _finite(ask(name, raw))


def test_without_any_training_count_an_empty_history_is_finite() -> None:
    spec = build_spec()
    spec.item_prior[:] = 0
    model = build_model(spec, variant="V0")
    answer = Signatures(model).item(**raw_request(spec, [cut(random_user(spec, 1, 0), slice(0, 0))]))
    assert np.isfinite(answer["score"]).all()


CHANGES: dict[str, Callable[[Raw], Raw]] = {
    "unknown items and labels": lambda raw: {
        **raw,
        "item_id": tf.where(raw["item_id"] == "", "", "☃"),
        "action": tf.fill(raw["action"].shape, "?"),
        "tags": tf.fill(raw["tags"].shape, "?|a||?|b|c|d|?"),
    },
    "missing labels": lambda raw: {**raw, "action": tf.fill(raw["action"].shape, ""), "tags": raw["action"]},
    "NaN": lambda raw: {**raw, "seconds": tf.fill(raw["seconds"].shape, np.nan)},
    "negative numbers": lambda raw: {**raw, "seconds": tf.fill(raw["seconds"].shape, -1e30)},
    "infinite numbers": lambda raw: {**raw, "seconds": tf.fill(raw["seconds"].shape, -np.inf)},
    "events out of order": lambda raw: {**raw, "timestamp": raw["timestamp"][:, ::-1]},
    "events in the future": lambda raw: {**raw, "request_time": raw["request_time"] - 10**9},
    "events before 1970": lambda raw: {**raw, "timestamp": -raw["timestamp"], "request_time": -raw["request_time"]},
    "extreme times": lambda raw: {
        **raw,
        "timestamp": tf.fill(raw["timestamp"].shape, tf.int64.max),
        "request_time": tf.fill(raw["request_time"].shape, tf.int64.min),
    },
    "a hole in the middle": lambda raw: {
        **raw,
        "item_id": tf.where(tf.range(L) == 5, "", raw["item_id"]),
    },
}


@pytest.mark.parametrize("change", list(CHANGES))
def test_odd_histories_are_finite(model: NextItemModel, ask: Callable, users: list[User], change: str) -> None:
    raw = CHANGES[change](raw_request(model.spec, users))
    for name in ("intent", "embed", "item"):
        _finite(ask(name, raw))
    assert all(any(names) for names in _items(ask("item", raw)))


def test_the_request_time_matters(model: NextItemModel, ask: Callable, users: list[User]) -> None:
    raw = raw_request(model.spec, users)
    later = {**raw, "request_time": raw["request_time"] + 86_400 * 30}
    assert np.abs(ask("item", raw)["score"] - ask("item", later)["score"]).max() > 1e-4


def test_attention_is_in_alphabetical_order_and_sums_to_one(
    model: NextItemModel, ask: Callable, users: list[User]
) -> None:
    answer = ask("intent", raw_request(model.spec, users))
    np.testing.assert_allclose(answer["attention"].sum(1), 1, rtol=1e-5)
    probabilities = []
    for name in sorted(LABELS):
        place = {label.encode(): i for i, label in enumerate(LABELS[name])}
        order = np.vectorize(place.get)(answer[f"{name}/label"])
        probabilities.append(tf.constant(np.take_along_axis(answer[f"{name}/score"], order.argsort(1), 1)))
    embedding, attention = model.get_layer("intent_aggregation")(probabilities)  # Eq 2, from the answered intents
    np.testing.assert_allclose(answer["attention"], attention, atol=1e-5)
    np.testing.assert_allclose(answer["embedding"], embedding, atol=1e-4)


# --- what the intent signature holds


def _reachable_nodes(function: Any) -> set[str]:
    """Names of all operations a signature can run, through the functions it calls."""
    graph = function.graph.as_graph_def()
    library = {f.signature.name: f.node_def for f in graph.library.function}
    names, todo, done = set(), [graph.node], set()
    while todo:
        for node in todo.pop():
            names.add(f"{node.op}:{node.name}")
            for value in node.attr.values():
                for called in (value.func.name, *(f.name for f in value.list.func)):
                    if called in library and called not in done:
                        done.add(called)
                        todo.append(library[called])
    return names


def _item_parts(model: Any) -> set[tuple[str, tuple[int, ...]]]:
    encoder = model.get_layer("item_encoder").trainable_weights
    inputs = [weight for name in ("item_input", "item_input_norm") for weight in model.get_layer(name).weights]
    return {(w.name, tuple(w.shape)) for w in (*encoder, *inputs, *model.item_head.weights)}


def test_the_intent_graph_holds_nothing_of_the_item_predictor(model: NextItemModel, loaded: Any) -> None:
    intent, item = loaded.signatures["intent"], loaded.signatures["item"]
    forbidden = _item_parts(model)
    held = {name: {(v.name, tuple(v.shape)) for v in loaded.signatures[name].variables} for name in ("intent", "item")}
    assert held["intent"]
    assert not held["intent"] & forbidden
    assert held["item"] >= forbidden  # or this test could not fail
    for word in ("item_encoder", "item_head", "item_input", "TensorScatterUpdate"):
        assert not [node for node in _reachable_nodes(intent) if word in node], word
        assert [node for node in _reachable_nodes(item) if word in node], word


def test_item_vectors_are_computed_at_the_export_alone(model: NextItemModel) -> None:
    """Else every request would do the work of the whole catalogue."""
    signatures = Signatures(model)
    np.testing.assert_array_equal(signatures.item_vectors, model.item_embedding.item_vectors())
    functions = signatures.functions
    kept = signatures.item_vectors.ref()
    assert {n for n, f in functions.items() if kept in {v.ref() for v in f.variables}} == {"item", "serving_default"}


def test_the_intent_graph_captures_none_of_the_item_variables(model: NextItemModel) -> None:
    """By identity, on the functions before saving."""
    signatures = Signatures(model)
    functions = signatures.functions
    parts = [*model.get_layer("item_encoder").trainable_weights, *model.item_head.weights]
    forbidden = {weight.ref() for weight in parts}
    held = {name: {variable.ref() for variable in functions[name].variables} for name in ("intent", "item")}
    assert not held["intent"] & forbidden
    assert held["item"] >= forbidden
    # The item prior and names, and the exclusion's lookups, are no business of the intents either.
    shapes = {tuple(captured.shape) for captured in functions["intent"].captured_inputs}
    assert (ITEMS + 2,) not in shapes


@pytest.mark.parametrize("signature", ["intent", "item", "embed"])
def test_holes_in_a_history_do_not_matter(
    model: NextItemModel, ask: Callable, users: list[User], signature: str
) -> None:
    """Padding between events, as a careless caller may send it, is moved aside."""
    user = cut(users[0], slice(0, 5))
    raw = raw_request(model.spec, [user], side="right")
    places = np.array([0, 5, 1, 6, 2, 3, 7, 4])  # events 0..4 stay in order, empty places 5..7 come between
    history = [name for name, values in raw.items() if values.shape.rank == 2 and name != "exclude_item_id"]
    holey = {name: tf.gather(values, places, axis=1) if name in history else values for name, values in raw.items()}
    assert holey["item_id"][0, 1] == b""
    _same(ask(signature, holey), ask(signature, raw))


def test_a_label_said_twice_counts_once(model: NextItemModel, ask: Callable, users: list[User]) -> None:
    """As in preparation, where an event's labels are a set; unknown labels are one label."""
    label, other = model.spec.vocabularies["tags"].tokens[:2]
    raw = raw_request(model.spec, [users[0]])
    texts = {"once": f"{other}|{label}", "twice": f"{label}|{label}|{other}", "alone": label}
    answers = {}
    for name, text in texts.items():
        tags = raw["tags"].numpy()
        tags[0, -1] = text
        answers[name] = ask("embed", {**raw, "tags": tf.constant(tags)})
    _same(answers["twice"], answers["once"])
    assert np.abs(answers["alone"]["item_state"] - answers["once"]["item_state"]).max() > 1e-5


def test_independent_labels_are_served_as_sigmoids(users: list[User]) -> None:
    """With the sigmoid loss a multi-label intent's scores are probabilities of their own, not shares of one."""
    model = build_model(build_spec(), variant="V2", multi_label_loss="sigmoid")
    name = model.spec.schema.category_intents[0].name
    raw = raw_request(model.spec, [*users[:2], cut(users[0], slice(0, 0))])
    del raw["exclude_item_id"]
    scores = Signatures(model).intent(**raw)[f"{name}/score"].numpy()
    inputs, _ = left_padded(model.spec, users[:2], L)
    logits = model(inputs)["intents"][name][:, -1].numpy()
    np.testing.assert_allclose(scores[:2], -np.sort(-1 / (1 + np.exp(-logits)), axis=1), rtol=1e-5)
    assert np.abs(scores[:2].sum(1) - 1).min() > 0.05
    shares = model.spec.intent_priors[name] / model.spec.item_prior.sum()
    np.testing.assert_allclose(scores[2], -np.sort(-shares), rtol=1e-6)


@pytest.mark.parametrize("form", ["softmax", "sigmoid"])
def test_temperatures_change_the_scores_of_intents_alone(users: list[User], form: str) -> None:
    model = build_model(build_spec(), variant="V2", multi_label_loss=form)
    raw = raw_request(model.spec, [*users[:2], cut(users[0], slice(0, 0))])
    excluded = raw.pop("exclude_item_id")
    plain, warm = Signatures(model), Signatures(model, temperatures={"mood": 2.5, "what": 0.5})
    before, after = plain.intent(**raw), warm.intent(**raw)
    outputs = model(left_padded(model.spec, users[:2], L)[0])
    said = {"mood": tf.sigmoid if form == "sigmoid" else tf.nn.softmax, "what": tf.nn.softmax}
    for name, temperature in (("mood", 2.5), ("what", 0.5)):
        expected = said[name](outputs["intents"][name][:, -1] / temperature).numpy()
        np.testing.assert_allclose(after[f"{name}/score"][:2], -np.sort(-expected, axis=1), rtol=1e-4)
        np.testing.assert_array_equal(after[f"{name}/label"], before[f"{name}/label"])
        np.testing.assert_array_equal(after[f"{name}/score"][2], before[f"{name}/score"][2])  # nobody's shares
    others = set(before) - {"mood/score", "what/score"}
    _same({name: after[name].numpy() for name in others}, {name: before[name].numpy() for name in others})
    items = [signatures.item(exclude_item_id=excluded, **raw) for signatures in (plain, warm)]
    _same(*({name: values.numpy() for name, values in answer.items()} for answer in items))
    with pytest.raises(ValueError, match="'nothing'"):
        Signatures(model, temperatures={"nothing": 1.0})
    with pytest.raises(ValueError, match="-1"):
        Signatures(model, temperatures={"mood": -1.0})
