"""The serving contract: raw strings in, names and scores out, everything else inside the SavedModel."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import numpy as np
import tensorflow as tf

from intentrec_tf.inputs import Columns, assemble_inputs, following
from intentrec_tf.models.next_item_model import NextItemModel
from intentrec_tf.ranking import JointRanker
from intentrec_tf.retrieval import Retriever
from intentrec_tf.schema import LABEL_SEPARATOR
from intentrec_tf.top_items import exclude, top_items
from intentrec_tf.vocabulary import FIRST, OOV, Vocabulary

_NOW = "request_time"


class Signatures(tf.Module):
    """The signatures of a model, each a ``tf.function`` over raw inputs.

    Inputs (B = batch, L = ``schema.max_history``): ``item_id`` string [B, L] padded with ``""`` on either side,
    ``timestamp`` int64 [B, L] unix seconds, one input per event feature (string, labels of a multi-label feature
    joined by ``|``, or float32 with NaN for missing) [B, L], and ``request_time`` int64 [B].  ``item`` also takes
    ``exclude_item_id`` string [B, E].

    * ``intent``: ``<intent>/label`` string and ``<intent>/score`` float32 [B, d_i], best first; ``attention``
      float32 [B, M] over the intents in alphabetical order and ``embedding`` Z [B, d] (V2 and V3 only).  Holds nothing
      of the catalogue softmax, nor (V2 and V3) of the item encoder.
    * ``item`` = ``serving_default``: ``item_id`` string and ``score`` float32 [B, K], best first.  The score is the
      probability before exclusion.  A place that no item is left for has id ``""`` and score 0.
    * ``rank``: also takes ``candidate_item_id`` string [B, C]; ``score`` float32 [B, C], each candidate's probability
      among the different candidates, 0 for ``""`` and unknown ids.  Its cost does not grow with the catalogue.  By the
      inner product with the item state, or by a ranker.
    * ``retrieve`` (with a retriever): also takes ``interest`` string [B, T], declared topics, and ``exclude_item_id``;
      ``item_id``, ``source`` string and ``score`` float32 [B, N], best first (see :class:`Retriever`).  A source is the
      number of an implicit interest or the name of a topic; the score is the cosine of the source's query and the item.
      ``mass`` float32 [B, K], how much of the history each implicit interest stands for; ``budget`` int32 [B, K + T],
      how many candidates each source was to bring.  Unknown topics and repeated ones are passed over; a user without
      any event has one implicit interest, that of new users.
    * ``query`` (with a retriever): what ``retrieve`` searches for, for an index outside the model: ``query`` float32
      [B, K + T, dim], ``valid`` bool [B, K + T], ``mass`` float32 [B, K], ``by_score`` bool [B, 1], whether implicit
      interests compete by score, and ``version`` string [B, 2], names of the item vectors that implicit and explicit
      queries belong to.
    * ``embed``: ``item_state`` float32 [B, dim] and, for V2 and V3, ``intent_embedding`` [B, d].

    A user without any event gets the training shares of items and labels.

    Args:
        model: trained.
        top_k: K, at most the number of items.
        retriever: of the same data; None leaves ``retrieve`` out.
        ranker: with ``model`` as its model; None ranks by the item state.
        temperatures: what the logits of an intent's head are divided by for its scores in ``intent``, by intent (see
            :mod:`intentrec_tf.calibration`); attention, Z and all other signatures are as without.

    Raises:
        ValueError: retriever or ranker do not belong to the model, or a temperature to none of its heads.
    """

    def __init__(
        self,
        model: NextItemModel,
        top_k: int = 100,
        retriever: Retriever | None = None,
        ranker: JointRanker | None = None,
        temperatures: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(name="signatures")
        if ranker is not None and ranker.model is not model:
            raise ValueError("the ranker reads the features of another model; export that one")
        self.ranker = ranker
        self.temperatures = dict(temperatures or {})
        for name, temperature in self.temperatures.items():
            if name not in model.output["intents"] or not 0 < temperature < float("inf"):
                raise ValueError(f"temperature {temperature} of intent '{name}': pass positive ones of heads there are")
        if retriever is not None and retriever.spec.items != model.spec.items:
            raise ValueError("retriever and model are of different data; train both on the same")
        self.retriever = retriever
        spec = model.spec
        self._spec = spec
        self.model = model
        vectors = model.item_vectors()  # once, not for every request: that is work for each item of the catalogue
        self.item_vectors = None if vectors is None else tf.Variable(vectors, trainable=False, name="item_vectors")
        self.top_k = min(top_k, len(spec.items.tokens))
        self.item_lookup = _lookup(spec.items)
        self.item_names = tf.constant([spec.items.token(row) for row in range(spec.items.size)])
        self.lookups = {
            f.name: _lookup(spec.vocabularies[f.name]) for f in spec.schema.event_features if f.kind != "numeric"
        }
        self.item_prior = tf.constant(_shares(spec.item_prior, spec.item_prior.sum()))
        if retriever is not None and (topics := spec.schema.explicit_interests) is not None:
            self.topic_lookup = _lookup(spec.vocabularies[topics])
        self.intent_names = sorted(model.output["intents"])
        self.labels = {name: tf.constant(spec.intent_labels[name]) for name in self.intent_names}
        self.label_priors = {name: tf.constant(_label_shares(model, name)) for name in self.intent_names}

    def intent(self, **raw: tf.Tensor) -> Columns:
        """See the class; shapes and dtypes as there."""
        inputs, known = self.model_inputs(raw)
        network = self.model.newest_intent_model()
        assert network is not None
        outputs = network(inputs, training=False)
        answer: Columns = {}
        for name in self.intent_names:
            predicted = self._calibrated(name, outputs)
            scores = tf.where(known[:, None], predicted, self.label_priors[name][None])
            order = tf.argsort(scores, direction="DESCENDING", stable=True)
            answer[f"{name}/label"] = tf.gather(self.labels[name], order)
            answer[f"{name}/score"] = tf.gather(scores, order, batch_dims=1)
        if self.model.hierarchical:
            answer["attention"] = _newest(outputs["attention"])
            answer["embedding"] = _newest(outputs["embedding"])
        return answer

    def _calibrated(self, name: str, outputs: Columns) -> tf.Tensor:
        """An intent's probabilities at its temperature, float32 [B, d_i]."""
        if name not in self.temperatures:
            return _newest(outputs["probabilities"][name])
        logits = _newest(outputs["intents"][name]) / self.temperatures[name]
        return tf.sigmoid(logits) if self.model.scores_alone(name) else tf.nn.softmax(logits)

    def item(self, exclude_item_id: tf.Tensor, **raw: tf.Tensor) -> Columns:
        """See the class; shapes and dtypes as there."""
        inputs, known = self.model_inputs(raw)
        predicted = self.model.item_probabilities(self.model.question(inputs), self.item_vectors)
        scores = tf.where(known[:, None], predicted, self.item_prior[None])
        never = [self.item_lookup.lookup(exclude_item_id), tf.fill([tf.shape(known)[0], 1], OOV)]
        if self._spec.schema.exclude_seen:
            never.append(inputs["item_id"])
        rows = tf.pad(tf.concat(never, axis=1), [[0, 0], [1, 0]])  # row 0 is padding and never an answer
        best, found = top_items(exclude(tf.transpose(scores), rows), self.top_k)
        possible = tf.math.is_finite(best)
        return {
            "item_id": tf.where(possible, tf.gather(self.item_names, found), ""),
            "score": tf.where(possible, best, 0.0),
        }

    def rank(self, candidate_item_id: tf.Tensor, **raw: tf.Tensor) -> Columns:
        """See the class; shapes and dtypes as there."""
        inputs, known = self.model_inputs(raw)
        rows = self.item_lookup.lookup(candidate_item_id)
        if self.ranker is None:
            predicted = self.model.candidate_probabilities(self.model.question(inputs), rows)
        else:
            predicted = self.ranker.candidate_probabilities(inputs, rows)
        prior = tf.gather(self.item_prior, rows)  # 0 at padding and OOV
        prior = tf.math.divide_no_nan(prior, tf.reduce_sum(prior, axis=1, keepdims=True))
        return {"score": tf.where(known[:, None], predicted, prior)}

    def retrieve(self, interest: tf.Tensor, exclude_item_id: tf.Tensor, **raw: tf.Tensor) -> Columns:
        """See the class; shapes and dtypes as there."""
        assert self.retriever is not None
        inputs, _ = self.model_inputs(raw)
        never = [self.item_lookup.lookup(exclude_item_id)]
        if self._spec.schema.exclude_seen:
            never.append(inputs["item_id"])
        found = self.retriever(inputs, self._topics(interest), tf.concat(never, axis=1))
        slots = tf.shape(found.mass)[1]
        name = tf.concat(
            [tf.repeat(tf.strings.as_string(tf.range(slots))[None], tf.shape(interest)[0], 0), interest], 1
        )
        there = found.rows >= FIRST
        return {
            "item_id": tf.where(there, tf.gather(self.item_names, found.rows), ""),
            "source": tf.where(there, tf.gather(name, tf.maximum(found.source, 0), batch_dims=1), ""),
            "score": found.score,
            "mass": found.mass,
            "budget": found.budget,
        }

    def query(self, interest: tf.Tensor, **raw: tf.Tensor) -> Columns:
        """See the class; shapes and dtypes as there."""
        assert self.retriever is not None
        found = self.retriever.queries(self.model_inputs(raw)[0], self._topics(interest))
        version = tf.repeat(tf.constant([self.retriever.versions]), tf.shape(interest)[0], axis=0)
        by_score = tf.fill([tf.shape(interest)[0], 1], self.retriever.by_score)
        return {
            "query": found.queries,
            "valid": found.valid,
            "mass": found.mass,
            "by_score": by_score,
            "version": version,
        }

    def _topics(self, interest: tf.Tensor) -> tf.Tensor:
        """Rows of declared topics int32 [B, T], each once; 0 for the rest, and all 0 without an explicit model."""
        assert self.retriever is not None
        if self.retriever.explicit is None:
            return tf.zeros(tf.shape(interest), tf.int32)
        return _first_of_each(self.topic_lookup.lookup(interest))

    def embed(self, **raw: tf.Tensor) -> Columns:
        """See the class; shapes and dtypes as there."""
        inputs, _ = self.model_inputs(raw)
        outputs = self.model.newest_model()(inputs, training=False)
        answer = {"item_state": _newest(outputs["state"])}
        if self.model.hierarchical:
            answer["intent_embedding"] = _newest(outputs["embedding"])
        return answer

    @cached_property
    def functions(self) -> dict[str, tf.types.experimental.ConcreteFunction]:
        """Concrete functions by signature name, ready for ``tf.saved_model.save``."""
        raw = self.input_specs()
        extra = {"exclude_item_id": tf.TensorSpec([None, None], tf.string, "exclude_item_id")}
        candidates = tf.TensorSpec([None, None], tf.string, "candidate_item_id")
        concrete = {
            "item": tf.function(self.item).get_concrete_function(**raw, **extra),
            "rank": tf.function(self.rank).get_concrete_function(**raw, candidate_item_id=candidates),
            "embed": tf.function(self.embed).get_concrete_function(**raw),
        }
        if self.retriever is not None:
            interest = tf.TensorSpec([None, None], tf.string, "interest")
            concrete["query"] = tf.function(self.query).get_concrete_function(**raw, interest=interest)
            concrete["retrieve"] = tf.function(self.retrieve).get_concrete_function(**raw, **extra, interest=interest)
        if self.intent_names:
            concrete["intent"] = tf.function(self.intent).get_concrete_function(**raw)
        return {**concrete, "serving_default": concrete["item"]}

    def input_specs(self) -> dict[str, tf.TensorSpec]:
        """Raw inputs that every signature takes, by name."""
        schema = self._spec.schema
        dtypes = {"item_id": tf.string, "timestamp": tf.int64}
        dtypes |= {f.name: tf.float32 if f.kind == "numeric" else tf.string for f in schema.event_features}
        specs = {name: tf.TensorSpec([None, schema.max_history], dtype, name) for name, dtype in dtypes.items()}
        return {**specs, _NOW: tf.TensorSpec([None], tf.int64, _NOW)}

    def model_inputs(self, raw: Columns) -> tuple[Columns, tf.Tensor]:
        """Model inputs with all padding moved to the left, and whether there is any event, bool [B]."""
        order = tf.argsort(tf.cast(raw["item_id"] != "", tf.int32), axis=1, stable=True)
        history = {name: tf.gather(raw[name], order, batch_dims=1) for name in self.input_specs() if name != _NOW}
        real = history["item_id"] != ""
        segment = tf.cast(real, tf.int32)
        events: Columns = {"item_id": self.item_lookup.lookup(history["item_id"]), "timestamp": history["timestamp"]}
        for feature in self._spec.schema.event_features:
            values = history[feature.name]
            if feature.kind == "categorical":
                values = self.lookups[feature.name].lookup(values)
            elif feature.kind == "multi_label":
                width = self._spec.event_widths[feature.name]
                labels = tf.strings.split(values, LABEL_SEPARATOR).to_tensor("")
                values = _distinct(self.lookups[feature.name].lookup(labels), width)
            events[feature.name] = values
        next_timestamp = following(history["timestamp"], segment, raw[_NOW])
        return assemble_inputs(self._spec, events, segment, next_timestamp), tf.reduce_any(real, axis=1)


