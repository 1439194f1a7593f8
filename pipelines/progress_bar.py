"""A bar for the batches of an epoch."""

from __future__ import annotations

import tensorflow as tf
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from pipelines.pace import Pace, is_json
from pipelines.progress import console


class BatchProgress(tf.keras.callbacks.Callback):
    """Show batches done and the time left, on a terminal or to programs; nothing elsewhere.

    Args:
        steps: batches in an epoch.
    """

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self._bar: Progress | None = None
        self._pace: Pace | None = None

    def on_epoch_begin(self, epoch, logs=None):
        if is_json():
            self._pace = Pace(f"epoch {epoch + 1}", self.steps)
        elif console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, console=console, transient=True)
            self._bar.start()
            self._bar.add_task(f"epoch {epoch + 1}", total=self.steps)

    def on_train_batch_end(self, batch, logs=None):
        if self._pace:
            self._pace.advance()
        if self._bar:
            self._bar.advance(self._bar.task_ids[0])

    def on_epoch_end(self, epoch, logs=None):
        self.stop()

    def on_train_end(self, logs=None):
        self.stop()

    def stop(self) -> None:
        """Take the bar away and give the cursor back; also when the fit was interrupted."""
        if self._bar:
            self._bar.stop()
            self._bar = None
