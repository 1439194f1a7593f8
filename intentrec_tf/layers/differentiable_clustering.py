"""The interests of a history: its events clustered inside the graph."""

from __future__ import annotations

import tensorflow as tf

from intentrec_tf.layers.random_layer import RandomLayer
from intentrec_tf.layers.squash import squash
from intentrec_tf.masking import NEVER, masked_softmax

SAME = 1e-4


@tf.keras.utils.register_keras_serializable("intentrec_tf")
class DifferentiableClustering(RandomLayer):
    """K centroids by routing, started from events that are far from each other (DCM).

    ``b_ij = softmax_j(sharpness * cos(c_j, e_i))``, kept for the nearest centroid j of event i only;
    ``c_j = squash(sum_i b_ij e_i)``; ``iterations`` times.  The first centroid starts from the newest event (in
    training from a random one), every further one from the event whose nearest centroid is farthest.  An event that
    repeats one already chosen starts nothing, so a history of n different events has at most n interests.

    Args:
        count: K.
        iterations: of the routing.
        farthest_start: False starts from K events at random places (newest first when not training).
        single_assignment: False lets every event feed all centroids.
        sharpness: of the softmax; null takes the inner products ``c_j . e_i`` themselves, as the paper has it.
        seed: see :class:`RandomLayer`.

    Call arguments: ``events`` float [batch, seq, dim], ``valid`` bool [batch, seq] (what may be clustered).
    Returns: ``interests`` float [batch, K, dim], ``slots`` bool [batch, K] (which of them exist) and ``weights``
        float32 [batch, seq, K] (``b``; its sum over the events is the routing mass).  A history without a valid event
        has no slot and zeros.

    Source: Fan et al. 2025 (arXiv 2506.23060), DCM with VA-FPI and single-assignment routing; routing by Sabour et al.
    2017.  Ours: cosines (by inner products the longest centroid takes nearly every event, and one that begins with few
    events is short and loses them), and not starting twice from the same event (histories with repeats would get empty
    clusters).
    """

    def __init__(
        self,
        count: int,
        iterations: int = 3,
        farthest_start: bool = True,
        single_assignment: bool = True,
        sharpness: float | None = 10.0,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(seed, **kwargs)
        if count < 1 or iterations < 1:
            raise ValueError(f"count and iterations must be at least 1, got {count} and {iterations}")
        self.count = count
        self.iterations = iterations
        self.farthest_start = farthest_start
        self.single_assignment = single_assignment
        self.sharpness = sharpness

    def call(self, events, valid, training=None):
        dtype = events.dtype
        events = tf.where(valid[..., None], tf.cast(events, tf.float32), 0.0)
        centroids, slots = self._start(events, valid, training)
        allowed = valid[:, :, None] & slots[:, None, :]
        weights = tf.zeros_like(allowed, tf.float32)
        for _ in range(self.iterations):
            weights = masked_softmax(self._likeness(events, centroids), allowed)
            if self.single_assignment:
                weights *= tf.one_hot(tf.argmax(weights, axis=-1), self.count)
            centroids = squash(tf.matmul(weights, events, transpose_a=True))
        slots &= tf.reduce_sum(weights, axis=1) > 0
        return {"interests": tf.cast(centroids, dtype), "slots": slots, "weights": weights}

    def _start(self, events: tf.Tensor, valid: tf.Tensor, training: bool | None) -> tuple[tf.Tensor, tf.Tensor]:
        """The events that centroids start from, [batch, K, dim], and which of them are there, bool [batch, K]."""
        preference = self._preference(valid, training)
        if not self.farthest_start:
            best, places = tf.math.top_k(tf.pad(preference, [[0, 0], [0, self.count]], constant_values=-1), self.count)
            places = tf.minimum(places, tf.shape(events)[1] - 1)
            return tf.gather(events, places, batch_dims=1), best >= 0
        nearest = tf.fill(tf.shape(valid), tf.constant(NEVER))  # likeness to the nearest chosen event
        repeats = tf.zeros_like(valid)
        places, slots = [], []
        for number in range(self.count):
            free = valid & ~repeats
            score = preference if number == 0 else -nearest
            place = tf.argmax(tf.where(free, score, NEVER), axis=1, output_type=tf.int32)
            places.append(place)
            slots.append(tf.reduce_any(free, axis=1))
            chosen = tf.gather(events, place, batch_dims=1)[:, None]
            nearest = tf.maximum(nearest, self._likeness(events, chosen)[..., 0])
            repeats |= tf.reduce_max(tf.abs(events - chosen), axis=-1) <= SAME * tf.reduce_max(tf.abs(chosen), axis=-1)
        return tf.gather(events, tf.stack(places, axis=1), batch_dims=1), tf.stack(slots, axis=1)

    def _likeness(self, events: tf.Tensor, centroids: tf.Tensor) -> tf.Tensor:
        """Of every event with every centroid, float32 [batch, seq, n]."""
        if self.sharpness is None:
            return tf.matmul(events, centroids, transpose_b=True)
        events, centroids = (tf.math.l2_normalize(x, axis=-1, epsilon=1e-9) for x in (events, centroids))
        return self.sharpness * tf.matmul(events, centroids, transpose_b=True)

    def _preference(self, valid: tf.Tensor, training: bool | None) -> tf.Tensor:
        """Which event comes first, float32 [batch, seq]: the newest, in training any; -1 where not valid."""
        shape = tf.shape(valid)
        if training:
            order = tf.cast(tf.bitwise.right_shift(self.bits(shape), tf.constant(8, tf.uint32)), tf.float32)
        else:
            order = tf.broadcast_to(tf.range(shape[1], dtype=tf.float32), shape)
        return tf.where(valid, order, -1.0)

    def get_config(self):
        config = {"count": self.count, "iterations": self.iterations}
        config |= {"farthest_start": self.farthest_start, "single_assignment": self.single_assignment}
        return {**super().get_config(), **config, "sharpness": self.sharpness}
