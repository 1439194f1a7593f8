"""Optimisers."""

from intentrec_tf.optimizers.lazy_adam import LazyAdam
from intentrec_tf.optimizers.warmup_schedule import WarmupSchedule

__all__ = ["LazyAdam", "WarmupSchedule"]
