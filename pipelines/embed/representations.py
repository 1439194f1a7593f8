"""Vectors of users that one model's histories allow, its own and the plain ones to compare with."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import tensorflow as tf

from intentrec_tf.inputs import Columns
from intentrec_tf.models import NextItemModel
from pipelines.validate import DataError

INTENT, STATE, AVERAGE, WINDOWS = "intent", "state", "average", "windows"
WORDS = {
    INTENT: "intent vector Z",
    STATE: "item encoder's state",
    AVERAGE: "mean item vector",
    WINDOWS: "means of 180, 30, 7 days",
}
DAY = 86_400
SPANS = (180 * DAY, 30 * DAY, 7 * DAY)
Embed = Callable[[Columns, tf.Tensor], Columns]


def representations(model: NextItemModel, kinds: Sequence[str]) -> Embed:
    """A function ``(inputs, moment)`` -> float32 [batch, dim] by kind.

    * ``intent``: Z at the newest event, ``intent_embedding`` of the signature ``embed``.
    * ``state``: what the item head reads, ``item_state`` of that signature.
    * ``average``: mean of the model's own vectors of the history's items.
    * ``windows``: the same over the events of the last 180, 30 and 7 days before the moment, one behind the other
      (zeros where there is none), what Spotify's encoder starts from.

    Args:
        model: trained.
        kinds: which of these.

    Raises:
        DataError: the model has no Z.
    """
    if INTENT in kinds and not model.hierarchical:
        raise DataError(f"variant {model.config.variant} has no intent vector; pass --vector state or name a V2 or V3.")
    intent_model, whole = model.newest_intent_model(), model.newest_model()

    @tf.function(reduce_retracing=True)
    def embed(inputs: Columns, moment: tf.Tensor) -> Columns:
        found: Columns = {}
        if STATE in kinds:
            outputs = whole(inputs, training=False)
            found[STATE] = outputs["state"][:, -1]
            if INTENT in kinds:
                found[INTENT] = outputs["embedding"][:, -1]
        elif INTENT in kinds:
            assert intent_model is not None
            found[INTENT] = intent_model(inputs, training=False)["embedding"][:, -1]
        if AVERAGE in kinds or WINDOWS in kinds:
            vectors = tf.cast(model.item_embedding(inputs["item_id"]), tf.float32)
            real = inputs["segment"] > 0
            if AVERAGE in kinds:
                found[AVERAGE] = _mean(vectors, real)
            if WINDOWS in kinds:
                age = moment - inputs["timestamp"]
                found[WINDOWS] = tf.concat([_mean(vectors, real & (age < span)) for span in SPANS], axis=1)
        return {kind: tf.cast(found[kind], tf.float32) for kind in kinds}

    return embed


def _mean(vectors: tf.Tensor, counted: tf.Tensor) -> tf.Tensor:
    """Mean of vectors [batch, seq, dim] where ``counted`` [batch, seq]; zeros where none is."""
    weights = tf.cast(counted, tf.float32)
    total = tf.einsum("bld,bl->bd", vectors, weights)
    return tf.math.divide_no_nan(total, tf.reduce_sum(weights, axis=1, keepdims=True))
