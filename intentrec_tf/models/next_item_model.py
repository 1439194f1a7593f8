"""What every model has in common: item vectors, item head, losses, training step."""

from __future__ import annotations

from typing import Any, NamedTuple

import tensorflow as tf

from intentrec_tf.data_spec import DataSpec
from intentrec_tf.layers import ItemEmbedding, ItemHead, NegativeSampler
from intentrec_tf.losses import (
    linear_cross_entropy,
    multi_label_cross_entropy,
    sampled_cross_entropy,
    weighted_cross_entropy,
)
from intentrec_tf.masking import NEVER
from intentrec_tf.metrics.ranking import ScoreChunk
from intentrec_tf.models.candidates import candidate_log_softmax
from intentrec_tf.models.config import ModelConfig
from intentrec_tf.models.repeats import repeat_mixture, repeat_outputs, repeats
from intentrec_tf.replicas import mean_of_parts
from intentrec_tf.vocabulary import FIRST

AT_ONCE = 65_536
SMALLEST = 1e-30


class Repeat(NamedTuple):
    """What the newest events say of repeating: ``share`` float [batch] (logit of doing so), ``pointer`` float [batch,
    seq] (probability of each event, if so) and the events' ``items`` int32 [batch, seq]."""

    share: tf.Tensor
    pointer: tf.Tensor
    items: tf.Tensor


class Question(NamedTuple):
    """What the newest events ask the item head: ``state`` float [batch, dim], and ``repeat`` with a repeat head."""

    state: tf.Tensor
    repeat: Repeat | None = None


