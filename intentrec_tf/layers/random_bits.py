"""Random numbers that cost less than the arithmetic they disturb.

A generator with a state (Philox, as in ``tf.random.uniform``) took 4 ms for 262,144 numbers under XLA on two cores,
a quarter of a training step in all.  Here a number is a function of its index and a key, a few integer operations that
the compiler fuses into whatever reads them, so nothing is stored; the same key gives the same numbers on every device,
compiled or not.
"""

from __future__ import annotations

import tensorflow as tf


def mix(words: tf.Tensor) -> tf.Tensor:
    """MurmurHash3's 32-bit finaliser (A. Appleby): a bijection of uint32 under which every bit depends on all."""
    shift = tf.bitwise.right_shift
    words = (words ^ shift(words, tf.constant(16, tf.uint32))) * tf.constant(0x85EBCA6B, tf.uint32)
    words = (words ^ shift(words, tf.constant(13, tf.uint32))) * tf.constant(0xC2B2AE35, tf.uint32)
    return words ^ shift(words, tf.constant(16, tf.uint32))


def random_bits(shape: tf.Tensor | list[int], seed: int, count: tf.Tensor) -> tf.Tensor:
    """Bits that look independent for every index, seed and count.

    Args:
        shape: of the result, fewer than 2**31 elements.
        seed: whose numbers, for example a layer's; 0 <= seed < 2**31.
        count: int32 scalar, which draw, for example the training step.

    Returns:
        uint32 [shape].
    """
    index = tf.reshape(tf.range(tf.reduce_prod(shape)), shape)
    key = mix(mix(tf.cast(count, tf.uint32) + tf.constant(0x9E3779B9, tf.uint32)) ^ tf.constant(seed, tf.uint32))
    return mix(mix(tf.cast(index, tf.uint32) + tf.constant(seed, tf.uint32)) ^ key)


def open_uniform(bits: tf.Tensor) -> tf.Tensor:
    """Numbers between 0 and 1, neither included, float32 [...], from uint32 bits; their logarithms are finite.

    23 bits: one more, and adding a half rounds the largest up to 1.
    """
    shifted = tf.bitwise.right_shift(bits, tf.constant(9, tf.uint32))
    return (tf.cast(shifted, tf.float32) + 0.5) * 2.0**-23


def bernoulli(shape: tf.Tensor | list[int], probability: float, seed: int, count: tf.Tensor) -> tf.Tensor:
    """True with a probability, bool [shape]; arguments as :func:`random_bits`."""
    threshold = tf.constant(min(round(probability * 2**32), 2**32 - 1), tf.uint32)
    return random_bits(shape, seed, count) < threshold
