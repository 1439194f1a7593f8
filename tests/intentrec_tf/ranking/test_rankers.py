"""What every ranker keeps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from intentrec_tf.models import ModelConfig, NextItemModel
from intentrec_tf.models.candidates import candidate_log_softmax
from intentrec_tf.ranking import JointRanker, Ranker, RankingConfig, build_ranker
from intentrec_tf.vocabulary import Vocabulary
from tests.support import ITEMS, build_model, build_spec, cut, left_padded, random_user

KINDS = ("dcn", "din", "transact_v2")
SPEC = build_spec()
SMALL: dict[str, Any] = {
    **{"hidden_dim": 6, "attention_dim": 5, "nearest": 3, "newest": 2, "width": 6, "blocks": 1},
    **{"history": 6, "dropout": 0.0},
}
PEOPLE = [random_user(SPEC, events, seed) for seed, events in enumerate((8, 3, 1))]
PEOPLE.append(cut(PEOPLE[0], slice(0)))
ROWS = tf.constant([[5, 9, 0, 3, 1, 5]] * 4)  # padding, an unknown one, and one that is there twice
ITEM = np.array([True, True, False, True, False, True])


@pytest.fixture(scope="module")
def model() -> NextItemModel:
    return build_model(SPEC, variant="V2", repeat=False)


def make(kind: str, model: NextItemModel, moved: bool = True, **changes: Any) -> JointRanker:
    """A small ranker; ``moved``: with weights large enough for everything to matter."""
    tf.keras.utils.set_random_seed(0)
    ranker = build_ranker(SPEC, RankingConfig.model_validate({**SMALL, **changes, "kind": kind}), model.config)
    rng = np.random.default_rng(0)
    for weight in ranker.trainable_variables if moved else ():
        weight.assign(rng.normal(0, 0.4, weight.shape))
    return JointRanker(ranker, model)


@pytest.fixture(scope="module", params=KINDS)
def joint(request: pytest.FixtureRequest, model: NextItemModel) -> JointRanker:
    return make(request.param, model)


def ask(people: list[Any] = PEOPLE, length: int = 8) -> dict[str, tf.Tensor]:
    return left_padded(SPEC, people, length)[0]


def test_probabilities_among_the_different_items(joint: JointRanker) -> None:
    """Users with eight, three, one and no events."""
    found = joint.candidate_probabilities(ask(), ROWS).numpy()
    assert (found[:, ITEM] > 0).all()
    assert not found[:, ~ITEM].any()
    np.testing.assert_array_equal(found[:, 0], found[:, 5])
    np.testing.assert_allclose(found[:, :5].sum(1), np.ones(4), rtol=1e-5)


def test_no_items_at_all(joint: JointRanker) -> None:
    nothing = joint.candidate_probabilities(ask(), tf.constant([[0, 1]] * 4)).numpy()
    assert not nothing.any()
    assert joint.candidate_probabilities(ask(), tf.zeros([4, 0], tf.int32)).shape == (4, 0)


def test_a_score_depends_on_no_other_candidate(joint: JointRanker) -> None:
    rows = tf.constant([[5, 9, 3, 7]] * 4)
    scores = joint.scores(ask(), rows).numpy()
    backwards = joint.scores(ask(), rows[:, ::-1]).numpy()[:, ::-1]
    differences = scores - scores[:, :1]  # the first score is a probability among the candidates, the rest is not
    np.testing.assert_allclose(backwards - backwards[:, :1], differences, rtol=1e-3, atol=1e-4)
    fewer = joint.scores(ask(), rows[:, :2]).numpy()
    np.testing.assert_allclose(fewer - fewer[:, :1], differences[:, :2], rtol=1e-3, atol=1e-4)


def test_padding_does_not_matter(joint: JointRanker) -> None:
    """Neither how much of it stands before a history, nor what other users are asked at once."""
    expected = joint.candidate_probabilities(ask(), ROWS).numpy()
    for user, length in ((1, 3), (1, 5), (2, 1), (2, 8)):
        alone = joint.candidate_probabilities(ask([PEOPLE[user]], length), ROWS[:1]).numpy()
        np.testing.assert_allclose(alone[0], expected[user], rtol=1e-3, atol=1e-5)


def test_the_history_matters_but_not_beyond_its_length(joint: JointRanker) -> None:
    """The ranker alone: what the IntentRec model says stays as it is."""
    features = joint.features(ask())
    before = joint.ranker(joint.complete(ask(), features, ROWS)).numpy()[0]
    for place, matters in ((7, True), (3, True), (1, False)):
        items = ask()["item_id"].numpy()
        items[0, place] = 2 + (items[0, place] - 1) % ITEMS
        other = {**ask(), "item_id": tf.constant(items)}
        after = joint.ranker(joint.complete(other, features, ROWS)).numpy()[0]
        assert (np.abs(after - before).max() > 1e-4) == matters


def test_the_moment_of_the_question_matters(joint: JointRanker) -> None:
    later = {**ask(), "next_timestamp": ask()["next_timestamp"] + 86_400 * 40}
    features = joint.features(ask())
    before, after = (joint.ranker(joint.complete(x, features, ROWS)).numpy() for x in (ask(), later))
    assert np.abs(after[0] - before[0]).max() > 1e-4


def test_z_and_the_item_state_are_read(joint: JointRanker) -> None:
    features = joint.features(ask())
    assert set(features) == {"intent", "state"}
    before = joint.ranker(joint.complete(ask(), features, ROWS)).numpy()
    for name in features:
        moved = {**features, name: features[name] + tf.random.stateless_normal(features[name].shape, [0, 1])}
        after = joint.ranker(joint.complete(ask(), moved, ROWS)).numpy()
        assert np.abs(after[:, 0] - before[:, 0]).max() > 1e-4, name


@pytest.mark.parametrize(("intent", "state"), [(False, True), (True, False)])
def test_z_and_the_item_state_are_left_out(model: NextItemModel, intent: bool, state: bool) -> None:
    joint = make("dcn", model, intent=intent, state=state)
    features = joint.features(ask())
    assert set(features) == {name for name, wanted in (("intent", intent), ("state", state)) if wanted}
    assert set(joint.ranker.input) - set(model.input) - {"candidate", "score"} == set(features)
    assert (joint.candidate_probabilities(ask(), ROWS).numpy() > 0)[:, ITEM].all()


def test_beside_the_item_state_a_ranker_starts_as_the_inner_product() -> None:
    """With a repeat head, too."""
    model = build_model(SPEC, variant="V2", repeat=True)
    rows = tf.constant([[5, 9, 3, 7]] * 4)
    expected = candidate_log_softmax(model.candidate_scores(model.question(ask()), rows), rows)
    found = make("din", model, moved=False).candidate_probabilities(ask(), rows)
    np.testing.assert_allclose(found, tf.exp(expected), rtol=1e-3)


def test_it_learns(model: NextItemModel) -> None:
    """The true candidate is the one after the newest item, of which the IntentRec model knows nothing."""
    joint = make("din", model, moved=False, state=False)
    ranker = joint.ranker
    rng = np.random.default_rng(1)
    people = [random_user(SPEC, 4, seed) for seed in range(64)]
    inputs, _ = left_padded(SPEC, people)
    true = 2 + (inputs["item_id"].numpy()[:, -1] - 1) % ITEMS
    others = rng.integers(2, 2 + ITEMS, (64, 5))
    others[others == true[:, None]] = 0
    rows = tf.constant(np.concatenate([true[:, None], others], 1), tf.int32)
    targets = {"log_expected": tf.zeros([64, 6]), "weight": tf.ones([64])}
    batch = joint.complete(inputs, joint.features(inputs), rows)
    ranker.compile(optimizer=tf.keras.optimizers.Adam(0.02))
    history = ranker.fit(tf.data.Dataset.from_tensors((batch, targets)).repeat(60), verbose=0)
    assert ranker.evaluate(tf.data.Dataset.from_tensors((batch, targets)), verbose=0) < 0.6 * history.history["loss"][0]


def test_every_weight_is_trained(joint: JointRanker) -> None:
    batch = joint.complete(ask(), joint.features(ask()), ROWS)
    with tf.GradientTape() as tape:
        loss = joint.ranker.ranking_loss(batch, {"log_expected": tf.zeros([4, 6]), "weight": tf.ones([4])}, True)
    names = [w.name for w in joint.ranker.trainable_variables]
    gradients = tape.gradient(loss, joint.ranker.trainable_variables)
    assert [name for name, gradient in zip(names, gradients, strict=True) if gradient is None] == []


def test_item_vectors_are_taken_over(model: NextItemModel) -> None:
    ranker = make("din", model).ranker
    ranker.start_from(model)
    np.testing.assert_array_equal(ranker.item_embedding.item_vectors(), model.item_embedding.item_vectors())
    other = build_model(SPEC, variant="SASRec")  # of another form: ids alone, and without intents
    before = ranker.item_embedding.item_vectors().numpy()
    ranker.start_from(other)
    np.testing.assert_array_equal(ranker.item_embedding.item_vectors(), before)
    alone = make("dcn", other, intent=False)
    assert (alone.candidate_probabilities(ask(), ROWS).numpy() > 0)[:, ITEM].all()


def test_what_does_not_fit(model: NextItemModel) -> None:
    with pytest.raises(ValueError, match="needs a V2 or V3 run, not V0"):
        build_ranker(SPEC, RankingConfig(), ModelConfig(variant="V0"))
    ranker = make("din", model).ranker
    assert isinstance(ranker, Ranker)
    with pytest.raises(ValueError, match="trained with another model"):
        JointRanker(ranker, build_model(SPEC, variant="V0"))
    strange = build_model(replace(SPEC, items=Vocabulary([f"other{n}" for n in range(ITEMS)])), variant="V0")
    with pytest.raises(ValueError, match="of different data"):
        JointRanker(ranker, strange)
