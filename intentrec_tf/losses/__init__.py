"""Losses of Eq 3: weighted cross-entropy for one label, its multi-label forms, and forms for many items."""

from intentrec_tf.losses.cross_entropy import weighted_cross_entropy
from intentrec_tf.losses.linear_cross_entropy import linear_cross_entropy
from intentrec_tf.losses.multi_label import multi_label_cross_entropy
from intentrec_tf.losses.sampled_cross_entropy import sampled_cross_entropy
from intentrec_tf.losses.sampled_listwise import sampled_listwise_loss

__all__ = [
    "linear_cross_entropy",
    "multi_label_cross_entropy",
    "sampled_cross_entropy",
    "sampled_listwise_loss",
    "weighted_cross_entropy",
]
