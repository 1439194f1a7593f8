"""Everything the library must know of a prepared data set to build a model for it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from intentrec_tf.schema import CategoryIntent, Feature, Schema
from intentrec_tf.vocabulary import FIRST, Vocabulary


@dataclass(frozen=True, eq=False)
class DataSpec:
    """Schema plus what preparation learnt from the training events.

    Attributes:
        schema: the declaration.
        items: item vocabulary; V = ``items.size`` rows, row 0 padding, row 1 OOV.
        vocabularies: one per categorical and multi-label feature of events and items.
        catalogue: item features by name, aligned with item rows: categorical int32 [V], multi-label int32 [V, width]
            (label rows, 0 = padding), numeric float32 [V] (NaN = missing).
        intent_labels: label names per intent, in the order of its logits.
        numeric_ranges: (min, max) over the training events (or the catalogue) per numeric feature.
        event_widths: labels kept per event for each multi-label event feature.
        item_prior: training events per item row, float32 [V]; rows 0 and 1 are 0.
        intent_priors: training label counts per intent, float32 [d_i].
    """

    schema: Schema
    items: Vocabulary
    vocabularies: dict[str, Vocabulary] = field(default_factory=dict)
    catalogue: dict[str, np.ndarray] = field(default_factory=dict)
    intent_labels: dict[str, tuple[str, ...]] = field(default_factory=dict)
    numeric_ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    event_widths: dict[str, int] = field(default_factory=dict)
    item_prior: np.ndarray = field(default_factory=lambda: np.zeros(FIRST, np.float32))
    intent_priors: dict[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for feature in self.schema.item_features:
            if len(self.catalogue[feature.name]) != self.items.size:
                raise ValueError(f"catalogue feature '{feature.name}' does not have one row per item.")
        for intent in self.schema.intents:
            if len(self.intent_labels[intent.name]) < 2:
                raise ValueError(
                    f"intent '{intent.name}' has fewer than two labels in training; check the column it is "
                    "derived from, or remove it from the schema."
                )

    def feature_size(self, feature: Feature) -> int:
        """Rows of the feature's embedding table (0 for a numeric feature)."""
        return 0 if feature.kind == "numeric" else self.vocabularies[feature.name].size

    def item_label_matrix(self, intent: CategoryIntent) -> np.ndarray:
        """True labels of each item for a category intent, float32 [V, d_i] of zeros and ones."""
        rows = self.catalogue[intent.feature]
        matrix = np.zeros((len(rows), self.vocabularies[intent.feature].size), np.float32)
        np.put_along_axis(matrix, rows, 1.0, axis=1)
        return matrix[:, FIRST:]
