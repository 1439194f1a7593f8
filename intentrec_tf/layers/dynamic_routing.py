"""The interests of a history as capsules."""

from __future__ import annotations

import math

import tensorflow as tf

from intentrec_tf.layers.random_bits import open_uniform, random_bits
from intentrec_tf.layers.random_layer import RandomLayer
from intentrec_tf.layers.squash import squash
from intentrec_tf.masking import masked_softmax


@tf.keras.utils.register_keras_serializable("intentrec_tf")
class DynamicRouting(RandomLayer):
    """K capsules by behaviour-to-interest routing with one shared matrix S (MIND).

    ``w_i = softmax_j(b_ij)``, ``c_j = squash(sum_i w_ij S e_i)``, ``b_ij += c_j . S e_i``; ``b`` starts normally
    distributed, from other numbers each call in training and always the same ones otherwise.  A history of n valid
    events has ``max(1, min(K, log2 n))`` interests (rounded down).

    Args:
        count: K.
        iterations: of the routing.
        seed: see :class:`RandomLayer`.

    Call arguments and returns: as of :class:`DifferentiableClustering`.

    Source: Li et al. 2019 (arXiv 1904.08030), section 4.2; only the last iteration has a gradient, as usual.
    """

    def __init__(self, count: int, iterations: int = 3, seed: int | None = None, **kwargs):
        super().__init__(seed, **kwargs)
        if count < 1 or iterations < 1:
            raise ValueError(f"count and iterations must be at least 1, got {count} and {iterations}")
        self.count = count
        self.iterations = iterations

    def build(self, input_shape):
        dim = input_shape[-1]
        self.matrix = self.add_weight(name="matrix", shape=(dim, dim), initializer="glorot_uniform")
        super().build(input_shape)

    def call(self, events, valid, training=None):
        dtype = events.dtype
        known = tf.where(valid[..., None], tf.cast(events, tf.float32), 0.0)
        moved = tf.matmul(known, tf.cast(self.matrix, tf.float32))
        number = tf.reduce_sum(tf.cast(valid, tf.float32), axis=1)
        wanted = tf.floor(tf.math.log(tf.maximum(number, 1.0)) / math.log(2) + 1e-4)
        wanted = tf.where(number > 0, tf.maximum(wanted, 1.0), 0.0)
        slots = tf.range(self.count, dtype=tf.float32) < wanted[:, None]
        allowed = valid[:, :, None] & slots[:, None, :]
        fixed = tf.stop_gradient(moved)
        logits, weights, capsules = self._begin(tf.shape(valid), training), tf.zeros_like(allowed, tf.float32), None
        for iteration in range(self.iterations):
            last = iteration == self.iterations - 1
            weights = masked_softmax(logits, allowed)
            capsules = squash(tf.matmul(weights, moved if last else fixed, transpose_a=True))
            if not last:
                logits += tf.matmul(fixed, capsules, transpose_b=True)
        return {"interests": tf.cast(capsules, dtype), "slots": slots, "weights": weights}

    def _begin(self, shape: tf.Tensor, training: bool | None) -> tf.Tensor:
        """Normally distributed numbers [batch, seq, K]; when not training, a place counted from the newest event has
        always the same ones, so that padding changes nothing."""
        if training:
            return _normal(self.bits([2, shape[0], shape[1], self.count]))
        back = [random_bits([shape[1], self.count], self.seed, tf.constant(-number)) for number in (1, 2)]
        fixed = tf.reverse(_normal(tf.stack(back)), axis=[0])
        return tf.broadcast_to(fixed, [shape[0], shape[1], self.count])

    def get_config(self):
        return {**super().get_config(), "count": self.count, "iterations": self.iterations}


def _normal(bits: tf.Tensor) -> tf.Tensor:
    """Standard normal numbers [...] from uint32 [2, ...] (Box and Muller)."""
    uniform = open_uniform(bits)
    return tf.sqrt(-2 * tf.math.log(uniform[0])) * tf.cos(2 * math.pi * uniform[1])
