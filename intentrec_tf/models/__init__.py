"""Functional graphs built from a schema and a configuration."""

from intentrec_tf.models.config import ModelConfig
from intentrec_tf.models.intentrec import IntentRec

__all__ = ["IntentRec", "ModelConfig"]
