"""Keras callbacks that validate by full ranking and survive an interruption."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import tensorflow as tf

from pipelines.pace import Pace
from pipelines.validate import DataError
from serving.atomic import atomic_text

History = Sequence[dict[str, float]]


class FiniteLoss(tf.keras.callbacks.Callback):
    """End a training whose loss is no number any more; must come first, so that nothing of it is kept."""

    def on_epoch_end(self, epoch, logs=None):
        if not math.isfinite(logs["loss"]):
            raise DataError(
                f"the loss of epoch {epoch + 1} is {logs['loss']}, so training has failed; lower "
                "training.learning_rate or look for extreme numbers in the data, and train into another folder."
            )


class RankingValidation(tf.keras.callbacks.Callback):
    """Put the validation metrics into the epoch's logs; must come before callbacks that read them.

    Between validations (``every`` > 1) the logs repeat the last value, so that others may monitor it.

    Args:
        evaluate: returns ``{"ndcg@10": ..., "hr@10": ...}`` for the current weights.
        every: epochs between validations.
        past: records of the epochs before an interruption.
    """

    def __init__(self, evaluate: Callable[[], dict[str, float]], every: int = 1, past: History = ()) -> None:
        super().__init__()
        self.evaluate = evaluate
        self.every = every
        newest = past[-1] if past else {}
        self._last = {name: value for name, value in newest.items() if name.startswith("val_")}

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % self.every == 0 or not self._last:
            self._last = {f"val_{name}": value for name, value in self.evaluate().items()}
        logs.update(self._last)


class ResumableEarlyStopping(tf.keras.callbacks.Callback):
    """Keep the weights of the best epoch, and stop when none has been better for a while.

    Args:
        weights: file of the best weights.
        patience: epochs without a better value.
        monitor: name of the value in the logs, the higher the better.
        past: records of the epochs before an interruption; they count.
    """

    def __init__(self, weights: Path, patience: int, monitor: str = "val_ndcg@10", past: History = ()) -> None:
        super().__init__()
        self.weights = weights
        self.patience = patience
        self.monitor = monitor
        self._best, self._wait = -math.inf, 0
        for record in past:
            self._is_best(record.get(monitor, -math.inf))

    @property
    def stopped(self) -> bool:
        """Whether patience has run out."""
        return self._wait >= self.patience

    def on_epoch_end(self, epoch, logs=None):
        if self._is_best(float(logs[self.monitor])):
            temporary = self.weights.with_name("next.weights.h5")
            self.model.save_weights(temporary)
            temporary.replace(self.weights)
        if self.stopped:
            self.model.stop_training = True

    def _is_best(self, value: float) -> bool:
        better = value > self._best
        self._best, self._wait = (value, 0) if better else (self._best, self._wait + 1)
        return better


class EpochLog(tf.keras.callbacks.Callback):
    """One JSON line per epoch in ``history.jsonl``, and one readable line for people.

    Args:
        file: the JSON lines file; lines of epochs that are run again after an interruption are replaced.
        epochs: total, for the display.
        say: receives the readable line.
    """

    def __init__(self, file: Path, epochs: int, say: Callable[[str], None]) -> None:
        super().__init__()
        self.file = file
        self.epochs = epochs
        self.say = say
        self._start = 0.0
        self._pace: Pace | None = None

    def on_epoch_begin(self, epoch, logs=None):
        self._pace = self._pace or Pace("training", self.epochs, done=epoch)
        self._start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        seconds = time.perf_counter() - self._start
        record = {"epoch": epoch + 1, "seconds": round(seconds, 2), **{k: float(v) for k, v in logs.items()}}
        kept = [r for r in read_history(self.file) if r["epoch"] <= epoch]
        atomic_text(self.file, "".join(json.dumps(r) + "\n" for r in [*kept, record]))
        losses = f"loss {record['loss']:.3f}"
        if "item_loss" in record:
            losses += f" (item {record['item_loss']:.3f})"
        found = {name.removeprefix("val_").upper(): value for name, value in record.items() if name.startswith("val_")}
        scores = ", ".join(f"{name} {value:.4f}" for name, value in found.items())
        line = f"epoch {epoch + 1:>3}/{self.epochs}  {seconds:6.1f} s  {losses}  validation {scores}"
        assert self._pace is not None
        self._pace.advance(line)
        self.say(f"{line}{self._pace.left}")


def read_history(file: Path) -> list[dict[str, float]]:
    """Records of :class:`EpochLog`, oldest first; empty if there is no file.

    Raises:
        DataError: the file is damaged.
    """
    if not file.is_file():
        return []
    try:
        records = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError, RecursionError):
        raise _damaged(file) from None
    for record in records:
        values = record.values() if isinstance(record, dict) and "epoch" in record else [None]
        if not all(type(value) in (int, float) for value in values):
            raise _damaged(file)
    return records


def _damaged(file: Path) -> DataError:
    return DataError(f"{file}: is damaged; delete the run folder and train again.")
