"""Fit a model with ``model.fit``; an interrupted run goes on where it was."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf

from intentrec_tf.optimizers import LazyAdam, WarmupSchedule
from intentrec_tf.ranking import Ranker
from pipelines.callbacks import EpochLog, FiniteLoss, RankingValidation, ResumableEarlyStopping, read_history
from pipelines.config import RunConfig, TrainingConfig
from pipelines.evaluate import ranking_step, validation_metrics
from pipelines.input_fn import evaluation_batches, training_batches
from pipelines.prepared import PreparedData
from pipelines.progress_bar import BatchProgress
from pipelines.ranking_run import RankingSources, parts_of
from pipelines.replicas import Replicas
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
    replicas = Replicas(config.training, say)
    with replicas.own_folder(run) as own:
        return _train(prepared, config, run, own, replicas, say if replicas.is_chief else lambda _: None, callbacks)


def _train(
    prepared: PreparedData,
    config: RunConfig,
    run: RunFolder,
    own: RunFolder,
    replicas: Replicas,
    say: Callable[[str], None],
    callbacks: Sequence[tf.keras.callbacks.Callback],
) -> Model:
    """:func:`train`; everything but the backup goes into ``own``, which is ``run`` unless another worker keeps it."""
    training = config.training
    tf.keras.utils.set_random_seed(training.seed)
    parts = parts_of(prepared, config.ranking) if config.ranking is not None else None
    try:
        with replicas.scope():
            model = build(prepared.spec, config)
    except ValueError as error:  # a configuration that does not fit itself or the schema
        raise DataError(f"the model cannot be built: {str(error).splitlines()[0]}; change the configuration.") from None
    if replicas.is_chief:
        run.begin(prepared, config, parts)
    if _finished(own, config):
        say(f"{run.folder}: already trained; nothing to do.")
        if replicas.is_chief:
            run.drop_backup()
        return _with_best_weights(own, model, prepared, config, replicas)
    done = run.backed_up_epochs()
    past = read_history(own.history)[:done]  # what came after the backup runs again
    if done:
        say(f"{run.folder}: resuming after epoch {done}")
    batches, held_out = _batches(prepared, config, model, own)
    held_out = held_out.cache()
    steps = sum(1 for _ in batches)
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
    if training.patience < min(training.validate_every, training.epochs):
        say(
            f"training.patience {training.patience} ends before the next validation, which comes every "
            f"{training.validate_every} epochs; set patience to at least as many"
        )
    with replicas.scope():
        model.compile(optimizer=optimizer_of(training, steps), jit_compile=replicas.xla)
    if replicas.xla:
        say("compiling; the first epoch takes longer")
    step = ranking_step(model, held_out)
    bar = BatchProgress(steps)
    ours = [
        FiniteLoss(),
        RankingValidation(lambda: replicas.agreed(validation_metrics(step, held_out)), training.validate_every, past),
        ResumableEarlyStopping(own.weights, training.patience, config.monitor, past),
        tf.keras.callbacks.TensorBoard(str(own.tensorboard), write_graph=False, profile_batch=0),
        EpochLog(own.history, training.epochs, say),
        bar,
        *callbacks,
        tf.keras.callbacks.BackupAndRestore(str(run.backup)),
    ]
    # Another order packs into a row more or less; Keras would end the fit where an epoch runs out of batches.
    # A resumed run skips what it has had, so that it ends bit for bit where it would have without the interruption.
    endless = replicas.parts_of(batches.repeat().skip(done * steps))
    try:
        with replicas.together():
            model.fit(endless, steps_per_epoch=steps, epochs=training.epochs, callbacks=ours, verbose=0)
    finally:
        bar.stop()
    model = _with_best_weights(own, model, prepared, config, replicas)
    best = max(read_history(own.history), key=lambda record: record[config.monitor])
    metric = config.monitor.removeprefix("val_").upper()
    say(f"best epoch {best['epoch']}: validation {metric} {best[config.monitor]:.4f}; weights in {run.weights}")
    return model


def _with_best_weights(
    run: RunFolder, model: Model, prepared: PreparedData, config: RunConfig, replicas: Replicas
) -> Model:
    """The model, or one for a single device if replicas share it."""
    if replicas.distributed:
        model = build(prepared.spec, config)
    run.load_weights(model)
    return model


def _batches(
    prepared: PreparedData, config: RunConfig, model: Model, run: RunFolder
) -> tuple[tf.data.Dataset, tf.data.Dataset]:
    """Of training and of validation."""
    training = config.training
    if config.ranking is not None:
        assert isinstance(model, Ranker)
        sources = RankingSources(model, prepared, config.ranking, training, run)
        return sources.training_batches(), sources.validation_batches()
    held_out = evaluation_batches(prepared, VALIDATION, max_targets=training.validation_targets, seed=training.seed)
    if config.retrieval is None:
        return training_batches(
            prepared, training.rows_per_batch, training.row_length, training.seed, training.history
        ), held_out
    if config.retrieval.interests == "conditional":
        held_out = with_topics(held_out, prepared, config.retrieval)
    return retrieval_batches(prepared, config.retrieval, training.rows_per_batch, training.seed), held_out


def _finished(run: RunFolder, config: RunConfig) -> bool:
    history = read_history(run.history)
    stopped = ResumableEarlyStopping(run.weights, config.training.patience, config.monitor, history).stopped
    return run.weights.is_file() and (stopped or len(history) >= config.training.epochs)


def optimizer_of(training: TrainingConfig, steps: int) -> tf.keras.optimizers.Optimizer:
    """Adam; the warm-up takes at most a tenth of all steps, so that a small data set gets past it."""
    warmup = min(training.warmup_steps, max(1, steps * training.epochs // 10))
    last = steps * training.epochs if training.schedule == "cosine" else None
    rate = WarmupSchedule(training.learning_rate, warmup, last)
    optimizer = LazyAdam(rate, global_clipnorm=training.clip_norm, weight_decay=training.weight_decay or None)
    if training.weight_decay:
        optimizer.exclude_from_weight_decay(var_names=VECTORS)
    return optimizer
