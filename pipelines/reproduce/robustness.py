"""How far do item metrics move when the intents that Z is made of are wrong, or right?"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from intentrec_tf.inputs import Columns
from intentrec_tf.models import NextItemModel
from pipelines.evaluate import CUTOFFS, rank_targets, ranking_metrics
from pipelines.input_fn import evaluation_batches
from pipelines.prepared import PreparedData
from pipelines.progress import track
from pipelines.split import TEST
from pipelines.validate import DataError

REPLACEMENTS = {
    "predicted": "as the model predicts them",
    "uniform": "every label equally likely",
    "shuffled": "those of another question",
    "true": "the next event's own labels (an oracle, not to be had at serving)",
}
_SHOWN = ("HR@1", "HR@10", "NDCG@10")
assert all(int(name.partition("@")[2]) in CUTOFFS[name.partition("@")[0]] for name in _SHOWN)


def robustness(model: NextItemModel, prepared: PreparedData, batch: int = 256) -> dict[str, dict[str, float]]:
    """Item metrics on the test part with the intent probabilities of the question replaced.

    Probabilities at the newest place are replaced, there alone, before they are aggregated into Z; what the item
    encoder knows of earlier places stays.

    Args:
        model: a trained V2 or V3.
        prepared: its data.
        batch: questions at once; ``shuffled`` takes the predictions of another question of the batch.

    Returns:
        Replacement -> metric -> value.

    Raises:
        DataError: the variant has no Z.
    """
    if not model.hierarchical:
        raise DataError(f"variant {model.config.variant} makes no intent vector; take V2 or V3.")
    batches = evaluation_batches(prepared, TEST, batch)
    network = item_network(model)

    @tf.function(input_signature=batches.element_spec)
    def step(inputs: Columns, targets: Columns) -> dict[str, tf.Tensor]:
        outputs = model(inputs, training=False)
        ranks = {}
        for kind in REPLACEMENTS:
            z = _replaced_z(model, outputs, targets, kind)
            last = tf.one_hot(tf.shape(z)[1] - 1, tf.shape(z)[1])[None, :, None]
            mixed = outputs["embedding"] * (1 - last) + z[:, -1:] * last
            scorer = model.item_scorer(model.newest(network([inputs, mixed], training=False)))
            ranks[kind] = rank_targets(scorer, model.spec, targets)
        return ranks

    found: dict[str, list[np.ndarray]] = {kind: [] for kind in REPLACEMENTS}
    total = -(-int((prepared.events["split"] == TEST).sum()) // batch)
    for inputs, targets in track(batches, "replacing intents", total):
        for kind, rank in step(inputs, targets).items():
            found[kind].append(rank.numpy())
    ranks = {kind: np.concatenate(parts) if parts else np.zeros(0, int) for kind, parts in found.items()}
    metrics = {kind: ranking_metrics(values) for kind, values in ranks.items()}
    return {kind: {name: values[name] for name in _SHOWN} for kind, values in metrics.items()}


def item_network(model: NextItemModel) -> tf.keras.Model:
    """The part of a V2 or V3 behind Z: ``[inputs, Z [batch, seq, d]]`` -> outputs ``state`` (and ``repeat``)."""
    wanted: dict[str, Any] = {name: model.output[name] for name in ("state", "repeat") if name in model.output}
    return tf.keras.Model([model.input, model.output["embedding"]], wanted)


def _replaced_z(model: NextItemModel, outputs: dict[str, Any], targets: Columns, kind: str) -> tf.Tensor:
    """Z [batch, seq, d] whose last place is made of other probabilities."""
    probabilities = []
    for name in sorted(outputs["probabilities"]):
        p = outputs["probabilities"][name]
        if kind == "uniform":
            p = tf.ones_like(p) / tf.cast(tf.shape(p)[-1], p.dtype)
        elif kind == "shuffled":
            p = tf.roll(p, 1, axis=0)
        elif kind == "true":
            p = tf.where(_labelled(model, name, targets)[:, None, None], _truth(model, name, targets)[:, None], p)
        probabilities.append(p)
    return model.get_layer("intent_aggregation")(probabilities)[0]


def _truth(model: NextItemModel, name: str, targets: Columns) -> tf.Tensor:
    """True labels as probabilities, float [batch, d_i]: one-hot, or equal shares of several (sigmoids: 1 each)."""
    labels = model.intent_labels(name, targets)
    if labels.shape.rank == 2:
        if model.config.multi_label_loss == "sigmoid":
            return labels
        return tf.math.divide_no_nan(labels, tf.reduce_sum(labels, axis=-1, keepdims=True))
    return tf.one_hot(labels, len(model.spec.intent_labels[name]))


def _labelled(model: NextItemModel, name: str, targets: Columns) -> tf.Tensor:
    labels = model.intent_labels(name, targets)
    return tf.reduce_sum(labels, axis=-1) > 0 if labels.shape.rank == 2 else labels >= 0