def save_model(
    model: NextItemModel,
    path: str | Path,
    top_k: int = 100,
    retriever: Retriever | None = None,
    ranker: JointRanker | None = None,
    temperatures: Mapping[str, float] | None = None,
) -> Signatures:
    """Write the SavedModel of a model with all its signatures.

    Args:
        model: trained.
        path: folder to be made.
        top_k: items the ``item`` signature returns.
        retriever: what the ``retrieve`` signature asks; None leaves it out.
        ranker: what the ``rank`` signature asks; None asks the model itself.
        temperatures: of the intents' scores, by intent; see :class:`Signatures`.

    Returns:
        What was saved, to be asked without the SavedModel.
    """
    signatures = Signatures(model, top_k, retriever, ranker, temperatures)
    tf.saved_model.save(signatures, str(path), signatures=signatures.functions)
    return signatures


def _lookup(vocabulary: Vocabulary) -> tf.lookup.StaticHashTable:
    """String -> row int32; ``""`` gives 0, an unknown string the OOV row."""
    keys = tf.constant(["", *vocabulary.tokens])
    rows = tf.constant([0, *range(FIRST, vocabulary.size)], tf.int32)
    return tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, rows), OOV)


def _shares(counts: np.ndarray, total: float) -> np.ndarray:
    return (counts / max(total, 1.0)).astype(np.float32)


