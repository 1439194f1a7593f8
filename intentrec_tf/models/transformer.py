"""Transformer over the ids of the history, with flat intent heads."""

from __future__ import annotations

from intentrec_tf.models.sasrec import SASRec


class Transformer(SASRec):
    """SASRec's graph; item head and one head per intent side by side.

    IntentRec's baseline "Transformer" (arXiv 2408.05353, Table 1); without intents in the schema it is SASRec.

    Args:
        spec: what the data set is.
        config: what the model is.

    Source: Vaswani et al. 2017, used causally.
    """

    flat_intents = True
