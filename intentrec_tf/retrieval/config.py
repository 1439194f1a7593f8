"""What may be chosen about a retrieval model."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Interests = Literal["single", "dcm", "mind", "comirec", "tokens", "conditional"]
IMPLICIT: dict[str, Interests] = {  # names for people
    "One vector": "single",
    "MIND": "mind",
    "ComiRec-SA": "comirec",
    "Interest tokens": "tokens",
    "DCM": "dcm",
}


class RetrievalConfig(BaseModel):
    """Two towers; the user's has one vector, one per implicit interest, or one per declared topic.

    Attributes:
        interests: where the user's vectors come from: ``single`` none but the user as a whole; of the history ``dcm``
            (:class:`DifferentiableClustering`), ``mind`` (:class:`DynamicRouting`), ``comirec``
            (:class:`InterestAttention`), ``tokens`` (:class:`InterestTokens`); ``conditional`` the topics of the
            request (conditional retrieval).
        count: K, implicit interests of a user at most.
        whole_user: the first of the K vectors stands for the user as a whole, as the only one of ``single`` does, so
            that no user is known by parts alone.
        dim: of both towers' vectors.  hidden_dim: of the layers between.  feature_dim: width of a feature embedding.
        blocks: Transformer blocks over the history, whose state at the newest event joins what is known of the user;
            the last one costs little, for it has one query.  0 leaves them out, as the papers have it.  heads: theirs.
        crosses: DCN v2 cross layers between an interest and what else is known of the user.
        members: every query starts from the mean of the item tower's vectors of the events that it stands for, of a
            topic those that have it (:class:`MemberPooling`); False has the network alone, as the papers.
        member_attention: in that mean an event counts by what it was, how long ago, and who the user is (additive
            attention of width ``hidden_dim / 4``); False: all alike.
        dropout: in the user tower.
        iterations, farthest_start, single_assignment, sharpness: of the clustering; iterations of MIND's, too.
        contrast: which of a user's vectors score an item in training.  ``mixture``: all, the positive item's like the
            others', so that training asks for what serving ranks by, the vector that scores an item highest.
            ``chosen``: the one that the positive item belongs to, as the papers have it.  ``all``: that one for the
            positive item, all for the others, so that no vector may score an item highly that it should not bring up.
            Of one vector, and of a topic's, all three are the same.
        choice: which vector a positive item belongs to, see :class:`SlotChoice`; null takes ``gumbel`` for ``comirec``
            and ``tokens``, which collapse otherwise, and ``hard`` else.  A mixture chooses none.
        temperature: of the inner product of two vectors of length 1.
        source_column: event feature that says for which declared interest an event was surfaced; a topic's vector
            learns from those events.  Null, and events without one, take any topic of the item.
        bootstrap: train with any topic of the item, as if no source had been logged.
        history: newest events that are read.
        horizon: events after a cut of the history that are its positives.
        ignored: event feature -> labels of events that are no sign of interest ("thumbs_down") and start no cluster.
        random_oov: share of training ids replaced by the out-of-vocabulary row.
        id_dropout: share of the items that a training step knows by their catalogue features alone, so that items
            without any training event can be found by theirs; see :class:`ItemEmbedding`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    interests: Interests = "dcm"
    count: int = Field(7, ge=1, le=64)
    whole_user: bool = False
    dim: int = Field(64, ge=4)
    hidden_dim: int = Field(128, ge=4)
    feature_dim: int = Field(16, ge=1)
    blocks: int = Field(1, ge=0)
    heads: int = Field(2, ge=1)
    crosses: int = Field(1, ge=0, le=4)
    members: bool = False
    member_attention: bool = False
    dropout: float = Field(0.1, ge=0, lt=1)
    iterations: int = Field(3, ge=1, le=20)
    farthest_start: bool = True
    single_assignment: bool = True
    sharpness: float | None = Field(10.0, gt=0)
    contrast: Literal["chosen", "all", "mixture"] = "all"
    choice: Literal["hard", "gumbel"] | None = None
    temperature: float = Field(0.05, gt=0)
    source_column: str | None = None
    bootstrap: bool = False
    history: int = Field(100, ge=1, le=10_000)
    horizon: int = Field(8, ge=1, le=100)
    ignored: dict[str, tuple[str, ...]] = {}
    random_oov: float = Field(0.01, ge=0, lt=1)
    id_dropout: float = Field(0.0, ge=0, lt=1)

    @model_validator(mode="after")
    def _heads_divide_dim(self) -> RetrievalConfig:
        if self.blocks and self.dim % self.heads:
            raise ValueError(f"heads {self.heads} must divide dim {self.dim}")
        return self

    @model_validator(mode="after")
    def _one_vector_needs_no_choice(self) -> RetrievalConfig:
        if self.choice == "gumbel" and self.interests in ("single", "conditional"):
            raise ValueError(f"choice 'gumbel' means nothing where interests are '{self.interests}'; leave it out")
        return self

    @model_validator(mode="after")
    def _a_mixture_chooses_none(self) -> RetrievalConfig:
        if self.choice is not None and self.contrast == "mixture":
            raise ValueError("a mixture chooses no vector; leave choice out, or set contrast to all or chosen")
        return self

    @model_validator(mode="after")
    def _attention_to_members(self) -> RetrievalConfig:
        if self.member_attention and not self.members:
            raise ValueError("member_attention needs members; set it to false, or members to true")
        return self

    @model_validator(mode="after")
    def _whole_user_beside_interests(self) -> RetrievalConfig:
        if self.whole_user and self.interests in ("single", "conditional"):
            raise ValueError(f"whole_user means nothing where interests are '{self.interests}'; leave it out")
        if self.whole_user and self.count == 1:
            raise ValueError("whole_user leaves no vector for interests where count is 1; take more")
        return self

    @property
    def found_interests(self) -> int:
        """How many interests are looked for in a history."""
        return self.count - self.whole_user

    @property
    def by_score(self) -> bool:
        """Whether training makes the scores of a user's vectors comparable, so that they may compete by them."""
        return self.contrast != "chosen"

    @property
    def slot_choice(self) -> str:
        """``hard`` or ``gumbel``."""
        return self.choice or ("gumbel" if self.interests in ("comirec", "tokens") else "hard")
