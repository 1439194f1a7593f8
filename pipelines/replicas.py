"""Which devices and processes train a model together (``training.strategy``).

All replicas take a step together, so a run ends where one device with the same batch would, but for rounding.  All
workers need the same prepared data and the same run folder, on a shared disk.  Each worker reads the records and lays
out every batch itself, and trains on its part alone: this keeps the batches those of one device.

Dropout and sampled negatives are drawn by each replica for itself, and a retrieval model takes its negatives from a
replica's part of the batch; with these the loss is that of one device in expectation, or with fewer negatives.

``ParameterServerStrategy`` is left out.  Its workers change the weights whenever they are done, so a run would neither
repeat nor end where one device ends, an epoch's validation would score weights that change meanwhile, and a resumed run
would not go on where it was: all of which is promised, and tested, here.

Every replica holds every table three times (itself and Adam's two moments), and mirroring does not divide it: 1,000,000
rows of 64 numbers took 0.8 GB on one device, at 37 ms a step, but 2.0 GB and 1.1 s on two logical CPU devices of one
machine, because their step reads large mirrored tables as a whole.  So train with tables of more than ``LazyAdam``'s
65,536 rows on one device, and where they do not fit, make them smaller: ``min_interactions`` in the preparation, or a
smaller ``dim``.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import tensorflow as tf

from pipelines.config import TrainingConfig
from pipelines.run_folder import RunFolder
from pipelines.validate import DataError

EXAMPLE = '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", "index": 0}}'
LOST = (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.CancelledError, tf.errors.DeadlineExceededError)


class Replicas:
    """The replicas of a training: one device, all devices of this process, or those of several processes.

    Every global batch of ``rows_per_batch`` rows is cut into as many parts as there are replicas; each worker gets the
    parts of its own replicas and never sees the others.

    Args:
        training: its ``strategy``, ``rows_per_batch`` and ``xla``.
        say: receives a line about what a strategy changes.

    Attributes:
        count: replicas of all workers.
        is_chief: whether this process keeps the run folder.
        xla: whether the step is compiled.

    Raises:
        DataError: TF_CONFIG is missing, wrong or out of place, or the batch cannot be divided among the replicas.
    """

    def __init__(self, training: TrainingConfig, say: Callable[[str], None]) -> None:
        self._strategy: tf.distribute.Strategy | None = None
        self.count, self.is_chief, self.xla = 1, True, training.xla
        self._workers = 1
        if training.strategy == "none":
            return
        if training.strategy == "mirrored":
            if "TF_CONFIG" in os.environ:
                raise DataError(
                    "TF_CONFIG: is set, but training.strategy mirrored trains in one process; unset it, or choose "
                    "training.strategy=multi_worker."
                )
            devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
            self._strategy = tf.distribute.MirroredStrategy([device.name for device in devices])
        else:
            workers, index = read_tf_config()
            self.is_chief, self._workers = index == 0, len(workers)
            self._strategy = _join(workers)
        self.count, self.xla = self._strategy.num_replicas_in_sync, False
        if training.rows_per_batch % self.count:
            raise DataError(
                f"training.rows_per_batch {training.rows_per_batch}: cannot be divided among {self.count} replicas; "
                f"choose a multiple of {self.count}."
            )
        if self.is_chief:
            each = training.rows_per_batch // self.count
            say(f"{self.count} replica(s) in {self._workers} process(es), {each} row(s) of each batch to each replica")
            if training.xla:
                say("training.xla is off, because a compiled step cannot exchange gradients between replicas")

    @property
    def distributed(self) -> bool:
        """Whether there is a strategy."""
        return self._strategy is not None

    def scope(self) -> AbstractContextManager[Any]:
        """Where variables are made such that every replica has them."""
        return nullcontext() if self._strategy is None else self._strategy.scope()

    def parts_of(self, batches: tf.data.Dataset) -> Any:
        """What ``model.fit`` takes for global batches, whose tensors are [rows, ...]."""
        if self._strategy is None:
            return batches
        return self._strategy.distribute_datasets_from_function(lambda context: worker_parts(batches, context))

    def agreed(self, metrics: dict[str, float]) -> dict[str, float]:
        """The mean of what each worker measured, so that all decide alike even if their arithmetic differs."""
        strategy = self._strategy
        if strategy is None or self._workers == 1:
            return metrics

        def mean(values: tf.Tensor) -> tf.Tensor:
            return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.MEAN, values)

        values = tf.constant(list(metrics.values()), tf.float64)
        found = tf.function(lambda: strategy.run(mean, args=(values,)))()
        found = strategy.experimental_local_results(found)[0].numpy()
        return dict(zip(metrics, map(float, found), strict=True))

    @contextmanager
    def own_folder(self, run: RunFolder) -> Iterator[RunFolder]:
        """Where this process writes: the run's folder or, beside the chief, a temporary one that starts with the run's
        weights and history.  All must write, because some of what is saved is gathered from all."""
        if self.is_chief:
            yield run
            return
        with tempfile.TemporaryDirectory(prefix="intentrec-worker-") as folder:
            own = RunFolder(Path(folder) / "run")
            own.folder.mkdir()
            for file in (run.weights, run.history):
                if file.is_file():
                    shutil.copy(file, own.folder / file.name)
            yield own

    @contextmanager
    def together(self) -> Iterator[None]:
        """While the workers train.

        Raises:
            DataError: another worker is gone.
        """
        try:
            yield
        except LOST as error:
            if self._workers == 1:
                raise
            raise DataError(
                "another worker is gone, so training has stopped; start all workers again, and it goes on after the "
                "last finished epoch."
            ) from error


def worker_parts(batches: tf.data.Dataset, context: tf.distribute.InputContext) -> tf.data.Dataset:
    """The parts of each global batch that belong to one worker's replicas, one after the other.

    Args:
        batches: with tensors [rows, ...], ``rows`` a multiple of the replicas.
        context: which worker asks, and how many replicas there are.
    """
    count = context.num_replicas_in_sync
    own = count // context.num_input_pipelines
    first = context.input_pipeline_id * own

    def cut(column: tf.Tensor) -> tf.Tensor:
        return tf.stack(tf.split(column, count)[first : first + own])

    parts = batches.map(lambda *batch: tf.nest.map_structure(cut, batch))
    return parts.unbatch().prefetch(own)


def read_tf_config() -> tuple[list[str], int]:
    """The workers' addresses and the place of this process among them, from the environment; the chief is the first.

    Raises:
        DataError: TF_CONFIG is missing or describes no such cluster.
    """
    text = os.environ.get("TF_CONFIG", "")
    if not text:
        raise DataError(f"TF_CONFIG: is not set, and training.strategy multi_worker needs it; set it to {EXAMPLE}.")
    try:
        values = json.loads(text)
        cluster, task = values["cluster"], values["task"]
        workers = [*cluster.get("chief", []), *cluster["worker"]]
        index = task["index"] + (len(cluster.get("chief", [])) if task["type"] == "worker" else 0)
        named = all(isinstance(worker, str) and worker.rpartition(":")[2].isdigit() for worker in workers)
        fits = named and set(cluster) <= {"chief", "worker"} and task["type"] in cluster
        if not fits or not 0 <= task["index"] < len(cluster[task["type"]]):
            raise ValueError
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise DataError(f"TF_CONFIG: names no cluster and task of workers; write it like {EXAMPLE}.") from None
    return workers, index


def keeps_run(training: TrainingConfig) -> bool:
    """Whether this process writes the run's folder: everywhere but in workers beside the chief."""
    return training.strategy != "multi_worker" or read_tf_config()[1] == 0


def _join(workers: list[str]) -> tf.distribute.Strategy:
    """Wait for all workers.

    Raises:
        DataError: they do not come, or an address is taken or wrong.
    """
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except (tf.errors.OpError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:160]
        raise DataError(
            f"TF_CONFIG: the workers {', '.join(workers)} did not come together ({reason}); check addresses and start "
            "all of them."
        ) from None
