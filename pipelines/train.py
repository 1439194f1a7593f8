"""Fit a model with ``model.fit``; an interrupted run goes on where it was."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf

from intentrec_tf.optimizers import LazyAdam, WarmupSchedule
from pipelines.callbacks import (
    EpochLog,
    FiniteLoss,
    RankingValidation,
    ResumableEarlyStopping,
    read_history,
    read_stopping,
)
from pipelines.config import RunConfig, TrainingConfig
from pipelines.evaluate import ranking_step, validation_metrics
from pipelines.input_fn import evaluation_batches, training_batches
from pipelines.prepared import PreparedData
from pipelines.progress_bar import BatchProgress
from pipelines.retrieval_input import retrieval_batches, with_topics
from pipelines.run_folder import Model, RunFolder, build
from pipelines.split import VALIDATION
from pipelines.validate import DataError

FEW_STEPS = 300
VECTORS = ["bias", "gamma", "beta", "slopes"]  # parts of the names of weights that do not decay


def train(
    prepared: PreparedData,
    config: RunConfig,
    run: RunFolder,
    say: Callable[[str], None] = print,
    callbacks: Sequence[tf.keras.callbacks.Callback] = (),
) -> Model:
    """Train, or resume, and return the model with the weights of its best validation epoch.

    Args:
        prepared: the data.
        config: model and training.
        run: where weights, logs and the backup go.
        say: receives one line per epoch and the outcome.
        callbacks: further ones, after validation.

    Raises:
        DataError: ``run`` holds another run, or the data have no validation events.
    """
    training = config.training
    tf.keras.utils.set_random_seed(training.seed)
    try:
        model = build(prepared.spec, config)
    except ValueError as error:  # a configuration that does not fit itself or the schema
        raise DataError(f"the model cannot be built: {str(error).splitlines()[0]}; change the configuration.") from None
    run.begin(prepared, config)
    if _finished(run, training):
        say(f"{run.folder}: already trained; nothing to do.")
        run.load_weights(model)
        return model
    done = len(read_history(run.history))
    if done:
        say(f"{run.folder}: resuming after epoch {done}")
    batches = _training_batches(prepared, config)
    steps = sum(1 for _ in batches)
    held_out = evaluation_batches(prepared, VALIDATION, max_targets=training.validation_targets, seed=training.seed)
    if config.retrieval is not None and config.retrieval.interests == "conditional":
        held_out = with_topics(held_out, prepared, config.retrieval)
    held_out = held_out.cache()
    for count, part in ((steps, "training"), (sum(1 for _ in held_out), "validation")):
        if count == 0:
            raise DataError(
                f"{prepared.folder}: the {part} part has no event with an earlier one of the same user; "
                "prepare more data or choose other shares of the split."
            )
    say(f"{config.title}: {model.count_params():,} parameters, {steps:,} step(s) an epoch")
    if steps * training.epochs < FEW_STEPS:
        say(
            f"only {steps * training.epochs:,} steps in all, which may be too few to learn much; "
            "raise training.epochs or lower training.rows_per_batch"
        )
    model.compile(optimizer=optimizer_of(training, steps), jit_compile=training.xla)
    if training.xla:
        say("compiling; the first epoch takes longer")
    step = ranking_step(model, held_out)
    bar = BatchProgress(steps)
    ours = [
        FiniteLoss(),
        RankingValidation(lambda: validation_metrics(step, held_out), training.validate_every),
        ResumableEarlyStopping(run.folder, training.patience, config.monitor),
        tf.keras.callbacks.TensorBoard(str(run.tensorboard), write_graph=False, profile_batch=0),
        EpochLog(run.history, training.epochs, say),
        bar,
        *callbacks,
        tf.keras.callbacks.BackupAndRestore(str(run.backup)),
    ]
    # Another order packs into a row more or less; Keras would end the fit where an epoch runs out of batches.
    endless = batches.repeat()
    try:
        model.fit(endless, steps_per_epoch=steps, epochs=training.epochs, callbacks=ours, verbose=0)
    finally:
        bar.stop()
    run.load_weights(model)
    best = max(read_history(run.history), key=lambda record: record[config.monitor])
    metric = config.monitor.removeprefix("val_").upper()
    say(f"best epoch {best['epoch']}: validation {metric} {best[config.monitor]:.4f}; weights in {run.weights}")
    return model


def _training_batches(prepared: PreparedData, config: RunConfig) -> tf.data.Dataset:
    training = config.training
    if config.retrieval is not None:
        return retrieval_batches(prepared, config.retrieval, training.rows_per_batch, training.seed)
    return training_batches(prepared, training.rows_per_batch, training.row_length, training.seed, training.history)


def _finished(run: RunFolder, training: TrainingConfig) -> bool:
    history = read_history(run.history)
    if not history or not run.weights.is_file():
        return False
    stopping = read_stopping(run.folder)
    return (stopping is not None and stopping["stopped"]) or len(history) >= training.epochs


def optimizer_of(training: TrainingConfig, steps: int) -> tf.keras.optimizers.Optimizer:
    """Adam; the warm-up takes at most a tenth of all steps, so that a small data set gets past it."""
    warmup = min(training.warmup_steps, max(1, steps * training.epochs // 10))
    last = steps * training.epochs if training.schedule == "cosine" else None
    rate = WarmupSchedule(training.learning_rate, warmup, last)
    optimizer = LazyAdam(rate, global_clipnorm=training.clip_norm, weight_decay=training.weight_decay or None)
    if training.weight_decay:
        optimizer.exclude_from_weight_decay(var_names=VECTORS)
    return optimizer
