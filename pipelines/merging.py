"""How candidates of several interests become one list."""

from __future__ import annotations

from dataclasses import dataclass

from serving.index_retriever import USUAL_SHARE


@dataclass(frozen=True)
class Merging:
    """What may be chosen about the list; see :class:`intentrec_tf.retrieval.Retriever`.

    Attributes:
        explicit_share: of the candidates, for declared topics, from 0 to 1.
        guardrail: whether a topic brings only items that have it.
        by_score: whether implicit interests compete by score instead of taking turns by their share of the history;
            None where the model was trained for it.
    """

    explicit_share: float = USUAL_SHARE
    guardrail: bool = True
    by_score: bool | None = None


USUAL = Merging()
