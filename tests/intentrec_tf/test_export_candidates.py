"""The signatures of two stages: candidates, and their ranking."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from intentrec_tf.export import Signatures, save_model
from intentrec_tf.models import NextItemModel
from intentrec_tf.ranking import JointRanker, RankingConfig, build_ranker
from intentrec_tf.retrieval import Retriever
from tests.intentrec_tf.retrieval.test_retrieval_model import build
from tests.support import ITEMS, User, build_model, build_spec, cut, left_padded, random_user, raw_request

SPEC = build_spec(explicit_interests="genre", exclude_seen=False)
CANDIDATES = [["item3", "item7", "", "item1", "never seen", "item3"]]


@pytest.fixture(scope="module")
def people() -> list[User]:
    """Four users of 8, 3, 1 and no events."""
    known = [random_user(SPEC, events, seed) for seed, events in enumerate((8, 3, 1))]
    return [*known, cut(known[0], slice(0))]


@pytest.fixture(scope="module", params=["V0", "V3", "SASRec"])
def model(request: pytest.FixtureRequest) -> NextItemModel:
    return build_model(SPEC, variant=request.param)


def _rank(model: NextItemModel, people: list[User], candidates: list[list[str]]) -> np.ndarray:
    raw = raw_request(SPEC, people)
    del raw["exclude_item_id"]
    chosen = tf.constant(candidates * len(people), tf.string, [len(people), len(candidates[0])])
    return Signatures(model).rank(candidate_item_id=chosen, **raw)["score"].numpy()


# --- rank


def test_ranking_every_item_is_the_full_softmax(model: NextItemModel, people: list[User]) -> None:
    everything = [list(SPEC.items.tokens)]
    inputs, _ = left_padded(SPEC, people[:3])
    expected = model.item_probabilities(model.newest(model(inputs))).numpy()[:, 2:]
    np.testing.assert_allclose(_rank(model, people, everything)[:3], expected, rtol=1e-3, atol=1e-6)


def test_candidates_keep_their_proportions(people: list[User]) -> None:
    """Without a repeat head the softmax over some is the softmax over all, made to sum to 1."""
    model = build_model(SPEC, variant="V3", repeat=False)
    inputs, _ = left_padded(SPEC, people[:3])
    expected = model.item_probabilities(model.newest(model(inputs))).numpy()[:, [5, 9, 3]]
    found = _rank(model, people, [["item3", "item7", "item1"]])[:3]
    np.testing.assert_allclose(found, expected / expected.sum(1, keepdims=True), rtol=1e-3)


def test_what_is_no_item_gets_nothing(model: NextItemModel, people: list[User]) -> None:
    scores = _rank(model, people, CANDIDATES)
    assert (scores[:, [2, 4]] == 0).all()
    assert (scores[:, [0, 1, 3]] > 0).all()
    np.testing.assert_allclose(scores[:, 0], scores[:, 5], rtol=1e-5)
    assert np.isfinite(_rank(model, people, [["", "never seen"]])).all()
    assert _rank(model, people, [[]]).shape == (4, 0)


def test_nobody_gets_the_training_shares(model: NextItemModel, people: list[User]) -> None:
    prior = SPEC.item_prior[[5, 9]]
    found = _rank(model, people, [["item3", "item7"]])[3]
    np.testing.assert_allclose(found, prior / prior.sum(), rtol=1e-5)


@pytest.mark.parametrize("variant", ["V3", "V0", "SASRec"])
def test_the_ranking_computes_nothing_for_every_item(variant: str) -> None:
    """No tensor of its graph has a row per item but tables that are read by row; `item` has, so this could fail."""
    functions = Signatures(build_model(SPEC, variant=variant)).functions
    assert _every_item_in(functions["item"])
    assert _every_item_in(functions["rank"]) == []


def _every_item_in(function: tf.types.experimental.ConcreteFunction) -> list[str]:
    """Tensors of a graph with a row per item, but tables that are read by row."""
    read = {"ResourceGather", "ReadVariableOp", "Identity", "Placeholder", "Const", "GatherV2"}
    return [
        tensor.name
        for node in function.graph.get_operations()
        if node.type not in read
        for tensor in node.outputs
        if tensor.shape.rank is not None and SPEC.items.size in tensor.shape.as_list()
    ]


# --- rank by a ranker


@pytest.fixture(scope="module")
def joint() -> JointRanker:
    """A ranker whose weights are large enough for everything to matter."""
    model = build_model(SPEC, variant="V2")
    sizes: dict[str, int] = {"hidden_dim": 6, "nearest": 3, "newest": 2, "width": 6, "blocks": 1}
    ranker = build_ranker(SPEC, RankingConfig(kind="transact_v2", **sizes), model.config)
    rng = np.random.default_rng(0)
    for weight in ranker.trainable_variables:
        weight.assign(rng.normal(0, 0.3, weight.shape))
    return JointRanker(ranker, model)


def test_the_saved_ranker_answers_as_keras_does(joint: JointRanker, people: list[User], tmp_path: Path) -> None:
    signatures = Signatures(joint.model, ranker=joint)
    names = tf.TensorSpec([None, None], tf.string, "candidate_item_id")
    asked = tf.function(signatures.rank).get_concrete_function(**signatures.input_specs(), candidate_item_id=names)
    assert set(asked.structured_outputs) == {"score"}
    tf.saved_model.save(signatures, str(tmp_path / "1"), signatures={"rank": asked})
    raw = raw_request(SPEC, people)
    del raw["exclude_item_id"]
    candidates = tf.constant(CANDIDATES * 4)
    found = tf.saved_model.load(str(tmp_path / "1")).signatures["rank"](candidate_item_id=candidates, **raw)
    scores = found["score"].numpy()
    inputs, _ = left_padded(SPEC, people)
    expected = joint.candidate_probabilities(inputs, tf.constant([[5, 9, 0, 3, 1, 5]] * 4)).numpy()
    np.testing.assert_allclose(scores[:3], expected[:3], rtol=1e-3, atol=1e-5)
    prior = SPEC.item_prior[[5, 9, 0, 3, 1, 5]]
    np.testing.assert_allclose(scores[3], prior / prior.sum(), rtol=1e-5)  # nobody
    assert _every_item_in(asked) == []


def test_a_ranker_of_another_model(joint: JointRanker) -> None:
    with pytest.raises(ValueError, match="reads the features of another model"):
        Signatures(build_model(SPEC, variant="V0"), ranker=joint)


# --- retrieve


@pytest.fixture(scope="module")
def retriever() -> Retriever:
    ours = {"members": True, "member_attention": True, "contrast": "mixture"}
    return Retriever(build(SPEC, **ours), build(SPEC, interests="conditional", **ours), total=6)


@pytest.fixture(scope="module")
def loaded(retriever: Retriever, tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = Path(tmp_path_factory.mktemp("saved")) / "1"
    save_model(build_model(SPEC, variant="V2"), path, 5, retriever)
    return tf.saved_model.load(str(path))


def _retrieve(loaded: Any, people: list[User], interests: list[list[str]], exclude: tuple[str, ...] = ()) -> dict:
    raw = raw_request(SPEC, people, exclude=exclude)
    raw["interest"] = tf.constant(interests, tf.string, [len(people), len(interests[0])])
    return {name: value.numpy() for name, value in loaded.signatures["retrieve"](**raw).items()}


def test_the_saved_model_finds_what_keras_finds(retriever: Retriever, loaded: Any, people: list[User]) -> None:
    inputs, _ = left_padded(SPEC, people)
    topics = tf.constant([[2, 3]] * 4)  # drama and comedy
    expected = retriever(inputs, topics, tf.zeros([4, 0], tf.int32))
    found = _retrieve(loaded, people, [["drama", "comedy"]] * 4)
    tokens = np.array([SPEC.items.token(row).encode() for row in range(SPEC.items.size)], object)
    np.testing.assert_array_equal(found["item_id"], tokens[expected.rows.numpy()])
    names = np.array([b"0", b"1", b"2", b"drama", b"comedy"], object)
    np.testing.assert_array_equal(found["source"], names[expected.source.numpy()])
    for name in ("score", "mass", "budget"):
        np.testing.assert_allclose(found[name], getattr(expected, name), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("interests", [[], [""], ["never heard of"]])
def test_without_topics(loaded: Any, people: list[User], interests: list[str]) -> None:
    found = _retrieve(loaded, people, [interests] * 4)
    assert set(found["source"].ravel()) <= {b"0", b"1", b"2"}
    assert set(found["source"][3]) == {b"0"}  # nobody: one interest, that of new users
    for user in range(4):
        assert len(set(found["item_id"][user])) == 6
    np.testing.assert_array_equal(found["budget"].sum(1), [6] * 4)


def test_a_topic_named_twice_counts_once(loaded: Any, people: list[User]) -> None:
    once, twice = (_retrieve(loaded, people, [names] * 4) for names in (["drama", ""], ["drama", "drama"]))
    np.testing.assert_array_equal(once["item_id"], twice["item_id"])


def test_exclusion(loaded: Any, people: list[User]) -> None:
    found = _retrieve(loaded, people, [["drama"]] * 4, exclude=("item3", "item4", "", "never seen"))
    assert not {b"item3", b"item4"} & set(found["item_id"].ravel())
    everything = _retrieve(loaded, people, [["drama"]] * 4, exclude=SPEC.items.tokens)
    assert set(everything["item_id"].ravel()) == {b""}
    assert set(everything["source"].ravel()) == {b""}
    assert not everything["score"].any()


def test_seen_items_are_left_out_where_the_schema_says_so(people: list[User]) -> None:
    spec = build_spec(explicit_interests="genre", exclude_seen=True)
    signatures = Signatures(build_model(spec, variant="V0"), 5, Retriever(build(spec), total=ITEMS))
    raw = {**raw_request(spec, people), "interest": tf.constant([[""]] * 4)}
    found = signatures.retrieve(**raw)["item_id"].numpy()
    for user, person in enumerate(people):
        seen = {SPEC.items.token(int(row)).encode() for row in person["item_id"]}
        assert not seen & set(found[user])
        assert len(set(found[user]) - {b""}) == ITEMS - len(seen - {b""})


def test_models_of_other_data(people: list[User]) -> None:
    from dataclasses import replace

    from intentrec_tf.vocabulary import Vocabulary

    other = replace(SPEC, items=Vocabulary([f"other{n}" for n in range(ITEMS)]))
    with pytest.raises(ValueError, match="of different data"):
        Signatures(build_model(SPEC, variant="V0"), 5, Retriever(build(other)))
