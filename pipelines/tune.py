"""Search for a configuration with optuna, on the validation part only; an interrupted search goes on."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pydantic
import tensorflow as tf
import yaml

from pipelines.callbacks import read_history
from pipelines.config import RunConfig
from pipelines.environment import command_line, commit
from pipelines.pace import Pace
from pipelines.prepared import PreparedData
from pipelines.run_folder import RunFolder
from pipelines.train import train
from pipelines.validate import DataError
from serving.atomic import atomic_text

SPACE: dict[str, Callable[[optuna.Trial, str], Any]] = {
    "model.dim": lambda trial, key: trial.suggest_categorical(key, [48, 64, 96, 128]),
    "model.item_blocks": lambda trial, key: trial.suggest_int(key, 1, 3),
    "model.heads": lambda trial, key: trial.suggest_categorical(key, [1, 2, 4]),
    "model.dropout": lambda trial, key: trial.suggest_float(key, 0.1, 0.6, step=0.05),
    "model.random_oov": lambda trial, key: trial.suggest_categorical(key, [0.0, 0.01, 0.05, 0.15]),
    "model.similarity": lambda trial, key: trial.suggest_categorical(key, ["dot", "cosine"]),
    "model.temperature": lambda trial, key: trial.suggest_float(key, 0.03, 0.2, log=True),
    "model.distances": lambda trial, key: trial.suggest_categorical(key, [False, True]),
    "model.gated": lambda trial, key: trial.suggest_categorical(key, [False, True]),
    "model.intent_weight": lambda trial, key: trial.suggest_float(key, 0.01, 1.0, log=True),
    "model.mask_share": lambda trial, key: trial.suggest_float(key, 0.1, 0.6, step=0.1),
    "training.learning_rate": lambda trial, key: trial.suggest_float(key, 5e-4, 8e-3, log=True),
    "training.rows_per_batch": lambda trial, key: trial.suggest_categorical(key, [2, 4, 8, 16]),
    "training.weight_decay": lambda trial, key: trial.suggest_float(key, 1e-3, 0.3, log=True),
}
SPACE |= {
    "retrieval.dim": SPACE["model.dim"],
    "retrieval.dropout": SPACE["model.dropout"],
    "retrieval.random_oov": SPACE["model.random_oov"],
    "retrieval.temperature": SPACE["model.temperature"],
    "retrieval.blocks": lambda trial, key: trial.suggest_int(key, 0, 2),
    "retrieval.count": lambda trial, key: trial.suggest_int(key, 2, 12),
    "retrieval.history": lambda trial, key: trial.suggest_categorical(key, [25, 50, 100, 200]),
    "retrieval.horizon": lambda trial, key: trial.suggest_categorical(key, [2, 4, 8, 16]),
}
SPACE |= {
    "ranking.dropout": SPACE["model.dropout"],
    "ranking.hidden_dim": lambda trial, key: trial.suggest_categorical(key, [32, 64, 128]),
    "ranking.history": SPACE["retrieval.history"],
    "ranking.negatives": lambda trial, key: trial.suggest_categorical(key, [23, 47, 95]),
}
USUAL = ("model.dim", "model.dropout", "model.intent_weight", "training.learning_rate", "training.rows_per_batch")
USUAL_RETRIEVAL = ("retrieval.dim", "retrieval.dropout", "retrieval.temperature", "training.learning_rate")
USUAL_RANKING = ("ranking.hidden_dim", "ranking.dropout", "ranking.negatives", "training.learning_rate")


class Pruning(tf.keras.callbacks.Callback):
    """Report the validation metric of every epoch and give up a trial that falls behind the median.

    Args:
        trial: of the study.
        monitor: name of the metric in the logs.
    """

    def __init__(self, trial: optuna.Trial, monitor: str) -> None:
        super().__init__()
        self.trial = trial
        self.monitor = monitor

    def on_epoch_end(self, epoch, logs=None):
        self.trial.report(logs[self.monitor], epoch)
        if self.trial.should_prune():
            raise optuna.TrialPruned


def usual_keys(base: RunConfig) -> list[str]:
    """What is searched unless told otherwise."""
    return list({"model": USUAL, "retrieval": USUAL_RETRIEVAL, "ranking": USUAL_RANKING}[base.section])


def tune(
    prepared: PreparedData,
    base: RunConfig,
    keys: list[str],
    trials: int,
    work: Path,
    say: Callable[[str], None] = print,
) -> RunConfig:
    """The best configuration of so many trials, those of earlier calls with the same folder included.

    Args:
        prepared: the data; only training and validation parts are read.
        base: what stays as it is; the first trial is this configuration itself.
        keys: of :data:`SPACE`, what is searched.
        trials: in all.
        work: holds ``study.db`` and, while a trial runs, its training run.
        say: receives a line per trial.

    Raises:
        DataError: an unknown key, one of another kind of model, or the folder holds a search of other data or keys.
    """
    for key in keys:
        if key not in SPACE:
            known = [name for name in SPACE if name.startswith((f"{base.section}.", "training."))]
            raise DataError(f"--search {key}: is not searched; choose from {', '.join(known)}.")
        if not key.startswith((f"{base.section}.", "training.")):
            raise DataError(f"--search {key}: means nothing to this configuration, which trains {base.title}.")
    work.mkdir(parents=True, exist_ok=True)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = _open_study(work / "study.db", base)
    identity = {"fingerprint": prepared.fingerprint, "keys": sorted(keys), "base": base.model_dump(mode="json")}
    if study.user_attrs.get("identity", identity) != identity:
        raise DataError(f"{work}: holds a search over other data, keys or another base; name another folder.")
    study.set_user_attr("identity", identity)
    metric = base.monitor.removeprefix("val_").upper()
    for leftover in work.glob("trial-*"):  # of an interrupted call
        shutil.rmtree(leftover)
    # A search that goes on must not draw again what it drew at first.
    study.sampler = optuna.samplers.TPESampler(seed=base.training.seed + len(study.get_trials(deepcopy=False)))
    pace = Pace("trials", trials, done=_finished(study))
    while (done := _finished(study)) < trials:
        trial = study.ask()
        chosen = {key: SPACE[key](trial, key) for key in keys} if done else {}  # the base may lie outside the space
        folder = RunFolder(work / f"trial-{trial.number}")
        words = ", ".join(f"{key.partition('.')[2]} {_short(value)}" for key, value in chosen.items()) or "the base"
        try:
            config = _changed(base, chosen)
        except pydantic.ValidationError as error:  # such as heads that do not divide dim
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            reason = error.errors()[0]["msg"].removeprefix("Value error, ")
            pace.advance(f"trial {done + 1} of {trials}: impossible ({reason})")
            say(f"trial {done + 1} of {trials}: impossible ({reason})")
            continue
        try:
            train(prepared, config, folder, lambda _: None, [Pruning(trial, base.monitor)])
        except optuna.TrialPruned:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            outcome = f"given up ({words})"
        else:
            best = max(epoch[base.monitor] for epoch in read_history(folder.history))
            study.tell(trial, best)
            outcome = f"validation {metric} {best:.4f} ({words}); best {study.best_value:.4f}"
        line = f"trial {done + 1} of {trials}: {outcome}"
        pace.advance(line)
        say(f"{line}{pace.left}")
        shutil.rmtree(folder.folder)
        tf.keras.backend.clear_session()
    return _changed(base, study.best_params)


def _open_study(file: Path, base: RunConfig) -> optuna.Study:
    """The search that a file keeps, with all of its trials read once; a new one if there is no file.

    Raises:
        DataError: the file is damaged, of another version of optuna, or cannot be written.
    """
    try:
        study = optuna.create_study(
            study_name="tune",
            storage=f"sqlite:///{file}",
            direction="maximize",
            load_if_exists=True,
            pruner=optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=base.training.epochs // 4),
        )
        study.get_trials(deepcopy=False)
        _ = study.user_attrs
    except Exception as error:  # of SQLAlchemy, SQLite and optuna alike
        reason = " ".join(str(error).split())[:100]
        raise DataError(
            f"{file}: cannot be used ({type(error).__name__}: {reason}); delete it to search anew, or name another "
            "folder with --work."
        ) from error
    return study


def write_config(config: RunConfig, path: Path, headline: str) -> None:
    """A configuration as YAML, with what was left at its default left out and where it comes from on top."""
    values = config.model_dump(mode="json", exclude_defaults=True)
    origin = f"# {headline}\n# Found by `{command_line()}` at commit {commit()}, on the validation part.\n"
    atomic_text(path, origin + yaml.safe_dump(values, sort_keys=False))


def _finished(study: optuna.Study) -> int:
    states = (optuna.trial.TrialState.COMPLETE, optuna.trial.TrialState.PRUNED)
    return len(study.get_trials(deepcopy=False, states=states))


def _changed(base: RunConfig, changes: dict[str, Any]) -> RunConfig:
    values = base.model_dump(mode="json")
    for key, value in changes.items():
        group, _, name = key.partition(".")
        values[group][name] = value
    return RunConfig.model_validate(values)


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
