"""A ranker together with the IntentRec model whose features it reads."""

from __future__ import annotations

import tensorflow as tf

from intentrec_tf.inputs import Columns
from intentrec_tf.models.candidates import candidate_log_softmax
from intentrec_tf.models.next_item_model import NextItemModel, Question, Repeat
from intentrec_tf.ranking.ranker import Ranker
from intentrec_tf.vocabulary import FIRST


class JointRanker(tf.Module):
    """From a history and candidates to the candidates' probabilities, at a cost that does not grow with the catalogue.

    What the ranker reads of the IntentRec model is computed once for a user, whatever the number of candidates: with
    Z alone by the part that predicts intents, with the item state by the whole model for the newest event.

    Args:
        ranker: trained.
        model: the one that the ranker was trained with.

    Raises:
        ValueError: the two are of different data, or of different sizes.
    """

    def __init__(self, ranker: Ranker, model: NextItemModel) -> None:
        super().__init__(name="joint_ranker")
        if ranker.spec.items != model.spec.items:
            raise ValueError("ranker and model are of different data; train both on the same")
        if ranker.base != model.config:
            raise ValueError("the ranker was trained with another model; give it that one")
        self.ranker = ranker
        self.model = model
        self.spec = ranker.spec

    def features(self, inputs: Columns) -> Columns:
        """What the ranker reads of the model for each user.

        Args:
            inputs: of the models, a user a row, newest event last; see :func:`intentrec_tf.inputs.keras_inputs`.

        Returns:
            ``intent`` float32 [batch, intent_dim], Z; ``state`` float32 [batch, dim] and, with a repeat head, ``share``
            float32 [batch] and ``pointer`` float32 [batch, seq]; each only if the ranker reads it.
        """
        config = self.ranker.config
        found: Columns = {}
        outputs = None
        if config.state:
            outputs = self.model.newest_model()(inputs, training=False)
            question = self.model.newest(outputs)
            found["state"] = tf.cast(question.state, tf.float32)
            if question.repeat is not None:
                found |= {"share": question.repeat.share, "pointer": question.repeat.pointer}
        elif config.intent:
            network = self.model.newest_intent_model()
            assert network is not None
            outputs = network(inputs, training=False)
        if config.intent:
            assert outputs is not None
            found["intent"] = tf.cast(outputs["embedding"][:, -1], tf.float32)
        return found

    def complete(self, inputs: Columns, features: Columns, rows: tf.Tensor) -> Columns:
        """The ranker's inputs.

        Args:
            inputs: of the models.
            features: of :meth:`features`.
            rows: int32 [batch, C] candidates.
        """
        given = {**inputs, "candidate": rows}
        given |= {name: features[name] for name in ("intent", "state") if name in features}
        if "state" in features:
            repeat = None
            if "pointer" in features:
                repeat = Repeat(features["share"], features["pointer"], inputs["item_id"])
            given["score"] = self.model.candidate_scores(Question(features["state"], repeat), rows)
        return given

    def scores(self, inputs: Columns, rows: tf.Tensor) -> tf.Tensor:
        """Score of each candidate, float32 [batch, C]; -1e9 for what is no item."""
        return self.ranker(self.complete(inputs, self.features(inputs), rows), training=False)

    def candidate_probabilities(self, inputs: Columns, rows: tf.Tensor) -> tf.Tensor:
        """Probability of each candidate among the different candidates, float32 [batch, C]; padding and OOV get 0."""
        return tf.where(rows >= FIRST, tf.exp(candidate_log_softmax(self.scores(inputs, rows), rows)), 0.0)
