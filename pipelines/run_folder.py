"""A training run on disk: its configuration, its data, its weights."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any, TypeVar

import tensorflow as tf

from intentrec_tf.data_spec import DataSpec
from intentrec_tf.models import NextItemModel, build_model
from intentrec_tf.ranking import JointRanker, Ranker, build_ranker
from intentrec_tf.retrieval import RetrievalModel
from pipelines.config import RunConfig, Section, changed_settings
from pipelines.prepared import PreparedData
from pipelines.validate import DataError
from serving.atomic import atomic_text, remove_leftovers

Model = NextItemModel | RetrievalModel | Ranker
Kind = TypeVar("Kind", NextItemModel, RetrievalModel, Ranker)
NAME_ANOTHER = "name a run that predicts items"


def build(spec: DataSpec, config: RunConfig) -> Model:
    """The model that a configuration describes.

    Raises:
        ValueError: it does not fit the schema.
        DataError: a ranker's IntentRec run is not there.
    """
    if config.ranking is not None:
        return build_ranker(spec, config.ranking, RunFolder(config.ranking.run).read()[1].model)
    return build_model(spec, config.model) if config.retrieval is None else RetrievalModel(spec, config.retrieval)


class RunFolder:
    """``run.json``, ``best.weights.h5``, ``history.jsonl``, TensorBoard logs and the backup of an unfinished fit.

    Args:
        folder: the run's folder; need not exist.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.weights = self.folder / "best.weights.h5"
        self.history = self.folder / "history.jsonl"
        self.backup = self.folder / "backup"
        self.tensorboard = self.folder / "tensorboard"
        self._file = self.folder / "run.json"
        self._evaluation = self.folder / "evaluation.json"
        self._calibration = self.folder / "calibration.json"

    def begin(self, prepared: PreparedData, config: RunConfig, parts: dict[str, str] | None = None) -> None:
        """Record data and configuration, or check that they are those of the run to be resumed.

        Args:
            prepared: the data.
            config: of the run.
            parts: versions of other runs that it is trained with, by what they are for.

        Raises:
            DataError: the folder holds another run.
        """
        record = {
            "data": str(prepared.folder.resolve()),
            "fingerprint": prepared.fingerprint,
            "config": config.model_dump(mode="json"),
            **({"parts": parts} if parts else {}),
        }
        remove_leftovers(self.folder, "*")  # one killed here must not make the folder look like somebody's
        if self._file.is_file():
            known = self._record()
            differences = changed_settings(known["config"], config.model_dump(mode="json"))
            changed = [f"{key} {old} -> {new}" for key, (old, new) in differences.items()]
            if known["fingerprint"] != record["fingerprint"]:
                changed.insert(0, "data")
            if not differences and known["parts"] != (parts or {}):
                changed.append("a run it is trained with has been trained anew")
            if changed:
                raise DataError(
                    f"{self.folder}: holds a run with other settings ({', '.join(changed[:5])}); name another folder "
                    "with --run, or delete this one to start again."
                )
        elif self.folder.exists() and any(self.folder.iterdir()):
            raise DataError(f"{self.folder}: is not empty and holds no run; name a new folder with --run.")
        atomic_text(self._file, json.dumps(record, indent=1))

    def read(self) -> tuple[PreparedData, RunConfig]:
        """The data and configuration of a run.

        Raises:
            DataError: there is no run here, or its data have changed since.
        """
        if not self._file.is_file():
            raise DataError(f"{self.folder}: holds no training run; run 'intentrec train' with --run {self.folder}.")
        record = self._record()
        prepared = PreparedData(record["data"])
        if prepared.fingerprint != record["fingerprint"]:
            raise DataError(
                f"{record['data']}: has been prepared anew since {self.folder} was trained; train into another folder "
                "with --run, or prepare the data as before."
            )
        return prepared, RunConfig.model_validate(record["config"])

    def load_model(self) -> tuple[Model, PreparedData, RunConfig]:
        """The model with its best weights.

        Raises:
            DataError: no run, changed data, or no finished epoch yet.
        """
        prepared, config = self.read()
        if not self.weights.is_file():
            raise DataError(f"{self.folder}: has no finished epoch yet; run 'intentrec train' again to resume it.")
        model = build(prepared.spec, config)
        self.load_weights(model)
        return model, prepared, config

    def load_next_item_model(self) -> tuple[NextItemModel, PreparedData, RunConfig]:
        """:meth:`load_model` of a run that predicts intents and items.

        Raises:
            DataError: as there, or it is a run of another kind.
        """
        return self._load(NextItemModel, "model", NAME_ANOTHER)

    def load_retrieval_model(self) -> tuple[RetrievalModel, PreparedData, RunConfig]:
        """:meth:`load_model` of a run that finds candidates.

        Raises:
            DataError: as there, or it is no retrieval run.
        """
        return self._load(RetrievalModel, "retrieval", "train one, for example with --config retrieval")

    def load_ranker(self) -> tuple[JointRanker, PreparedData, RunConfig]:
        """The ranker of a ranking run with the IntentRec model whose features it reads.

        Raises:
            DataError: as in :meth:`load_model`, or it is no ranking run, or that model has been trained anew since.
        """
        ranker, prepared, config = self._load(Ranker, "ranking", "train one, for example with --config ranking")
        assert config.ranking is not None
        base = RunFolder(config.ranking.run)
        self.check_same_data(base)
        if base.version() != self._record()["parts"].get("run"):
            raise DataError(f"{base.folder}: has been trained anew since {self.folder}; train the ranker again.")
        return JointRanker(ranker, base.load_next_item_model()[0]), prepared, config

    def load_scorer(self) -> tuple[NextItemModel | RetrievalModel, PreparedData, RunConfig]:
        """:meth:`load_model` of a run that scores the whole catalogue.

        Raises:
            DataError: as there, or it is a ranking run.
        """
        if self.read()[1].section == "ranking":
            raise DataError(f"{self.folder}: is a ranking run; evaluate it with 'intentrec two-stage --ranker'.")
        model, prepared, config = self.load_model()
        assert not isinstance(model, Ranker)
        return model, prepared, config

    def check_kind(self, section: Section, instead: str) -> None:
        """Say if a run is of another kind; ``instead`` are the words for what to do.

        Raises:
            DataError: it is, or there is no run.
        """
        found = self.read()[1].section
        if found != section:
            words = f"is no {section} run" if section != "model" else f"is a {found} run"
            raise DataError(f"{self.folder}: {words}; {instead}.")

    def _load(self, kind: type[Kind], section: Section, instead: str) -> tuple[Kind, PreparedData, RunConfig]:
        self.check_kind(section, instead)
        model, prepared, config = self.load_model()
        assert isinstance(model, kind)
        return model, prepared, config

    def check_same_data(self, other: RunFolder) -> None:
        """Say if two runs are of different data.

        Raises:
            DataError: they are.
        """
        if self.read()[0].fingerprint != other.read()[0].fingerprint:
            raise DataError(f"{other.folder}: was trained on other data than {self.folder}; train both on the same.")

    def backed_up_epochs(self) -> int:
        """Epochs that a fit which goes on from the backup has behind it."""
        checkpoint = tf.train.latest_checkpoint(str(self.backup / "chief"))
        if checkpoint is None:
            return 0
        return int(tf.train.load_variable(checkpoint, "ckpt_saved_epoch/.ATTRIBUTES/VARIABLE_VALUE")) + 1

    def drop_backup(self) -> None:
        """Remove the backup of a fit that has ended; one killed before it could do so left it."""
        shutil.rmtree(self.backup / "chief", ignore_errors=True)

    def version(self) -> str:
        """Names the trained weights: equal for equal ones; 16 hexadecimal digits.

        Raises:
            DataError: no finished epoch yet.
        """
        if not self.weights.is_file():
            raise DataError(f"{self.folder}: has no finished epoch yet; run 'intentrec train' again to resume it.")
        return hashlib.sha256(self.weights.read_bytes()).hexdigest()[:16]

    def keep_evaluation(self, record: dict[str, Any]) -> None:
        """Keep the result on the test part, which belongs to the weights of this moment.

        Raises:
            DataError: no finished epoch yet.
        """
        self._keep(self._evaluation, record)

    def evaluation(self) -> dict[str, Any] | None:
        """The result on the test part; None if there is none of the weights as they are now.

        Raises:
            DataError: no finished epoch yet.
        """
        return self._kept(self._evaluation)

    def keep_calibration(self, record: dict[str, Any]) -> None:
        """Keep the heads' temperatures, which belong to the weights of this moment.

        Raises:
            DataError: no finished epoch yet.
        """
        self._keep(self._calibration, record)

    def calibration(self) -> dict[str, Any] | None:
        """What :func:`pipelines.calibrate.calibrate` found; None if there is none of the weights as they are now.

        Raises:
            DataError: no finished epoch yet.
        """
        return self._kept(self._calibration)

    def load_weights(self, model: Model) -> None:
        """Give a model the run's best weights.

        Raises:
            DataError: they are damaged or of another model.
        """
        try:
            model.load_weights(self.weights)
        except (OSError, ValueError, KeyError):
            raise DataError(
                f"{self.weights}: is damaged or of another model; delete the run and train again."
            ) from None

    def _keep(self, file: Path, record: dict[str, Any]) -> None:
        text = json.dumps({**record, "weights": self.version()}, indent=1, ensure_ascii=False)
        atomic_text(file, text + "\n")

    def _kept(self, file: Path) -> dict[str, Any] | None:
        try:
            record: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            weights = record["weights"]
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None
        return record if weights == self.version() else None

    def _record(self) -> dict[str, Any]:
        try:
            record: dict[str, Any] = json.loads(self._file.read_text(encoding="utf-8"))
            found = {name: record[name] for name in ("data", "fingerprint", "config")}
            Path(found["data"])
            config = RunConfig.model_validate(found["config"])
            return {**found, "config": config.model_dump(mode="json"), "parts": dict(record.get("parts") or {})}
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            raise DataError(f"{self._file}: cannot be read; delete the run folder and train again.") from None
