"""Candidates of both kinds of interests."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from intentrec_tf.data_spec import DataSpec
from intentrec_tf.retrieval import Candidates, RetrievalModel, Retriever
from intentrec_tf.retrieval.merge import split_budget
from tests.intentrec_tf.retrieval.test_retrieval_model import ask, build
from tests.support import ITEMS, User, build_spec, random_user

NONE = tf.zeros([4, 0], tf.int32)
ASKED = tf.constant([[2, 3], [4, 0], [1, 0], [0, 0]])


@pytest.fixture(scope="module")
def spec() -> DataSpec:
    return build_spec(explicit_interests="genre")


@pytest.fixture(scope="module")
def users(spec: DataSpec) -> list[User]:
    people = [random_user(spec, n, seed) for seed, n in enumerate((8, 5, 1, 3))]
    return [*people[:3], {name: value[:0] for name, value in people[3].items()}]


@pytest.fixture(scope="module")
def implicit(spec: DataSpec) -> RetrievalModel:
    return build(spec)


@pytest.fixture(scope="module")
def explicit(spec: DataSpec) -> RetrievalModel:
    return build(spec, interests="conditional")


@pytest.fixture(scope="module")
def both(implicit: RetrievalModel, explicit: RetrievalModel) -> Retriever:
    return Retriever(implicit, explicit, total=6)


def _rows(found: Candidates, user: int) -> list[int]:
    return [row for row in found.rows[user].numpy().tolist() if row]


def test_one_vector_gives_the_plain_ranking(spec: DataSpec, users: list[User]) -> None:
    model = build(spec, interests="single")
    found = Retriever(model, total=5)(ask(spec, users, "single"), NONE, NONE)
    scores = model.item_scorer(model(ask(spec, users, "single")))(tf.constant(0), tf.constant(spec.items.size))
    expected = tf.argsort(scores[:, 2:], direction="DESCENDING")[:, :5] + 2
    np.testing.assert_array_equal(found.rows, expected)
    np.testing.assert_allclose(found.score, tf.gather(scores, expected, batch_dims=1), rtol=1e-5)
    assert (found.source.numpy() == 0).all()


def test_everybody_gets_a_full_list_of_different_items(spec: DataSpec, users: list[User], both: Retriever) -> None:
    found = both(ask(spec, users, "dcm"), ASKED, NONE)
    for user in range(4):
        assert len(set(_rows(found, user))) == 6
        assert min(_rows(found, user)) >= 2
    np.testing.assert_array_equal(tf.reduce_sum(found.budget, 1), [6] * 4)
    assert np.isfinite(found.score).all()


def test_interests_that_compete_give_the_items_that_any_of_them_scores_highest(
    spec: DataSpec, users: list[User], implicit: RetrievalModel
) -> None:
    inputs = ask(spec, users, "dcm")
    found = Retriever(implicit, total=5)(inputs, NONE, NONE)
    scores = implicit.item_scorer(implicit(inputs))(tf.constant(0), tf.constant(spec.items.size))
    expected = tf.argsort(scores[:, 2:], direction="DESCENDING")[:, :5] + 2
    np.testing.assert_array_equal(found.rows, expected)
    np.testing.assert_allclose(found.score, tf.gather(scores, expected, batch_dims=1), rtol=1e-5)
    for user in range(4):
        won = np.bincount(found.source[user], minlength=3)
        np.testing.assert_array_equal(found.budget[user], won)


def test_interests_trained_apart_take_turns(spec: DataSpec, users: list[User], implicit: RetrievalModel) -> None:
    apart = Retriever(build(spec, contrast="chosen"), total=6)
    assert not apart.by_score
    assert Retriever(implicit, total=6).by_score
    inputs = ask(spec, users, "dcm")
    turns = Retriever(implicit, total=6, by_score=False)(inputs, NONE, NONE)
    slots = implicit(inputs)["slots"]
    np.testing.assert_array_equal(turns.budget, split_budget(6, turns.mass, slots, tf.zeros([4, 0], tf.bool), 0.0))
    assert (np.diff(turns.score[0]) > 0).any()  # not in the order of scores
    assert (np.diff(Retriever(implicit, total=6)(inputs, NONE, NONE).score[0]) <= 0).all()


def test_topics_keep_their_share_beside_interests_that_compete(
    spec: DataSpec, users: list[User], both: Retriever
) -> None:
    inputs = ask(spec, users, "dcm")
    found, alone = both(inputs, ASKED, NONE), Retriever(both.implicit, total=6)(inputs, NONE, NONE)
    for user, topics in ((0, 2), (1, 1)):
        own = found.source[user].numpy() < 3
        assert own.sum() >= 4 - topics  # the rest of six after 5/12
        best = [row for row in alone.rows[user].numpy().tolist() if row in set(found.rows[user].numpy()[own].tolist())]
        assert found.rows[user].numpy()[own].tolist() == best  # in the order of their scores


def test_sources(spec: DataSpec, users: list[User], both: Retriever) -> None:
    found = both(ask(spec, users, "dcm"), ASKED, NONE)
    sources = found.source.numpy()
    assert {3, 4} <= set(sources[0])  # two topics beside up to three interests
    assert 3 in sources[1]
    assert 4 not in sources[1]
    assert (sources[2:] < 3).all()  # an unknown topic, and none
    missing = ~both.implicit(ask(spec, users, "dcm"))["slots"].numpy()
    for user in range(4):
        assert not set(np.flatnonzero(missing[user])) & set(sources[user])


def test_the_guardrail_keeps_to_the_topic(spec: DataSpec, users: list[User], explicit: RetrievalModel) -> None:
    labels = spec.catalogue["genre"]
    off_topic = {}
    for guardrail in (True, False):
        retriever = Retriever(build(spec), explicit, total=12, guardrail=guardrail, by_score=False)
        found = retriever(ask(spec, users, "dcm"), ASKED, NONE)
        own = found.source[0].numpy() == 3
        off_topic[guardrail] = sum(2 not in labels[row] for row in found.rows[0].numpy()[own])
    assert off_topic[True] == 0
    assert off_topic[False] > 0


def test_excluded_items_never_come(spec: DataSpec, users: list[User], both: Retriever) -> None:
    inputs = ask(spec, users, "dcm")
    never = tf.tile(tf.constant([[2, 5, 6, 7, 8, 9, 10, 11, 0]]), [4, 1])
    found = both(inputs, ASKED, never)
    for user in range(4):
        assert set(_rows(found, user)) == {3, 4, 12, 13}
        assert (found.source[user].numpy() >= 0).sum() == 4
    everything = tf.tile(tf.range(2, 2 + ITEMS)[None], [4, 1])
    assert not both(inputs, ASKED, everything).rows.numpy().any()


def test_a_user_alone_gets_the_same(spec: DataSpec, users: list[User], both: Retriever) -> None:
    together = both(ask(spec, users, "dcm"), ASKED, NONE)
    alone = both(ask(spec, users[1:2], "dcm"), ASKED[1:2], NONE[:1])
    np.testing.assert_array_equal(alone.rows[0], together.rows[1])


def test_models_that_do_not_belong_together(implicit: RetrievalModel, explicit: RetrievalModel) -> None:
    with pytest.raises(ValueError, match="must not be 'conditional'"):
        Retriever(explicit)
    with pytest.raises(ValueError, match="must be 'conditional', not 'dcm'"):
        Retriever(implicit, implicit)
