"""Two towers whose user side may have several vectors."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
import tensorflow_recommenders as tfrs

from intentrec_tf.data_spec import DataSpec
from intentrec_tf.inputs import keras_inputs
from intentrec_tf.layers import ItemTower, SlotChoice, StreamingFrequency
from intentrec_tf.masking import NEVER
from intentrec_tf.metrics.ranking import ScoreChunk
from intentrec_tf.models.parts import item_embedding
from intentrec_tf.replicas import mean_of_parts, sum_over_replicas
from intentrec_tf.retrieval.config import RetrievalConfig
from intentrec_tf.retrieval.user_tower import user_tower
from intentrec_tf.vocabulary import FIRST


class RetrievalModel(tf.keras.Model):
    """``f(i | u, c) ~ exp(phi(u, c) . psi(i) / temperature)`` for the interests c of user u, as one functional model.

    Inputs and outputs: see :func:`user_tower`.  Training batches are ``(inputs, targets)``, a user a row, with
    ``targets["item"]`` int32 [batch, P], the user's positives (0 = none), and ``targets["weight"]`` float [batch, P];
    ``conditional`` has one topic per positive, ``inputs["topic"]`` [batch, P].

    The loss is the softmax over the items of all positives of the batch, with logQ correction and without accidental
    hits: a user's other positives are no negatives.  An item's score is ``log sum_j exp(o_j . v / temperature)`` over
    all of the user's queries, or that of the one query it belongs to (``config.contrast``).  Of several replicas each
    has the items of its own part of the batch, so there are fewer negatives than on one device, and the loss is
    another one.

    Args:
        spec: what the data set is.
        config: what the model is.

    Source: Fan et al. 2025 (arXiv 2506.23060); sampled softmax with streaming frequencies: Yi et al. 2019.  The mixture
    and ``all`` are ours.
    """

    def __init__(self, spec: DataSpec, config: RetrievalConfig, **kwargs: Any) -> None:
        # --- layers and functional graph
        inputs = keras_inputs(spec)
        if config.interests == "conditional":
            inputs["topic"] = tf.keras.layers.Input([None], dtype="int32", name="input.topic")
        embedding = item_embedding(spec, config)
        item_tower = ItemTower(config.hidden_dim, name="item_tower")
        item_tower.build([None, config.dim])
        outputs = user_tower(spec, config, embedding, item_tower, inputs)
        super().__init__(inputs=inputs, outputs=outputs, name=kwargs.pop("name", "retrieval"), **kwargs)

        # --- the items' side, and the loss
        self.spec = spec
        self.config = config
        self.item_embedding = embedding
        self.item_embedding.set_catalogue(spec.catalogue, spec.item_prior)
        self.item_tower = item_tower
        self.choice = SlotChoice(config.slot_choice, name="slot_choice")
        self.choice.build([None, config.count, config.dim])
        self.frequency = StreamingFrequency(spec.items.size, name="frequency")
        self.frequency.build([None])
        self._means = {"loss": tf.keras.metrics.Mean(name="loss")}

    def item_vectors(self, start: int | tf.Tensor = 0, stop: int | tf.Tensor | None = None) -> tf.Tensor:
        """``psi`` of the rows ``start <= row < stop`` (default: all), float32 [stop - start, dim]."""
        return self.item_tower(self.item_embedding.item_vectors(start, stop))

    def item_scorer(self, outputs: dict[str, tf.Tensor]) -> ScoreChunk:
        """Scores of a range of items, ``(start, stop) -> float32 [batch, stop - start]``: of the user's vectors the
        one that scores an item highest."""
        queries, slots = outputs["queries"], outputs["slots"]

        def score(start: tf.Tensor, stop: tf.Tensor) -> tf.Tensor:
            scores = tf.einsum("bkd,nd->bkn", queries, self.item_vectors(start, stop))
            return tf.reduce_max(tf.where(slots[..., None], scores, NEVER), axis=1)

        return score

    def train_step(self, data):
        inputs, targets = data
        with tf.GradientTape() as tape:
            loss = self.retrieval_loss(inputs, targets, training=True)
        gradients = tape.gradient(loss, self.trainable_variables)
        pairs = zip(gradients, self.trainable_variables, strict=True)
        self.optimizer.apply_gradients([(g, v) for g, v in pairs if g is not None])
        return self._record(loss)

    def test_step(self, data):
        return self._record(self.retrieval_loss(*data, training=False))

    def retrieval_loss(self, inputs: dict, targets: dict, training: bool) -> tf.Tensor:
        """Weighted mean cross-entropy of a batch's positives, scalar float32."""
        outputs = self(inputs, training=training)
        items = targets["item"]
        users, positives = tf.shape(items)[0], tf.shape(items)[1]
        vectors = self.item_tower(self.item_embedding(items, training=training))
        conditional = self.config.interests == "conditional"
        usable = outputs["slots"] if conditional else tf.ones_like(items, tf.bool)
        rows = tf.reshape(items, [-1])
        weights = tf.where((rows >= FIRST) & tf.reshape(usable, [-1]), tf.reshape(targets["weight"], [-1]), 0.0)
        candidates, owner = tf.reshape(vectors, [-1, vectors.shape[-1]]), tf.repeat(tf.range(users), positives)
        labels = tf.eye(tf.shape(rows)[0])
        expected = self.frequency(rows, training=training)

        # --- temperature -> logQ -> accidental hits -> mask -> loss
        contrast = "chosen" if self.config.interests in ("single", "conditional") else self.config.contrast
        if contrast == "chosen":
            scores = tf.matmul(self._own_queries(outputs, vectors, training), candidates, transpose_b=True)
        else:
            scores = tf.repeat(self._of_all_queries(outputs, candidates), positives, axis=0)
        if contrast == "all":
            own = tf.reduce_sum(self._own_queries(outputs, vectors, training) * candidates, axis=-1)
            scores = tf.where(labels > 0, own[:, None], scores)
        scores -= tf.math.log(expected)  # TFRS's layer clips at a millionth, which rare items of large catalogues reach
        scores = tfrs.layers.loss.RemoveAccidentalHits()(labels, scores, rows)
        allowed = (labels > 0) | ((owner[:, None] != owner[None, :]) & (rows >= FIRST)[None, :])
        losses = tf.nn.softmax_cross_entropy_with_logits(labels, tf.where(allowed, scores, NEVER))
        return tf.reduce_sum(losses * weights) / tf.maximum(sum_over_replicas(tf.reduce_sum(weights)), 1e-9)

    def _of_all_queries(self, outputs: dict[str, tf.Tensor], candidates: tf.Tensor) -> tf.Tensor:
        """``log sum_j exp(o_j . v / temperature)`` of every user and candidate, float32 [batch, N]."""
        scores = tf.einsum("bkd,nd->bkn", outputs["queries"] / self.config.temperature, candidates)
        return tf.reduce_logsumexp(tf.where(outputs["slots"][..., None], scores, NEVER), axis=1)

    def _own_queries(self, outputs: dict[str, tf.Tensor], vectors: tf.Tensor, training: bool) -> tf.Tensor:
        """``o / temperature`` that each positive belongs to, by its topic or by its vector of ``vectors`` [batch, P,
        dim]; float32 [batch * P, dim]."""
        queries = outputs["queries"]
        if self.config.interests != "conditional":
            queries, _ = self.choice(queries, vectors, outputs["slots"], training=training)
        return tf.reshape(queries, [-1, queries.shape[-1]]) / self.config.temperature

    def _record(self, loss: tf.Tensor) -> dict[str, tf.Tensor]:
        self._means["loss"].update_state(mean_of_parts(loss))
        return {"loss": self._means["loss"].result()}

    @property
    def metrics(self):
        return list(self._means.values())
