"""Candidates from implicit and explicit interests, searched exactly inside the graph."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from intentrec_tf.inputs import Columns
from intentrec_tf.retrieval.merge import merge, split_budget
from intentrec_tf.retrieval.retrieval_model import RetrievalModel
from intentrec_tf.top_items import nearest_items
from intentrec_tf.vocabulary import FIRST


class Candidates(NamedTuple):
    """What :class:`Retriever` found, best of each source in turn.

    Attributes:
        rows: int32 [batch, total] item rows; 0 where nothing is left.
        source: int32 [batch, total]: 0 to K - 1 an implicit interest, from K on the topic of that place, -1 none.
        score: float32 [batch, total], cosine of query and item within the source's own model.
        budget: int32 [batch, K + T].
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


class Retriever(tf.Module):
    """One search per interest over the whole catalogue, then :func:`merge`.

    Item vectors are computed once, when it is made.

    Args:
        implicit: any but a ``conditional`` model.
        explicit: a ``conditional`` model of the same data; None knows no topics.
        total: candidates in all.
        explicit_share: of the total, for declared topics; 5/12 as at Pinterest, where they are 5 of 12 queries.
        guardrail: of a topic's candidates keep only items that have the topic.
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
        slots = tf.shape(asked.mass)[1]
        own = asked.valid[:, :slots]
        rows, score = nearest_items(asked.queries[:, :slots], self.implicit_vectors, excluded, self.total)
        rows = tf.where(own[..., None], rows, 0)
        if self.explicit is not None:
            wanted = tf.where(asked.valid[:, slots:], topics, 0)
            queries, vectors = asked.queries[:, slots:], self.explicit_vectors
            more, more_score = nearest_items(queries, vectors, excluded, self.total, wanted, self.item_topics)
            rows = tf.concat([rows, tf.where(wanted[..., None] > 0, more, 0)], axis=1)
            score = tf.concat([score, more_score], axis=1)
        budget = split_budget(self.total, asked.mass, own, asked.valid[:, slots:], self.explicit_share)
        return Candidates(*merge(rows, score, budget, self.total), budget, asked.mass)

    def queries(self, inputs: Columns, topics: tf.Tensor) -> Queries:
        """What is searched for; arguments as of a call."""
        found = self.implicit(inputs, training=False)
        if self.explicit is None:
            return Queries(found["queries"], found["slots"], found["mass"])
        asked = topics >= FIRST
        more = self.explicit({**inputs, "topic": tf.where(asked, topics, 0)}, training=False)["queries"]
        queries = tf.concat([found["queries"], tf.where(asked[..., None], more, 0.0)], axis=1)
        return Queries(queries, tf.concat([found["slots"], asked], axis=1), found["mass"])
