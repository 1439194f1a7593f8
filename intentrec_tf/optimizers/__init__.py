"""Optimisers."""

from intentrec_tf.optimizers.lazy_adam import LazyAdam

__all__ = ["LazyAdam"]