def _label_shares(model: NextItemModel, name: str) -> np.ndarray:
    """What to say of a user without any event: training shares of the labels, float32 [d_i].

    Shares of all labels (they sum to 1), or of all events where labels are scored independently.
    """
    spec, counts = model.spec, model.spec.intent_priors[name]
    return _shares(counts, spec.item_prior.sum() if model.scores_alone(name) else counts.sum())


def _first_of_each(rows: tf.Tensor) -> tf.Tensor:
    """Rows int32 [B, T] with every repetition within a batch row replaced by 0."""
    places = tf.range(tf.shape(rows)[1])
    earlier = (rows[:, :, None] == rows[:, None, :]) & (places[None, None, :] < places[None, :, None])
    return tf.where(tf.reduce_any(earlier, axis=2), 0, rows)


def _distinct(rows: tf.Tensor, width: int) -> tf.Tensor:
    """Label rows [B, L, any] as preparation stores them: each row once, ``width`` places, 0 at the unused ones."""
    ordered = tf.sort(rows, axis=-1, direction="DESCENDING")
    repeated = ordered[..., 1:] == ordered[..., :-1]
    first = tf.where(repeated, 0, ordered[..., 1:])
    once = tf.sort(tf.concat([ordered[..., :1], first], axis=-1), axis=-1, direction="DESCENDING")[..., :width]
    padded = tf.pad(once, [[0, 0], [0, 0], [0, width - tf.shape(once)[-1]]])
    return tf.ensure_shape(padded, [None, None, width])


def _newest(values: tf.Tensor) -> tf.Tensor:
    """``values`` [B, L, d] at the last place: float32 [B, d], whatever precision the model computes in."""
    return tf.cast(values[:, -1], tf.float32)
