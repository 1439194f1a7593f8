"""Candidates from implicit and explicit interests, searched exactly inside the graph."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from intentrec_tf.inputs import Columns
from intentrec_tf.retrieval.merge import Merged, deal, merge, merge_by_score, split_budget
from intentrec_tf.retrieval.retrieval_model import RetrievalModel
from intentrec_tf.top_items import nearest_items
from intentrec_tf.vocabulary import FIRST


class Candidates(NamedTuple):
    """What :class:`Retriever` found, best first.

    Attributes:
        rows: int32 [batch, total] item rows; 0 where nothing is left.
        source: int32 [batch, total]: 0 to K - 1 an implicit interest, from K on the topic of that place, -1 none.
        score: float32 [batch, total], cosine of query and item within the source's own model.
        budget: int32 [batch, K + T], how many each source was to bring; by score, what each interest earned.
        mass: float32 [batch, K], how much of the history each implicit interest stands for.
    """

    rows: tf.Tensor
    source: tf.Tensor
    score: tf.Tensor
    budget: tf.Tensor
    mass: tf.Tensor


class Queries(NamedTuple):
    """What to search for.

    Attributes:
        queries: float32 [batch, K + T, dim] of length 1: implicit interests, then topics (without an explicit model
            there are none).
        valid: bool [batch, K + T], which of them there are.
        mass: float32 [batch, K].
    """

    queries: tf.Tensor
    valid: tf.Tensor
    mass: tf.Tensor


class Found(NamedTuple):
    """What each query finds, best first.

    Attributes:
        rows: int32 [batch, K, N] items nearest to the implicit interests, whether there is one or not.
        score: float32 [batch, K, N].
        topic_rows, topic_score: of the topics, [batch, T, N]; None without an explicit model.
    """

    rows: tf.Tensor
    score: tf.Tensor
    topic_rows: tf.Tensor | None = None
    topic_score: tf.Tensor | None = None


class Retriever(tf.Module):
    """One search per interest over the whole catalogue, then one list of them all.

    Implicit interests either share their part of the list in proportion to their mass and take turns, as the paper has
    it, or compete by score.  Competing finds more wherever the scores of a user's vectors compare, which training with
    any ``contrast`` but ``chosen`` sees to: on MovieLens-1M (validation, DCM, 100 candidates) recall .71 against .56,
    of the tail .56 against .35, coverage of the catalogue .73 against .61.  Topics take turns with them in any case.

    Item vectors are computed once, when it is made.

    Args:
        implicit: any but a ``conditional`` model.
        explicit: a ``conditional`` model of the same data; None knows no topics.
        total: candidates in all.
        explicit_share: of the total, for declared topics; 5/12 as at Pinterest, where they are 5 of 12 queries.
        guardrail: of a topic's candidates keep only items that have the topic.
        by_score: whether implicit interests compete by score; None where the implicit model was trained for it.
        versions: names for the item vectors of both, so that an index outside can tell whether it holds the same.

    Raises:
        ValueError: a model of the wrong kind, or of other data.
    """

    def __init__(
        self,
        implicit: RetrievalModel,
        explicit: RetrievalModel | None = None,
        total: int = 500,
        explicit_share: float = 5 / 12,
        guardrail: bool = True,
        by_score: bool | None = None,
        versions: tuple[str, str] = ("", ""),
    ) -> None:
        super().__init__(name="retriever")
        if implicit.config.interests == "conditional":
            raise ValueError("the implicit model must not be 'conditional'; give that one as explicit")
        if explicit is not None and explicit.config.interests != "conditional":
            raise ValueError(f"the explicit model must be 'conditional', not '{explicit.config.interests}'")
        if explicit is not None and explicit.spec.items != implicit.spec.items:
            raise ValueError("implicit and explicit model are of different data; train both on the same")
        if explicit is not None and explicit.config.dim != implicit.config.dim:
            dims = f"{implicit.config.dim} and {explicit.config.dim}"
            raise ValueError(f"implicit and explicit model have vectors of {dims}; train both with the same dim")
        self.implicit = implicit
        self.explicit = explicit
        self.spec = implicit.spec
        self.total = min(total, len(self.spec.items.tokens))
        self.explicit_share = explicit_share
        self.guardrail = guardrail
        self.by_score = implicit.config.by_score if by_score is None else by_score
        self.versions = versions
        self.implicit_vectors = tf.Variable(implicit.item_vectors(), trainable=False, name="implicit_vectors")
        if explicit is not None:
            self.explicit_vectors = tf.Variable(explicit.item_vectors(), trainable=False, name="explicit_vectors")
            name = self.spec.schema.explicit_interests
            assert name is not None
            labels = self.spec.catalogue[name].reshape(self.spec.items.size, -1)
            self.item_topics = tf.constant(labels) if guardrail else None

    def __call__(self, inputs: Columns, topics: tf.Tensor, excluded: tf.Tensor) -> Candidates:
        """Candidates for histories.

        Args:
            inputs: of the models, a user a row; see :func:`intentrec_tf.inputs.keras_inputs`.
            topics: int32 [batch, T] rows of the topics' vocabulary, each once; below 2 (none, unknown) asks nothing.
            excluded: int32 [batch, E] item rows that are no candidates.
        """
        return self.search(self.queries(inputs, topics), topics, excluded)

    def search(self, asked: Queries, topics: tf.Tensor, excluded: tf.Tensor) -> Candidates:
        """Candidates for queries; ``topics`` and ``excluded`` as of a call."""
        return self.merged(self.found(asked, topics, excluded), asked)

    def found(self, asked: Queries, topics: tf.Tensor, excluded: tf.Tensor) -> Found:
        """What every query finds by itself; arguments as of :meth:`search`."""
        slots = tf.shape(asked.mass)[1]
        own = nearest_items(asked.queries[:, :slots], self.implicit_vectors, excluded, self.total)
        if self.explicit is None:
            return Found(*own)
        queries, vectors = asked.queries[:, slots:], self.explicit_vectors
        return Found(*own, *nearest_items(queries, vectors, excluded, self.total, topics, self.item_topics))

    def merged(self, found: Found, asked: Queries, total: int | None = None) -> Candidates:
        """One list of what the valid ones of ``asked`` found, of at most ``total`` candidates (None: as many as it
        was made for, and no more than these)."""
        total = self.total if total is None else total
        slots = tf.shape(asked.mass)[1]
        own, mass, score = asked.valid[:, :slots], asked.mass, found.score
        rows = tf.where(own[..., None], found.rows, 0)
        source = tf.broadcast_to(tf.range(slots)[:, None], tf.shape(rows))
        if self.by_score:
            best = merge_by_score(rows, score, total)
            rows, source, score = (deal(part, slots) for part in best)
            own, mass = tf.repeat(tf.reduce_any(own, axis=1, keepdims=True), slots, axis=1), tf.ones_like(mass)
        budget = split_budget(total, mass, own, asked.valid[:, slots:], self.explicit_share)
        if found.topic_rows is not None:
            more = tf.where(asked.valid[:, slots:, None], found.topic_rows, 0)
            topic = tf.broadcast_to(slots + tf.range(tf.shape(more)[1])[:, None], tf.shape(more))
            rows, score = _beside(rows, more), _beside(score, found.topic_score)
            source = _beside(source, topic)
        merged = merge(rows, score, budget, total, source)
        if self.by_score:
            budget = _earned(best, budget, slots)
        return Candidates(*merged, budget, asked.mass)

    def queries(self, inputs: Columns, topics: tf.Tensor) -> Queries:
        """What is searched for; arguments as of a call."""
        found = self.implicit(inputs, training=False)
        if self.explicit is None:
            return Queries(found["queries"], found["slots"], found["mass"])
        asked = topics >= FIRST
        more = self.explicit({**inputs, "topic": tf.where(asked, topics, 0)}, training=False)["queries"]
        queries = tf.concat([found["queries"], tf.where(asked[..., None], more, 0.0)], axis=1)
        return Queries(queries, tf.concat([found["slots"], asked], axis=1), found["mass"])


def _beside(lists: tf.Tensor, more: tf.Tensor) -> tf.Tensor:
    """[batch, S, R] and [batch, T, N] as [batch, S + T, N], R <= N, with zeros where a list is shorter."""
    lists = tf.pad(lists, [[0, 0], [0, 0], [0, tf.shape(more)[2] - tf.shape(lists)[2]]])
    return tf.concat([lists, more], axis=1)


def _earned(best: Merged, budget: tf.Tensor, slots: tf.Tensor) -> tf.Tensor:
    """``budget`` [batch, K + T] with the part of the implicit interests divided as their best candidates divide it."""
    part = tf.reduce_sum(budget[:, :slots], axis=1, keepdims=True)
    within = tf.range(tf.shape(best.source)[1]) < part
    won = tf.reduce_sum(tf.one_hot(tf.where(within, best.source, -1), slots, dtype=tf.int32), axis=1)
    return tf.concat([won, budget[:, slots:]], axis=1)
