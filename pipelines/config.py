"""A run's configuration: one YAML file, unknown keys are errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pydantic
import yaml
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from intentrec_tf.models.config import ModelConfig
from intentrec_tf.ranking.config import RankingConfig
from intentrec_tf.retrieval.config import RetrievalConfig
from intentrec_tf.yaml_text import RepeatedKeyError, load_yaml
from pipelines.validate import DataError

CONFIGS = Path(__file__).parent / "configs"
Section = Literal["model", "retrieval", "ranking"]


class TrainingConfig(BaseModel):
    """How to fit.

    Attributes:
        epochs: at most so many.
        learning_rate: of Adam, after a linear warm-up over ``warmup_steps`` (at most a tenth of all steps).
        schedule: the rate afterwards: ``constant``, or ``cosine`` down to zero at the last epoch.
        weight_decay: of AdamW, times the learning rate, on matrices and tables.
        rows_per_batch, row_length: shape of a packed batch; a retrieval model takes ``rows_per_batch`` users, a ranker
            as many questions.
        history: ``last`` (newest L transitions of a user) or ``all`` (every window of L).
        patience: epochs (not validations) without a better validation NDCG@10 before training stops.
        validate_every: epochs between validations.
        validation_targets: size of the random validation subset during training (all if null).
        clip_norm: global gradient norm.
        seed: of initial weights, order and dropout.
        xla: compile the step; off where several replicas train.
        strategy: ``none`` (one device), ``mirrored`` (all GPUs of this machine, or its logical CPU devices) or
            ``multi_worker`` (the processes that TF_CONFIG names); ``rows_per_batch`` is the batch of all together.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: int = Field(30, ge=1)
    learning_rate: float = Field(3e-3, gt=0)
    warmup_steps: int = Field(100, ge=1)
    schedule: Literal["constant", "cosine"] = "cosine"
    weight_decay: float = Field(0.0, ge=0)
    rows_per_batch: int = Field(16, ge=1)
    row_length: int = Field(256, ge=8)
    history: Literal["last", "all"] = "last"
    patience: int = Field(5, ge=1)
    validate_every: int = Field(1, ge=1)
    validation_targets: int | None = Field(2_000, ge=1)
    clip_norm: float = Field(5.0, gt=0)
    seed: int = 0
    xla: bool = True
    strategy: Literal["none", "mirrored", "multi_worker"] = "none"


class RankingRunConfig(RankingConfig):
    """A ranker, and what it is trained with.

    Attributes:
        run: folder of the IntentRec run whose features it reads; that model is not trained on.
        retrieval: folder of the retrieval run whose candidates it learns to rank; null takes the most popular items.
        candidates: so many of them, as in serving.
        questions: training events that are asked about, a random subset, for which candidates and features are computed
            once, before the first epoch, and kept in the run's folder.
        negatives: candidates beside the true item in a training step, drawn anew each epoch.
        popular: of those so many are drawn by popularity, the others from the retrieval run's candidates.
    """

    run: Path
    retrieval: Path | None = None
    candidates: int = Field(500, ge=1)
    questions: int = Field(100_000, ge=1)
    negatives: int = Field(47, ge=1)
    popular: int = Field(8, ge=0)

    @field_validator("run", "retrieval")
    @classmethod
    def _wherever_it_is_read(cls, folder: Path | None) -> Path | None:
        return folder if folder is None else folder.absolute()

    @model_validator(mode="after")
    def _popular_are_negatives(self) -> RankingRunConfig:
        if self.popular > self.negatives:
            raise ValueError(f"popular {self.popular} must not exceed negatives {self.negatives}")
        return self

    def described(self) -> dict[str, Any]:
        """For results: everything but the folders, which are this machine's."""
        return self.model_dump(mode="json", exclude={"run", "retrieval"})


