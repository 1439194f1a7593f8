"""What may be chosen about a model."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from intentrec_tf.schema import Span


class ModelConfig(BaseModel):
    """Size and form of a model; a baseline reads what it has use for.

    Attributes:
        variant: ``V0`` item only; ``V1`` flat multi-task, one shared encoder; ``V2`` hierarchical, the intent vector
            feeds a separate item encoder; ``V3`` = V2 with the short-term interest (IntentRec, Table 2).  Baselines on
            item ids alone: ``SASRec``, ``BERT4Rec``, and, with flat intent heads, ``GRU``, ``LSTM``, ``Transformer``;
            on all features but times, with flat intent heads: ``TransAct``; on items with their catalogue features:
            ``TwoTower``, which knows no popularity.
        dim: width of encoders and item vectors.  intent_dim: width of Z.  feature_dim: width of a feature embedding.
        item_blocks, intent_blocks, short_term_blocks: Transformer blocks of the three encoders.  Only one short-term
            block keeps strictly to the window H: each further one reaches H further back.
        heads, expansion, dropout, attention_dropout: of every encoder.
        short_term_window: H of Eq 1 in seconds or as ``1w``; null takes the schema's.
        auxiliary: V2 and V3 predict the intents from the item encoder's state too, for the loss alone (ours).
        intents: names of the intents to predict; null takes all of the schema's.
        time_encoding: ``timestamp`` or ``position``.
        distances: attention learns how much to prefer what is near in events and in time (:class:`EventDistance`).
        gated: blocks with gated branches (:class:`TransformerBlock`).  Both: V0 to V3 only.
        repeat: add a head that points at an event of the history (:class:`RepeatHead`); null: V0 to V3 have it where
            seen items may be recommended.
        repeat_recency: that head also knows how many other items were met since (:class:`ItemRecency`), and how much it
            prefers what is near depends on the state.
        tied: score items with the input's item vectors.
        history_mean: the item head's query starts from a mean of the history's item vectors (:class:`HistoryMean`); for
            short histories and little data.  V0 to V3 only; needs ``tied``.
        similarity, temperature: of state and item vector.
        intent_weight: lambda of Eq 4, one number, or one per intent name (missing names: 0).
        multi_label_loss: ``softmax`` (the paper's positive-only form) or ``sigmoid``.
        average_labels: divide a multi-label loss by its number of labels.
        random_oov: share of training ids replaced by the out-of-vocabulary row.
        id_dropout: share of the items that a training step knows by their catalogue features alone, so that items
            without any training event can be recommended by theirs (:class:`ItemEmbedding`); needs ``tied``.  0: items
            never seen keep a random vector.  Baselines on item ids alone have no use for it.
        negatives: items that a training step compares with the true one, shared by its batch (sampled softmax); null
            compares with the whole catalogue.  For catalogues from about 50,000 items on.
        mask_share: of a sequence, hidden in training (BERT4Rec).
        hidden_window: of the time before the request, up to so much (seconds, or as ``24h``) is hidden in training at
            random; null hides nothing (TransAct).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    variant: Literal[
        "V0", "V1", "V2", "V3", "SASRec", "BERT4Rec", "GRU", "LSTM", "Transformer", "TransAct", "TwoTower"
    ] = "V3"
    dim: int = Field(64, ge=4)
    intent_dim: int = Field(32, ge=1)
    feature_dim: int = Field(16, ge=1)
    item_blocks: int = Field(2, ge=1)
    intent_blocks: int = Field(1, ge=1)
    short_term_blocks: int = Field(1, ge=1)
    heads: int = Field(2, ge=1)
    expansion: int = Field(4, ge=1)
    dropout: float = Field(0.2, ge=0, lt=1)
    attention_dropout: float = Field(0.0, ge=0, lt=1)
    short_term_window: Span | None = None
    intents: tuple[str, ...] | None = None
    auxiliary: bool = False
    time_encoding: Literal["timestamp", "position"] = "timestamp"
    distances: bool = True
    gated: bool = True
    repeat: bool | None = None
    repeat_recency: bool = True
    tied: bool = True
    history_mean: bool = False
    similarity: Literal["dot", "cosine"] = "dot"
    temperature: float = Field(0.05, gt=0)
    intent_weight: float | dict[str, float] = 0.3
    multi_label_loss: Literal["softmax", "sigmoid"] = "softmax"
    average_labels: bool = True
    random_oov: float = Field(0.01, ge=0, lt=1)
    id_dropout: float = Field(0.0, ge=0, lt=1)
    negatives: int | None = Field(None, ge=2)
    mask_share: float = Field(0.3, gt=0, lt=1)
    hidden_window: Span | None = 86_400

    @model_validator(mode="after")
    def _heads_divide_dim(self) -> ModelConfig:
        if self.dim % self.heads:
            raise ValueError(f"heads {self.heads} must divide dim {self.dim}")
        return self

    @model_validator(mode="after")
    def _scored_by_features(self) -> ModelConfig:
        if self.id_dropout and not self.tied:
            raise ValueError("id_dropout needs tied: an output table of its own knows no item features")
        if self.history_mean and not self.tied:
            raise ValueError("history_mean needs tied: the history's item vectors must be those that are scored")
        return self

    def weight_of(self, intent: str) -> float:
        """Lambda of one intent."""
        return self.intent_weight.get(intent, 0.0) if isinstance(self.intent_weight, dict) else self.intent_weight