class NextItemModel(tf.keras.Model):
    """A functional graph over :func:`intentrec_tf.inputs.keras_inputs` ([batch, seq]) that scores the next item.

    Outputs: ``state`` float [batch, seq, dim], what the item head scores; ``intents`` {name: logits [batch, seq, d_i]}
    of the next event's intents and ``probabilities`` of the same shapes, both empty for a model without intents.
    Evaluation and serving read the last place, where the newest event is.

    Training batches are ``(inputs, targets)`` with ``targets["item"]`` int32 [batch, seq] (next item, 0 = none),
    ``targets["weight"]`` float [batch, seq] and one int32 [batch, seq] per single-label intent (-1 = none).

    Attributes:
        intent_model: the part of the graph that predicts the intents, sharing the weights; None without intents.
        hierarchical: whether intents feed the item predictor, so that there are an ``embedding`` and ``attention``.

    Args:
        spec: what the data set is.
        config: what the model is.
        inputs, outputs: of the graph.
        item_embedding: the layer that embeds the history's items.
        item_bias: whether the item head has a bias per item.
        has_query: whether ``state`` is the item head's query already, see :class:`ItemHead`.
    """

    intent_model: tf.keras.Model | None = None
    hierarchical = False

    def __init__(
        self,
        spec: DataSpec,
        config: ModelConfig,
        inputs: dict[str, Any],
        outputs: dict[str, Any],
        item_embedding: ItemEmbedding,
        item_bias: bool = True,
        has_query: bool = False,
        **kwargs: Any,
    ) -> None:
        if repeats(spec, config):
            outputs = {**outputs, "repeat": repeat_outputs(config, inputs, outputs, item_embedding)}
        super().__init__(inputs=inputs, outputs=outputs, **kwargs)
        self.spec = spec
        self.config = config
        self.item_embedding = item_embedding
        self.item_embedding.set_catalogue(spec.catalogue, spec.item_prior)
        self.item_head = ItemHead(
            spec.items.size,
            config.dim,
            config.tied,
            config.similarity,
            config.temperature,
            item_bias,
            has_query,
            name="item_head",
        )
        self.item_head.build(outputs["state"].shape)
        if config.negatives is not None:
            self.sampler = NegativeSampler(config.negatives, spec.items.size, name="negative_sampler")
            self.sampler.build([None])
            self.sampler.set_counts(spec.item_prior)
        self._label_matrices = {
            intent.name: tf.constant(spec.item_label_matrix(intent)) for intent in spec.schema.category_intents
        }
        names = ("loss", "item_loss", *(f"{name}_loss" for name in outputs["intents"]))
        self._means = {name: tf.keras.metrics.Mean(name=name) for name in names}

    def question(self, inputs: dict[str, Any]) -> Question:
        """What histories, whose newest event is at the last place, ask the item head.

        Args:
            inputs: of the model, [batch, seq].
        """
        return self.newest(self.newest_model()(inputs, training=False))

    def newest_model(self) -> tf.keras.Model:
        """The same outputs for the newest event alone, ``state`` [batch, 1, dim], with the same weights; the model
        itself where that saves nothing."""
        return self

    def newest_intent_model(self) -> tf.keras.Model | None:
        """``intent_model`` for the newest event alone."""
        return self.intent_model

    def item_vectors(self) -> tf.Tensor | None:
        """Vectors of all items, float [V, dim], computed some at a time; None where they are the item head's own."""
        if not self.config.tied:
            return None
        starts = range(0, self.spec.items.size, AT_ONCE)
        parts = [self.item_embedding.item_vectors(i, min(i + AT_ONCE, self.spec.items.size)) for i in starts]
        return tf.concat(parts, axis=0)

    def item_logits(
        self, state: tf.Tensor, start: int = 0, stop: int | None = None, vectors: tf.Tensor | None = None
    ) -> tf.Tensor:
        """Logits of the items ``start <= row < stop`` (default: all V), float32 [..., stop - start].

        Args:
            state: float [..., dim].
            start, stop: rows; padding and OOV are at -1e9.
            vectors: of these rows, if they have been computed before.
        """
        stop = self.spec.items.size if stop is None else stop
        known = self.item_embedding.known_ids()
        if vectors is None and self.config.tied:
            vectors = self.item_embedding.item_vectors(start, stop, known)
        known = None if known is None else known[start:stop]
        return self.item_head(state, item_vectors=vectors, rows=tf.range(start, stop), known=known)

    def newest(self, outputs: dict[str, Any]) -> Question:
        """What the last place of every history asks the item head."""
        state = outputs["state"][:, -1]
        if "repeat" not in outputs:
            return Question(state)
        repeat = outputs["repeat"]
        share, pointer = repeat["share"][:, -1], tf.nn.softmax(repeat["pointer"][:, -1])
        return Question(state, Repeat(share, pointer, repeat["item_id"]))

    def item_scorer(self, question: Question) -> ScoreChunk:
        """Scores of a range of items at a time: ``(start, stop) -> float32 [batch, stop - start]``.

        They are logits, or, with a repeat head, probabilities; see :meth:`item_probabilities`.
        """

        def logits(start: tf.Tensor, stop: tf.Tensor) -> tf.Tensor:
            return self.item_logits(question.state, start, stop)

        repeat = question.repeat
        if repeat is None:
            return logits
        if self.spec.items.size <= AT_ONCE:
            everything = self.item_probabilities(question)
            return lambda start, stop: everything[:, start:stop]
        normaliser = self._normaliser(logits, question.state)
        return lambda start, stop: _with_repeats(repeat, tf.exp(logits(start, stop) - normaliser), start)

    def item_probabilities(self, question: Question, vectors: tf.Tensor | None = None) -> tf.Tensor:
        """Probability of every item, float32 [batch, V]; ``vectors`` as of :meth:`item_vectors`, if at hand."""
        softmax = tf.nn.softmax(self.item_logits(question.state, vectors=vectors))
        return softmax if question.repeat is None else _with_repeats(question.repeat, softmax, 0)

    def candidate_probabilities(self, question: Question, rows: tf.Tensor) -> tf.Tensor:
        """Probability of each candidate among the candidates, float32 [batch, C]; the cost does not grow with V.

        One that is given twice counts once (a server that batches requests pads them with a request's first element).

        Args:
            question: of :meth:`newest`.
            rows: int32 [batch, C] candidates of each user; padding and OOV get 0.  What a repeat head gives to other
                items is lost, so the sum may be below 1.
        """
        return tf.where(rows >= FIRST, tf.exp(self.candidate_scores(question, rows)), 0.0)

    def candidate_scores(self, question: Question, rows: tf.Tensor) -> tf.Tensor:
        """Logarithm of :meth:`candidate_probabilities`, float32 [batch, C]; padding and OOV get -1e9."""
        known = self.item_embedding.known_ids()
        vectors = self.item_embedding(rows, known=known) if self.config.tied else None
        known = None if known is None else tf.gather(known, rows)
        query, vectors, bias = self.item_head.factors(question.state, vectors, rows, known)
        logits = tf.cast(tf.einsum("bd,bcd->bc", query, tf.cast(vectors, query.dtype)), tf.float32) + bias
        chances = candidate_log_softmax(logits, rows)
        repeat = question.repeat
        if repeat is None:
            return chances
        same = (repeat.items[:, :, None] == rows[:, None, :]) & (rows >= FIRST)[:, None, :]
        again = tf.einsum("bl,blc->bc", repeat.pointer, tf.cast(same, tf.float32))
        again = tf.where(again > 0, tf.math.log(tf.maximum(again, SMALLEST)), NEVER)
        both = [
            tf.math.log_sigmoid(-repeat.share)[:, None] + chances,
            tf.math.log_sigmoid(repeat.share)[:, None] + again,
        ]
        return tf.where(rows >= FIRST, tf.reduce_logsumexp(both, axis=0), NEVER)

    def _normaliser(self, logits: ScoreChunk, state: tf.Tensor) -> tf.Tensor:
        """Logarithm of the softmax's denominator, float32 [batch, 1], in bounded memory."""
        size = self.spec.items.size

        def body(start, total):
            more = tf.reduce_logsumexp(logits(start, tf.minimum(start + AT_ONCE, size)), axis=-1)
            return start + AT_ONCE, tf.reduce_logsumexp([total, more], axis=0)

        start = (0, tf.fill([tf.shape(state)[0]], -1e30))
        return tf.while_loop(lambda start, _: start < size, body, start, parallel_iterations=1)[1][:, None]

    def item_loss(
        self,
        state: tf.Tensor,
        items: tf.Tensor,
        weights: tf.Tensor,
        mixture: tuple[tf.Tensor, tf.Tensor] | None = None,
        training: bool = False,
    ) -> tf.Tensor:
        """Eq 3 for the item: over the whole catalogue, or over ``config.negatives`` sampled items.

        With ``config.id_dropout`` training leaves out items that it never sees: never being right, they would only
        teach that items without an id are wrong.

        Args:
            state: float [..., dim].
            items: int32 [...] true rows; padding and OOV carry no label and no weight.
            weights: float [...].
            mixture: of the softmax with what the repeat head gives, see :func:`linear_cross_entropy`.
            training: whether ids are dropped.

        Returns:
            Scalar float32.
        """
        targets = tf.where(items >= FIRST, items, -1)
        known = self.item_embedding.known_ids(training)
        possible = self.item_embedding.trained if known is not None and training else None
        if self.config.negatives is None:
            vectors = self.item_embedding.item_vectors(known=known) if self.config.tied else None
            query, vectors, bias = self.item_head.factors(state, vectors, known=known)
            bias = bias if possible is None else tf.where(possible, bias, NEVER)
            return linear_cross_entropy(query, vectors, bias, targets, weights, mixture)
        targets = tf.reshape(targets, [-1])
        rows, log_expected = self.sampler(tf.maximum(targets, 0))
        vectors = self.item_embedding(rows, known=known) if self.config.tied else None
        known = None if known is None else tf.gather(known, rows)
        query, vectors, bias = self.item_head.factors(tf.reshape(state, [-1, state.shape[-1]]), vectors, rows, known)
        bias = bias if possible is None else tf.where(tf.gather(possible, rows), bias, NEVER)
        negatives, weights = rows[-self.sampler.count :], tf.reshape(weights, [-1])
        if mixture is not None:
            mixture = tf.reshape(mixture[0], [-1]), tf.reshape(mixture[1], [-1])
        return sampled_cross_entropy(query, vectors, bias, targets, negatives, log_expected, weights, mixture)

    def intent_labels(self, name: str, targets: dict[str, tf.Tensor]) -> tf.Tensor:
        """True labels of one intent: int32 [...], or float [..., d_i] for a category intent (from the target item)."""
        if name in self._label_matrices:
            return tf.gather(self._label_matrices[name], targets["item"])
        return targets[name]

    def scores_alone(self, name: str) -> bool:
        """Whether an intent's labels are scored each by itself, with a sigmoid, rather than by one softmax."""
        return name in self._label_matrices and self.config.multi_label_loss == "sigmoid"

    def losses_of(
        self, outputs: dict[str, Any], targets: dict[str, tf.Tensor], training: bool = False
    ) -> dict[str, tf.Tensor]:
        """Eq 3 for the item and each intent, and their total of Eq 4 under ``loss``; scalars."""
        weight = targets["weight"]
        mixture = None
        if "repeat" in outputs:
            mixture = repeat_mixture(outputs["repeat"], targets["item"])
        parts = {"item_loss": self.item_loss(outputs["state"], targets["item"], weight, mixture, training)}
        total = parts["item_loss"]
        for name, logits in outputs["intents"].items():
            parts[f"{name}_loss"] = self._intent_loss(name, logits, targets)
            total += self.config.weight_of(name) * parts[f"{name}_loss"]
        for name, logits in outputs.get("auxiliary", {}).items():
            total += self.config.weight_of(name) * self._intent_loss(name, logits, targets)
        return {"loss": total, **parts}

    def _intent_loss(self, name: str, logits: tf.Tensor, targets: dict[str, tf.Tensor]) -> tf.Tensor:
        labels, weight = self.intent_labels(name, targets), targets["weight"]
        if name in self._label_matrices:
            form, average = self.config.multi_label_loss, self.config.average_labels
            return multi_label_cross_entropy(logits, labels, weight, form, average)
        return weighted_cross_entropy(logits, labels, weight)

    def step_losses(self, inputs: dict, targets: dict, training: bool) -> dict[str, tf.Tensor]:
        """What one batch costs, see :meth:`losses_of`."""
        return self.losses_of(self(inputs, training=training), targets, training)

    def train_step(self, data):
        with tf.GradientTape() as tape:
            parts = self.step_losses(*data, training=True)
        gradients = tape.gradient(parts["loss"], self.trainable_variables)
        pairs = zip(gradients, self.trainable_variables, strict=True)
        self.optimizer.apply_gradients([(g, v) for g, v in pairs if g is not None])
        return self._record(parts)

    def test_step(self, data):
        return self._record(self.step_losses(*data, training=False))

    def _record(self, parts: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        for name, value in parts.items():
            self._means[name].update_state(mean_of_parts(value))
        return {name: self._means[name].result() for name in parts}

    @property
    def metrics(self):
        return list(self._means.values())


def _with_repeats(repeat: Repeat, softmax: tf.Tensor, start: int | tf.Tensor) -> tf.Tensor:
    """The mixture of :class:`RepeatHead` for the items from row ``start`` on, float32 [batch, n] as ``softmax``."""
    place = repeat.items - start
    inside = (repeat.items >= FIRST) & (place >= 0) & (place < tf.shape(softmax)[1])
    users = tf.broadcast_to(tf.range(tf.shape(place)[0])[:, None], tf.shape(place))
    index = tf.stack([users, tf.where(inside, place, 0)], axis=-1)
    again = tf.where(inside, tf.sigmoid(repeat.share)[:, None] * repeat.pointer, 0.0)
    return tf.tensor_scatter_nd_add(tf.sigmoid(-repeat.share)[:, None] * softmax, index, again)