class RunConfig(BaseModel):
    """Model and training of one run.

    Attributes:
        model: what predicts intents and the next item.
        retrieval: what finds candidates; where it is given it is the model, and ``model`` means nothing.
        ranking: what ranks candidates, likewise.
        training: how either is fitted.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: ModelConfig = ModelConfig()
    retrieval: RetrievalConfig | None = None
    ranking: RankingRunConfig | None = None
    training: TrainingConfig = TrainingConfig()

    @model_validator(mode="after")
    def _one_model(self) -> RunConfig:
        if self.retrieval is not None and self.ranking is not None:
            raise ValueError("retrieval and ranking are two runs; leave one of them out")
        return self

    @property
    def section(self) -> Section:
        """Which part of the configuration describes what is trained."""
        if self.ranking is not None:
            return "ranking"
        return "model" if self.retrieval is None else "retrieval"

    @property
    def title(self) -> str:
        """What is trained, for people."""
        if self.ranking is not None:
            return f"ranking, {self.ranking.kind}"
        return self.model.variant if self.retrieval is None else f"retrieval, {self.retrieval.interests}"

    @property
    def monitor(self) -> str:
        """The validation metric that decides between epochs, as the history names it."""
        return "val_ndcg@10" if self.retrieval is None else "val_hr@100"

    @classmethod
    def read(cls, name: str | Path, changes: dict[str, Any] | None = None) -> RunConfig:
        """Read a YAML file, or one of the built-in configurations by name (without ``.yaml``).

        Args:
            name: file or built-in name.
            changes: nested values that replace those of the file.

        Raises:
            DataError: no such file, not YAML, or a key or value that does not belong there.
        """
        path = Path(name)
        if not path.suffix and (CONFIGS / f"{name}.yaml").is_file():
            path = CONFIGS / f"{name}.yaml"
        try:
            values = load_yaml(path.read_text(encoding="utf-8")) or {}
        except OSError as error:
            known = ", ".join(sorted(p.stem for p in CONFIGS.glob("*.yaml")))
            raise DataError(f"{name}: cannot be read ({error.strerror}); name a file or one of: {known}.") from None
        except RepeatedKeyError as error:
            raise DataError(f"{path}: {error}; keep one of them.") from None
        except (yaml.YAMLError, ValueError, RecursionError):  # also no UTF-8, no such date, and nested too deeply
            raise DataError(f"{path}: not a valid YAML file; check indentation, colons and encoding.") from None
        try:
            return cls.model_validate(_merged(values, changes or {}))
        except pydantic.ValidationError as error:
            first = error.errors()[0]
            field = " ".join(".".join(map(str, first["loc"])).split()) or "the whole file"  # a key may break a line
            message = first["msg"].removeprefix("Value error, ")
            if first["type"] == "extra_forbidden":
                message = f"unknown key; known are {', '.join(_known_keys(first['loc'][:-1]))}"
            where = f"--set {field}" if _is_set(first["loc"], changes or {}) else f"{path}: field '{field}'"
            raise DataError(f"{where}: {message}.") from None


def changed_settings(known: dict[str, Any], wanted: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What differs between two configurations in JSON form: ``training.epochs`` -> (20, 30).

    A key that the known one does not have yet, being older, counts with its default.
    """
    default = RunConfig(retrieval=RetrievalConfig()).model_dump(mode="json")
    default["ranking"] = RankingRunConfig(run=Path()).model_dump(mode="json")
    for group in ("retrieval", "ranking"):
        if known.get(group) is None or wanted.get(group) is None:
            default[group] = {}  # between a model with retrieval and one without everything differs
    pairs = {
        f"{group}.{key}": ((known.get(group) or {}).get(key, default[group].get(key)), value)
        for group, values in wanted.items()
        for key, value in (values or dict.fromkeys(known.get(group) or {})).items()
    }
    return {key: (old, new) for key, (old, new) in pairs.items() if old != new}


def _known_keys(place: tuple[Any, ...]) -> list[str]:
    """Keys a configuration knows at a place such as ``("training",)``."""
    parts: dict[tuple[Any, ...], type[BaseModel]] = {
        (): RunConfig,
        ("model",): ModelConfig,
        ("retrieval",): RetrievalConfig,
        ("ranking",): RankingRunConfig,
        ("training",): TrainingConfig,
    }
    model = parts.get(place)
    return sorted(model.model_fields) if model else []


def _is_set(place: tuple[Any, ...], changes: dict[str, Any]) -> bool:
    """Whether the value at a place came from ``changes``."""
    inner: Any = changes
    for key in place:
        if not isinstance(inner, dict) or key not in inner:
            return False
        inner = inner[key]
    return bool(place)


def _merged(values: Any, changes: dict[str, Any]) -> Any:
    if not isinstance(values, dict):
        return values
    result = dict(values)
    for key, change in changes.items():
        result[key] = _merged(result.get(key) or {}, change) if isinstance(change, dict) else change
    return result
