"""Losses of Eq 3: weighted cross-entropy for one label, and its multi-label forms."""

from intentrec_tf.losses.cross_entropy import weighted_cross_entropy
from intentrec_tf.losses.multi_label import multi_label_cross_entropy

__all__ = ["multi_label_cross_entropy", "weighted_cross_entropy"]
