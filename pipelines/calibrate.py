"""Temperatures of the intent heads: fitted on the validation part, judged on the test part."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from intentrec_tf.calibration import fit_temperature, head_loss, head_targets, tempered
from intentrec_tf.inputs import Columns
from intentrec_tf.metrics.calibration import BINS, reliability, top_label
from intentrec_tf.models import NextItemModel
from pipelines.environment import provenance
from pipelines.input_fn import evaluation_batches
from pipelines.prepared import PreparedData
from pipelines.progress import track
from pipelines.run_folder import RunFolder
from pipelines.split import PARTS, TEST, VALIDATION
from pipelines.validate import DataError

DEFINITION = (
    f"Expected calibration error: predictions sorted by the probability of their most probable label, cut into {BINS} "
    "bins of equal size; the mean over all predictions of the distance between a bin's mean probability and how often "
    "that label was true. Where one softmax scores labels of which several may be true, a true one counts one over "
    "their number."
)
Predictions = dict[str, tuple[np.ndarray, np.ndarray]]


def calibrate(run: RunFolder, say: Callable[[str], None]) -> dict[str, Any]:
    """Fit one temperature for each intent head, keep them with the run, and measure what they change.

    The loss of each head's own form is minimised over the events of the validation part, unweighted; the model's
    weights stay as they are.

    Args:
        run: a run with at least one finished epoch that predicts intents.
        say: is told what was found, a line at a time.

    Returns:
        The record, JSON ready; see :func:`judge` for ``heads``.

    Raises:
        DataError: there is no such run, or its model predicts no intents, or the validation part has no event.
    """
    model, prepared, config = run.load_next_item_model()
    if model.intent_model is None:
        raise DataError(f"{run.folder}: variant {config.model.variant} predicts no intents; name a run that does.")
    validation, test = (intent_predictions(model, prepared, part) for part in (VALIDATION, TEST))
    if not validation:
        raise DataError(f"{prepared.folder}: has no event in the validation part to fit on; prepare it with one.")
    heads = {name: judge(model, name, validation[name], test.get(name)) for name in sorted(validation)}
    record = {
        "dataset": prepared.spec.schema.name,
        "fingerprint": prepared.fingerprint,
        "split": prepared.manifest["request"]["split"],
        "request_time": prepared.spec.schema.request_time,
        "model": config.title,
        "config": config.model_dump(mode="json"),
        "seed": config.training.seed,
        "fitted_on": PARTS[VALIDATION],
        "definition": DEFINITION,
        "heads": heads,
        **provenance(),
    }
    run.keep_calibration(record)
    for name, head in heads.items():
        say(f"{name}: temperature {head['temperature']:.3f}{_change(head)}")
    return record


def intent_predictions(model: NextItemModel, prepared: PreparedData, part: int, batch: int = 256) -> Predictions:
    """Logits float32 [events, d_i] and labels of each intent, for every event of a part; empty without any event.

    Args:
        model: that predicts intents.
        prepared: its data.
        part: 1 validation, 2 test.
        batch: events at once.
    """
    network = model.newest_intent_model()
    assert network is not None
    batches = evaluation_batches(prepared, part, batch)

    @tf.function(input_signature=batches.element_spec)
    def step(inputs: Columns, targets: Columns) -> dict[str, tuple[tf.Tensor, tf.Tensor]]:
        logits = network(inputs, training=False)["intents"]
        return {
            name: (tf.cast(values[:, -1], tf.float32), model.intent_labels(name, targets))
            for name, values in logits.items()
        }

    found: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    total = -(-int((prepared.events["split"] == part).sum()) // batch)
    for inputs, targets in track(batches, f"{PARTS[part]} part", total):
        for name, (logits, labels) in step(inputs, targets).items():
            found.setdefault(name, []).append((logits.numpy(), labels.numpy()))
    return {
        name: (np.concatenate([logits for logits, _ in parts]), np.concatenate([labels for _, labels in parts]))
        for name, parts in found.items()
    }


def judge(
    model: NextItemModel,
    name: str,
    validation: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray] | None,
) -> dict[str, Any]:
    """Fit one head, and compare its scores before and after.

    Returns:
        ``temperature``; ``form`` of the head; and for each part with an event ``count`` (labelled events),
        ``accuracy`` (of the top label, which no temperature changes), and ``before`` and ``after``, each with
        ``log_loss`` (the head's own, nats), ``ece`` and ``bins`` (confidence, outcome and count of each).
    """
    independent = model.scores_alone(name)
    average = model.config.average_labels and not independent
    targets = head_targets(validation[1], validation[0].shape[1], average)
    temperature = fit_temperature(validation[0], targets, independent)
    several = validation[1].ndim == 2
    form = "sigmoids" if independent else "softmax, several labels true" if several else "softmax"
    head: dict[str, Any] = {"temperature": temperature, "form": form}
    for part, pair in ((VALIDATION, validation), (TEST, test)):
        if pair is not None:
            measured = _measure(*pair, temperature, independent, average)
            if measured is not None:
                head[PARTS[part]] = measured
    return head


def _measure(
    logits: np.ndarray, labels: np.ndarray, temperature: float, independent: bool, average: bool
) -> dict[str, Any] | None:
    """Scores at temperature 1 and at the fitted one; None without a labelled event."""
    targets = head_targets(labels, logits.shape[1], average)
    known = targets.sum(1) > 0
    if not known.any():
        return None
    hits = targets[known, logits[known].argmax(1)] > 0
    measured: dict[str, Any] = {"count": int(known.sum()), "accuracy": float(hits.mean())}
    for when, number in (("before", 1.0), ("after", temperature)):
        found = reliability(*top_label(tempered(logits, number, independent), labels, independent))
        measured[when] = {
            "log_loss": head_loss(logits, targets, number, independent),
            "ece": found.error,
            "bins": {name: np.round(column, 6).tolist() for name, column in vars(found).items()},
        }
    return measured


def _change(head: dict[str, Any]) -> str:
    if "test" not in head:
        return " (the test part has no labelled event)"
    before, after = head["test"]["before"], head["test"]["after"]
    return (
        f", on the test part calibration error {before['ece']:.4f} -> {after['ece']:.4f}, "
        f"log-loss {before['log_loss']:.4f} -> {after['log_loss']:.4f}"
    )
