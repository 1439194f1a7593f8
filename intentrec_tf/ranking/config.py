"""What may be chosen about a model that ranks candidates."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class RankingConfig(BaseModel):
    """A model that reads user and candidate together.

    Attributes:
        kind: ``dcn`` (:class:`DCNRanker`), ``din`` (:class:`DINRanker`) or ``transact_v2`` (:class:`TransActV2Ranker`).
        intent: Z of the IntentRec model is a feature; it needs one of variant V2 or V3.
        state: so is its item state, and the ranker adds to the logarithm of what the model's item head says of the
            candidates, which is where it starts; False ranks by the ranker alone.
        history: newest events that are read.
        hidden_dim: of the layers on top.  dropout: before the last one, and in the Transformer.
        crosses: cross layers of ``dcn``.
        attention_dim: hidden units of the attention of ``din``.
        nearest, newest: events of ``transact_v2``, chosen by the candidate and by time.
        width, blocks: of its Transformer, with one head and an FFN as wide as the rows.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["dcn", "din", "transact_v2"] = "din"
    intent: bool = True
    state: bool = True
    history: int = Field(100, ge=1, le=10_000)
    hidden_dim: int = Field(64, ge=1)
    dropout: float = Field(0.1, ge=0, lt=1)
    crosses: int = Field(2, ge=1, le=6)
    attention_dim: int = Field(16, ge=1)
    nearest: int = Field(12, ge=1)
    newest: int = Field(8, ge=1)
    width: int = Field(32, ge=1)
    blocks: int = Field(2, ge=1)
