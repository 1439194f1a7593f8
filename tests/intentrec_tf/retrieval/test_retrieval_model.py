"""Two towers with several vectors a user."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from intentrec_tf.data_spec import DataSpec
from intentrec_tf.retrieval import RetrievalConfig, RetrievalModel
from intentrec_tf.vocabulary import FIRST
from tests.support import ITEMS, User, build_spec, left_padded, random_user

KINDS = ("single", "dcm", "mind", "comirec", "tokens", "conditional")
SMALL: dict[str, Any] = {"count": 3, "dim": 8, "hidden_dim": 12, "feature_dim": 4, "history": 8, "dropout": 0.0}
TARGETS = {
    "item": tf.constant([[3, 4, 5], [2, 3, 0], [6, 0, 0], [7, 8, 9]]),
    "weight": tf.constant([[1.0, 1.0, 2.0], [1.0, 0.5, 0.0], [1.0, 0.0, 0.0], [1.0, 1.0, 1.0]]),
}


@pytest.fixture(scope="module")
def spec() -> DataSpec:
    return build_spec(explicit_interests="genre")


@pytest.fixture(scope="module")
def users(spec: DataSpec) -> list[User]:
    return [random_user(spec, n, seed) for seed, n in enumerate((8, 5, 1, 3))]


def build(spec: DataSpec, seed: int = 0, **config: Any) -> RetrievalModel:
    """A small model whose weights are large enough for every input to matter."""
    tf.keras.utils.set_random_seed(seed)
    model = RetrievalModel(spec, RetrievalConfig.model_validate({**SMALL, **config}))
    rng = np.random.default_rng(seed)
    for weight in model.trainable_variables:
        weight.assign(rng.normal(0, 0.3, weight.shape))
    return model


def ask(spec: DataSpec, users: list[User], kind: str, length: int = 8) -> dict[str, tf.Tensor]:
    inputs, _ = left_padded(spec, users, length)
    return inputs | ({"topic": tf.constant([[2, 3, 0]] * len(users))} if kind == "conditional" else {})


@pytest.mark.parametrize("start", [{}, {"members": True}, {"members": True, "member_attention": True}])
@pytest.mark.parametrize("kind", KINDS)
def test_outputs(spec: DataSpec, users: list[User], kind: str, start: dict[str, bool]) -> None:
    outputs = build(spec, interests=kind, **start)(ask(spec, users, kind))
    count = 1 if kind == "single" else 3
    assert outputs["queries"].shape == (4, count, 8)
    np.testing.assert_allclose(tf.norm(outputs["queries"], axis=-1), np.ones((4, count)), rtol=1e-5)
    assert outputs["slots"].shape == outputs["mass"].shape == (4, count)
    assert outputs["slots"].numpy().any(-1).all()
    assert (outputs["mass"].numpy() >= 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_padding_and_longer_histories_change_nothing(spec: DataSpec, users: list[User], kind: str) -> None:
    model = build(spec, interests=kind, history=4, members=True, member_attention=True)
    before = model(ask(spec, users[2:], kind, 4))
    after = model(ask(spec, users[2:], kind, 9))
    for name in ("queries", "mass"):
        np.testing.assert_allclose(after[name], before[name], rtol=1e-4, atol=1e-5)
    long = model(ask(spec, users[:1], kind))  # only the newest four of its eight events count
    short = {name: value[4:] for name, value in users[0].items()}
    np.testing.assert_allclose(model(ask(spec, [short], kind))["queries"], long["queries"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_user_without_events_is_asked_for_as_a_whole(spec: DataSpec, users: list[User], kind: str) -> None:
    nobody = {name: value[:0] for name, value in users[0].items()}
    outputs = build(spec, interests=kind, members=True, member_attention=True)(ask(spec, [users[0], nobody], kind))
    assert np.isfinite(outputs["queries"]).all()
    slots = outputs["slots"].numpy()[1]
    np.testing.assert_array_equal(
        slots, [True, True, False] if kind == "conditional" else [True] + [False] * (len(slots) - 1)
    )


@pytest.mark.parametrize("kind", ["single", "conditional"])
def test_queries_start_from_the_items_they_were_found_in(spec: DataSpec, users: list[User], kind: str) -> None:
    """A network that says nothing leaves the mean of the members' vectors: of all events, or of a topic's."""
    model = build(spec, interests=kind, members=True)
    for weight in model.get_layer("crossing").last.weights:
        weight.assign(tf.zeros_like(weight))
    inputs = ask(spec, users[:2], kind)
    outputs = {name: value.numpy() for name, value in model(inputs).items()}
    vectors, items = model.item_vectors().numpy(), inputs["item_id"].numpy()
    for user in range(2):
        own = items[user][items[user] >= FIRST]
        genres = spec.catalogue["genre"][own]
        parts = [own] if kind == "single" else [own[(genres == topic).any(-1)] for topic in (2, 3)]
        for part, query in zip(parts, outputs["queries"][user], strict=False):
            mean = vectors[part].sum(0)
            expected = mean / np.linalg.norm(mean) if len(part) else np.zeros(8)
            np.testing.assert_allclose(query, expected, rtol=1e-4, atol=1e-5)


def test_attention_knows_what_when_where_and_who(spec: DataSpec, users: list[User]) -> None:
    """Where a query starts moves with the request time, the place and the time of an event, and with the user; without
    attention, of one vector, with none of them."""
    inputs = ask(spec, users[:1], "single")
    later = {**inputs, "next_timestamp": inputs["next_timestamp"] + tf.one_hot([7], 8, 9_000_000, dtype=tf.int64)}
    order = tf.constant([1, 0, 2, 3, 4, 5, 6, 7])
    swapped = {**inputs, "item_id": tf.gather(inputs["item_id"], order, axis=1)}
    for attention in (False, True):
        model = build(spec, interests="single", members=True, member_attention=attention)
        for weight in model.get_layer("crossing").last.weights:
            weight.assign(tf.zeros_like(weight))
        before = model(inputs)["queries"].numpy()
        moved = [np.abs(model(other)["queries"].numpy() - before).max() > 1e-4 for other in (later, swapped)]
        assert moved == [attention, attention]
        if attention:
            of_user = model.get_layer("start").of_user
            of_user.kernel.assign(tf.zeros_like(of_user.kernel))
            assert np.abs(model(inputs)["queries"].numpy() - before).max() > 1e-4


def test_events_of_unknown_items_and_ignored_actions_start_no_interest(spec: DataSpec, users: list[User]) -> None:
    user = {**users[0], "item_id": np.array([1, 1, 1, 1, 1, 1, 5, 6], np.int32)}
    user["action"] = np.array([2, 2, 2, 2, 2, 2, 2, 3], np.int32)  # browse, at last buy
    plain = build(spec)(ask(spec, [user], "dcm"))
    assert int(tf.reduce_sum(tf.cast(plain["slots"], tf.int32))) == 2
    strict = build(spec, ignored={"action": ["buy"]})(ask(spec, [user], "dcm"))
    assert int(tf.reduce_sum(tf.cast(strict["slots"], tf.int32))) == 1


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"ignored": {"seconds": ["5"]}}, "'seconds', which is no categorical event feature"),
        ({"ignored": {"action": ["sing"]}}, "'sing', which 'action' never is in training"),
    ],
)
def test_a_configuration_that_does_not_fit(spec: DataSpec, config: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        build(spec, **config)


@pytest.mark.parametrize("kind", ["dcm", "mind", "comirec", "tokens"])
def test_the_whole_user_comes_first(spec: DataSpec, users: list[User], kind: str) -> None:
    """It is there without any event, has all of the history's mass, and takes the place of an interest."""
    nobody = {name: value[:0] for name, value in users[0].items()}
    inputs = ask(spec, [*users, nobody], kind)
    model = build(spec, interests=kind, whole_user=True)
    outputs = {name: value.numpy() for name, value in model(inputs).items()}
    assert outputs["queries"].shape == (5, 3, 8)
    assert outputs["slots"][:, 0].all()
    assert not outputs["slots"][4, 1:].any()
    np.testing.assert_allclose(outputs["mass"][:, 0], np.sum(inputs["item_id"].numpy() > 1, axis=1))
    model.compile(tf.keras.optimizers.Adam(0.02))
    losses = [model.train_on_batch(ask(spec, users, kind), TARGETS) for _ in range(120)]
    assert losses[-1] < min(0.35, losses[0] / 4)
    if kind == "dcm":  # interests of the others are those that two clusters would find
        fewer = build(spec, interests=kind, count=2)(inputs)
        np.testing.assert_array_equal(outputs["slots"][:4, 1:], fewer["slots"][:4])


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"interests": "single"}, "whole_user means nothing where interests are 'single'"),
        ({"interests": "conditional"}, "whole_user means nothing where interests are 'conditional'"),
        ({"interests": "dcm", "count": 1}, "leaves no vector for interests where count is 1"),
    ],
)
def test_the_whole_user_needs_interests_beside(config: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        RetrievalConfig(whole_user=True, **config)


def test_topics_need_a_schema_that_has_them() -> None:
    with pytest.raises(ValueError, match="need explicit_interests, which schema 'synthetic' has not"):
        build(build_spec(), interests="conditional")
    with pytest.raises(ValueError, match="leave it out"):
        RetrievalConfig(interests="single", choice="gumbel")
    with pytest.raises(ValueError, match="a mixture chooses no vector"):
        RetrievalConfig(interests="dcm", choice="hard", contrast="mixture")
    with pytest.raises(ValueError, match="member_attention needs members"):
        RetrievalConfig(interests="dcm", member_attention=True)


def test_a_topic_moves_its_own_query_only(spec: DataSpec, users: list[User]) -> None:
    model = build(spec, interests="conditional")
    inputs = ask(spec, users, "conditional")
    before = model(inputs)["queries"].numpy()
    after = model({**inputs, "topic": tf.constant([[2, 4, 0]] * 4)})["queries"].numpy()
    np.testing.assert_allclose(after[:, 0], before[:, 0], rtol=1e-5)
    assert np.abs(after[:, 1] - before[:, 1]).max() > 1e-3


def test_scores_are_the_best_of_the_slots_there_are(spec: DataSpec, users: list[User]) -> None:
    model = build(spec)
    outputs = model(ask(spec, users, "dcm"))
    scores = model.item_scorer(outputs)(tf.constant(2), tf.constant(9)).numpy()
    every = outputs["queries"].numpy() @ model.item_vectors().numpy()[2:9].T
    slots = outputs["slots"].numpy()
    for user in range(4):
        np.testing.assert_allclose(scores[user], every[user][slots[user]].max(0), rtol=1e-4, atol=1e-6)
    assert not slots.all()


@pytest.mark.parametrize(
    ("kind", "contrast"),
    [
        *((kind, "mixture") for kind in KINDS),
        *((kind, "chosen") for kind in KINDS[1:5]),  # of one vector, and of a topic's, there is but one choice
        ("dcm", "all"),
        ("comirec", "all"),
    ],
)
def test_four_users_are_learnt_by_heart(spec: DataSpec, users: list[User], kind: str, contrast: str) -> None:
    members = contrast == "mixture"
    model = build(spec, interests=kind, contrast=contrast, members=members, member_attention=members)
    inputs = ask(spec, users, kind)
    model.compile(tf.keras.optimizers.Adam(0.02), jit_compile=kind == "dcm")
    losses = [model.train_on_batch(inputs, TARGETS) for _ in range(120)]
    assert losses[-1] < min(0.35, losses[0] / 4)


def _loss(model: RetrievalModel, inputs: dict, items: Any, weights: Any = None) -> float:
    items = tf.constant(items)
    weights = tf.ones(items.shape) if weights is None else tf.constant(weights)
    return float(model.retrieval_loss(inputs, {"item": items, "weight": weights}, training=False))


@pytest.mark.parametrize("contrast", ["all", "chosen", "mixture"])
def test_the_loss_by_hand(spec: DataSpec, users: list[User], contrast: str) -> None:
    """Two users with one positive each, all items as frequent: two softmaxes over two items."""
    model = build(spec, contrast=contrast, temperature=0.5)
    inputs = ask(spec, users[:2], "dcm")
    outputs = model(inputs)
    vectors, queries = model.item_vectors().numpy(), outputs["queries"].numpy() / 0.5
    total = 0.0
    for user, own, other in ((0, 4, 7), (1, 7, 4)):
        real = queries[user][outputs["slots"].numpy()[user]]
        chosen = real[(real @ vectors[own]).argmax()]
        mine = np.exp((real if contrast == "mixture" else chosen[None]) @ vectors[own]).sum()
        against = np.exp((chosen[None] if contrast == "chosen" else real) @ vectors[other]).sum()
        total += -np.log(mine / (mine + against))
    assert _loss(model, inputs, [[4], [7]]) == pytest.approx(total / 2, rel=1e-4)


def test_accidental_hits_are_no_negatives(spec: DataSpec, users: list[User]) -> None:
    """If all positives are one item there is nothing to compare with; nor are a user's own other positives."""
    model = build(spec)
    assert _loss(model, ask(spec, users[:2], "dcm"), [[4], [4]]) == pytest.approx(0, abs=1e-5)
    assert _loss(model, ask(spec, users[:1], "dcm"), [[4, 5, 6]]) == pytest.approx(0, abs=1e-5)
    assert _loss(model, ask(spec, users[:2], "dcm"), [[4], [5]]) > 0.01
    # of 4, 5 and 4 the first and third are no negatives of each other, and both are the second's
    model = build(spec, contrast="chosen", temperature=0.5)
    inputs = ask(spec, users[:3], "dcm")
    outputs, vectors = model(inputs), model.item_vectors().numpy()
    total = 0.0
    for user, own, others in ((0, 4, [5]), (1, 5, [4, 4]), (2, 4, [5])):
        real = outputs["queries"].numpy()[user][outputs["slots"].numpy()[user]] / 0.5
        chosen = np.exp(vectors @ real[(real @ vectors[own]).argmax()])
        total -= np.log(chosen[own] / (chosen[own] + chosen[others].sum()))
    assert _loss(model, inputs, [[4], [5], [4]]) == pytest.approx(total / 3, rel=1e-4)


def test_what_has_no_weight_and_no_item_counts_for_nothing(spec: DataSpec, users: list[User]) -> None:
    model = build(spec)
    inputs = ask(spec, users[:2], "dcm")
    plain = _loss(model, inputs, [[4], [7]])
    assert _loss(model, inputs, [[4, 0], [7, 0]], [[1.0, 5.0], [1.0, 5.0]]) == pytest.approx(plain, rel=1e-5)
    assert _loss(model, inputs, [[4, 1], [7, 1]], [[1.0, 5.0], [1.0, 5.0]]) == pytest.approx(plain, rel=1e-5)
    assert _loss(model, inputs, [[0], [0]]) == 0


def test_frequent_items_weigh_less_as_negatives(spec: DataSpec, users: list[User]) -> None:
    """logQ: the logarithm of the frequency is subtracted, so a negative ten times as frequent counts a tenth."""
    model = build(spec, interests="single", temperature=0.5)
    inputs = ask(spec, users[:2], "single")
    queries = model(inputs)["queries"].numpy()[:, 0] / 0.5
    vectors = model.item_vectors().numpy()
    model.frequency.interval.assign(tf.where(tf.range(spec.items.size) == 7, 1.0, 10.0))
    total = 0.0
    for user, own, other, factor in ((0, 4, 7, 0.1), (1, 7, 4, 10.0)):
        score, against = np.exp(queries[user] @ vectors[own]), factor * np.exp(queries[user] @ vectors[other])
        total += -np.log(score / (score + against))
    assert _loss(model, inputs, [[4], [7]]) == pytest.approx(total / 2, rel=1e-4)


def test_a_constant_model_is_no_good(spec: DataSpec, users: list[User]) -> None:
    """A model whose items are all alike gives every item the same score; ties count against the target."""
    from intentrec_tf.metrics.ranking import target_rank

    model = build(spec)
    for weight in (*model.item_embedding.weights, *model.item_tower.weights):
        if weight.dtype == tf.float32:
            weight.assign(tf.zeros_like(weight))
    outputs = model(ask(spec, users, "dcm"))
    rank = target_rank(model.item_scorer(outputs), spec.items.size, tf.constant([FIRST] * 4))
    np.testing.assert_array_equal(rank, [ITEMS] * 4)


def test_weights_save_and_load(spec: DataSpec, users: list[User], tmp_path: Any) -> None:
    model, other = build(spec, seed=1), build(spec, seed=2)
    model.compile(tf.keras.optimizers.Adam(0.01))
    model.train_on_batch(ask(spec, users, "dcm"), TARGETS)
    model.save_weights(tmp_path / "x.weights.h5")
    other.load_weights(tmp_path / "x.weights.h5")
    inputs = ask(spec, users, "dcm")
    np.testing.assert_allclose(other(inputs)["queries"], model(inputs)["queries"], rtol=1e-5)
    np.testing.assert_allclose(other.item_vectors(), model.item_vectors(), rtol=1e-5)
    np.testing.assert_array_equal(other.frequency.seen, model.frequency.seen)


@pytest.mark.parametrize(("blocks", "reads"), [(0, False), (1, True), (2, True)])
def test_a_block_reads_the_order_of_older_events(spec: DataSpec, users: list[User], blocks: int, reads: bool) -> None:
    model = build(spec, interests="single", blocks=blocks)
    order = [1, 0, *range(2, 8)]  # older events change places, with all they have but their time
    swapped = {name: value if name == "timestamp" else value[order] for name, value in users[0].items()}
    same, other = (model(ask(spec, [user], "single"))["queries"].numpy() for user in (users[0], swapped))
    assert (np.abs(other - same).max() > 1e-4) == reads


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(ValueError, match="heads 3 must divide dim 64"):
        RetrievalConfig(heads=3)
    assert RetrievalConfig(heads=3, blocks=0).heads == 3
